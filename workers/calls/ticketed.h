/*
 * Calls that have a ticket in a channel's queue, in their shards (look.lua, defer.lua).
 *
 * A ticket stands in the channel's slot of Redis, its call in a shard: the two are looked at one after the
 * other. A worker that has a ticket in hand looks at its call before a send time is spent on it.
 */
#ifndef IVR_CALLS_TICKETED_H
#define IVR_CALLS_TICKETED_H

#include "workers/store/store.h"

enum ticketed_what {
    TICKETED_NOTHING,   /* Redis did not say */
    TICKETED_READY,     /* it may be claimed, with the claim that the ticket is for */
    TICKETED_UNDER_WAY, /* that claim was taken, and its attempt has a line of the channel */
    TICKETED_GONE,      /* the ticket is good for nothing: paused, cancelled, over, or another claim's turn */
};

struct ticketed_call {
    enum ticketed_what what;
    struct calls_due offer; /* TICKETED_READY: nobody else is offered the call within `lease_ms` */
    int64_t line_ms;        /* TICKETED_UNDER_WAY: how long its line may be held yet */
};

/* `call` is borrowed until it returns. */
typedef void (*ticketed_look_fn)(enum store_status status, const struct ticketed_call *call, void *arg);
/* Looks at the call "tenant/call_id" whose ticket is for the claim `claim_no` on the channel. */
void ticketed_look(struct store *store, struct span id, int claim_no, struct span channel, int64_t lease_ms,
                   ticketed_look_fn fn, void *arg);

/* The call has a ticket: it is not offered to dispatch workers for `ms`. No answer: it is offered sooner. */
typedef void (*ticketed_defer_fn)(enum store_status status, void *arg);
void ticketed_defer(struct store *store, struct span id, int64_t ms, ticketed_defer_fn fn, void *arg);

#endif
