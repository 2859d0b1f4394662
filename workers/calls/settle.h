/* Calls that nobody looks after any more: claims whose owner died, attempts without a report (settle.lua). */
#ifndef IVR_CALLS_SETTLE_H
#define IVR_CALLS_SETTLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "workers/store/store.h"

enum calls_settled_what {
    SETTLED_NOTHING,    /* nobody answered */
    SETTLED_CLAIM_LOST, /* its owner died: in doubt from now on */
    SETTLED_NO_REPORT,
    SETTLED_LOOK_UP, /* silent: its provider is to be asked for it by its id */
    SETTLED_FIND     /* in doubt: its provider is to be asked for one like it */
};
struct calls_settled {
    struct span id;
    int attempt;
    enum calls_settled_what what;
    struct span channel;          /* SETTLED_LOOK_UP, SETTLED_FIND */
    struct span provider_call_id; /* SETTLED_LOOK_UP */
    struct span request;          /* SETTLED_FIND: as calls_request() took it */
    int64_t placed_ms;            /* SETTLED_FIND: when it was claimed */
};
/* Looks at up to `limit` overdue calls of a shard: settles claims whose owner died and attempts without a
 * report, and offers up to `look_ups` silent or doubtful ones to be asked for at their provider. */
typedef void (*calls_settle_fn)(enum store_status status, const struct calls_settled *items, size_t n,
                                void *arg);
void calls_settle(struct store *store, unsigned shard, unsigned limit, unsigned look_ups, calls_settle_fn fn,
                  void *arg);

#endif
