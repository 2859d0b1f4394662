/*
 * What ivr.audit says of what somebody did. Whoever acts makes the text here; the function of Redis that does it notes
 * the text in the same step (lib/audit.lua), and any worker sends it (records.h), also when Kafka was away. Pure.
 *
 * No text holds a number in full, whatever IVR_PII says.
 */
#ifndef IVR_CALLS_AUDIT_H
#define IVR_CALLS_AUDIT_H

#include "common/base/buf.h"
#include "common/base/span.h"

struct audit {
    const char *actor_kind; /* "user", "token": how the name is known */
    struct span actor;
    const char *from;   /* "ivrctl", "http" */
    const char *action; /* "pause", "dnc.add", ... */
    struct span tenant; /* the record's key; empty where it concerns all */
    struct span target; /* "campaign:acme/first"; numbers in it are masked */
    struct span number; /* of a do-not-call list: its hash is told; SPAN_NONE without */
    struct span reason; /* what the person said; SPAN_NONE without */
};

enum { AUDIT_MAX = 4096, AUDIT_REASON_MAX = 500 };

/* "KEY\nJSON", without how many it concerned and its result, which are not known yet: the JSON lacks its end. Its id is
 * random: the same text may be noted any number of times. */
void audit_begin(struct buf *text, const struct audit *audit);
/* How many calls or numbers it concerns; less than 0: nobody knows. */
void audit_add_affected(struct buf *text, long long affected);

#endif
