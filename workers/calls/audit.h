/*
 * What ivr.audit says of what somebody did. Whoever acts makes the text here; the function of Redis that does it notes
 * the text in the same step (lib/audit.lua), and any worker sends it (records.h), also when Kafka was away. Pure.
 *
 * Numbers in what the person said, and in the person's name, are masked, whatever IVR_PII says. Names of campaigns and ids
 * of calls stand as they do in events.
 */
#ifndef IVR_CALLS_AUDIT_H
#define IVR_CALLS_AUDIT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

struct audit {
    const char *actor_kind; /* "user", "token": how the name is known */
    struct span actor;
    const char *from;   /* "ivrctl", "http" */
    const char *action; /* "pause", "dnc.add", ... */
    struct span tenant; /* the record's key; empty where it concerns all */
    struct span
        target; /* "campaign:acme/first", as it stands: of a number the caller shows what may be seen */
    struct span number; /* of a do-not-call list: its hash is told; SPAN_NONE without */
    struct span reason; /* what the person said; SPAN_NONE without */
};

enum { AUDIT_MAX = 4096, AUDIT_REASON_MAX = 500, AUDIT_ACTOR_MAX = 128 }; /* bytes; longer ones are cut */

/* "KEY\nJSON", without how many it concerned and its result, which are not known yet: the JSON lacks its end. Its id is
 * random: the same text may be noted any number of times. */
void audit_begin(struct buf *text, const struct audit *audit);
/* A text that was noted, as it goes to the topic. Spans are borrowed from it. */
struct audit_text {
    struct span key, json, id; /* `id` is SPAN_NONE where it cannot be read */
    int64_t at_ms;             /* 0 where it cannot be read */
};
void audit_read(struct audit_text *audit, struct span text);
/* How many calls or numbers it concerns; less than 0: nobody knows. */
void audit_add_affected(struct buf *text, long long affected);

#endif
