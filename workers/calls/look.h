/*
 * The call behind a ticket of a channel's queue, in its shard: looked at before a send time is spent on it
 * (look.lua), and kept from being offered while its ticket waits (defer.lua).
 */
#ifndef IVR_CALLS_LOOK_H
#define IVR_CALLS_LOOK_H

#include <stdint.h>

#include "common/base/span.h"
#include "workers/calls/due.h"
#include "workers/store/store.h"

enum calls_look_what {
    LOOK_NOTHING, /* nobody answered */
    LOOK_READY,
    LOOK_LIVE, /* the attempt that the ticket is for is under way */
    LOOK_GONE  /* the ticket is good for nothing */
};
struct calls_look_result {
    enum calls_look_what what;
    struct calls_due offer; /* LOOK_READY: nobody else is offered the call within `lease_ms` */
    int64_t line_ms;        /* LOOK_LIVE: how long its line may be held yet */
};
struct calls_look {
    struct span id; /* the ticket: a call and the number of its claim */
    int claim_no;
    struct span channel;
    int64_t lease_ms;
};
/* `result` is set with STORE_OK. */
typedef void (*calls_look_fn)(enum store_status status, const struct calls_look_result *result, void *arg);
void calls_look(struct store *store, const struct calls_look *look, calls_look_fn fn, void *arg);

/* The call has a ticket: it is not offered for `ms`. Not answered: it is offered sooner. */
typedef void (*calls_defer_fn)(enum store_status status, void *arg);
void calls_defer(struct store *store, struct span id, int64_t ms, calls_defer_fn fn, void *arg);

#endif
