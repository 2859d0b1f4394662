/* What providers report of an attempt, applied to its call (evidence.lua). */
#ifndef IVR_CALLS_EVIDENCE_H
#define IVR_CALLS_EVIDENCE_H

#include <stdbool.h>

#include "common/base/span.h"
#include "common/model/evidence.h"
#include "common/model/status.h"
#include "workers/store/store.h"

enum calls_evidence_what {
    EVIDENCE_NOTHING, /* nobody answered */
    EVIDENCE_RECORDED,
    EVIDENCE_REPEATED,
    EVIDENCE_UNKNOWN,  /* no such call, or no such attempt on this channel */
    EVIDENCE_FOREIGN,  /* the attempt has another id at its provider: it is about another call */
    EVIDENCE_UNPROVED, /* only the provider's id in it can say whose it is: calls_park() knows */
    /* The same, but the attempt is in doubt and has the number that it says was called: calls_link_inferred(). */
    EVIDENCE_FITS,
};
struct calls_evidence {
    struct span id;
    int attempt;
    struct span channel;
    struct span provider;
    const struct evidence *evidence;
    struct span trace;
    bool unproved; /* `id` and `attempt` stood beside what its signature covers */
};
struct calls_evidence_result {
    enum calls_evidence_what what;
    enum call_status call_status; /* the call's after it */
    bool unlinked; /* reports alone told the provider's id: calls_link() it, nobody else will */
};
typedef void (*calls_evidence_fn)(enum store_status status, const struct calls_evidence_result *result,
                                  void *arg);
void calls_evidence(struct store *store, const struct calls_evidence *evidence, calls_evidence_fn fn,
                    void *arg);

#endif
