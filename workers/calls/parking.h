/*
 * Callbacks that came before their call was known: parked in Redis under the id that they carry, until it is
 * linked or their time is over (park.lua, parked.lua, unpark.lua). parked.h says what is parked.
 */
#ifndef IVR_CALLS_PARKING_H
#define IVR_CALLS_PARKING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/span.h"
#include "workers/calls/links.h"
#include "workers/store/store.h"

/* Of one id and channel; of a channel and of all over all shards. About: a shard has its part of them. */
enum {
    CALLS_PARK_ID_N = 32,
    CALLS_PARK_ID_BYTES = 256 * 1024,
    CALLS_PARK_CHANNEL_N = 16 * 1024,
    CALLS_PARK_CHANNEL_BYTES = 16 * 1024 * 1024,
    CALLS_PARK_N = 64 * 1024,
    CALLS_PARK_BYTES = 64 * 1024 * 1024,
};

enum calls_park_what {
    PARK_NOTHING, /* nobody answered */
    PARK_LINKED,  /* `ref` is set */
    PARK_PARKED,
    /* Not parked: as much waits under this id, of its channel, or in all, as may. */
    PARK_FULL_ID,
    PARK_FULL_CHANNEL,
    PARK_FULL,
};
/* The reference behind the id, or parked under it until unknown_callback_keep. An id "call:tenant/call_id"
 * parks a callback of a call that Redis does not know, in that call's shard. What may wait is bounded. */
typedef void (*calls_park_fn)(enum store_status status, enum calls_park_what what, struct span ref,
                              void *arg);
void calls_park(struct store *store, const struct calls_call *call, const struct calls_parked *callback,
                calls_park_fn fn, void *arg);

struct calls_overdue {
    struct span provider_id;
    bool known;                        /* linked by now: put back; otherwise dead letters */
    const struct calls_parked *parked; /* some of them; the others once these are removed */
    size_t n;
};
/* What is overdue is offered to one asker at a time, and again after 30 s when it is still there. `more`:
 * there is more now, or will be once this is removed. */
typedef void (*calls_overdue_fn)(enum store_status status, const struct calls_overdue *items, size_t n,
                                 bool more, void *arg);
void calls_overdue(struct store *store, unsigned shard, calls_overdue_fn fn, void *arg);
/* Forgets one parked callback that is safe elsewhere. No answer: it would be found again. */
void calls_unpark(struct store *store, struct span provider_id, struct span field);

#endif
