/* Calls that wait: those whose time has come are offered, and put off until their calling hours open. */
#ifndef IVR_CALLS_DUE_H
#define IVR_CALLS_DUE_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "workers/store/store.h"

/* An offer of a call: whoever takes its claim (claims.h) dials it. Borrowed until the callback returns. */
struct calls_due {
    struct span id;
    struct span channel;
    /* Empty: nothing to dial, a call that operators paused or cancelled was moved away. */
    struct span request;
    int attempt;   /* the number that its claim will have */
    int unreached; /* attempts in a row that reached nobody; -1 once one may have been placed */
    int claim_no;  /* of its claim */
};
/* What a script offers (lib/waiting.lua, offer), from item `at` of an array on. */
struct calls_due calls_read_due(const msgpack_object *array, size_t at);

typedef void (*calls_due_fn)(enum store_status status, const struct calls_due *items, size_t n, void *arg);
struct calls_due_query {
    unsigned shard;
    unsigned limit;   /* at most STORE_BATCH */
    int64_t lease_ms; /* how long what is offered is not offered to others */
    /* How long ago an answer was lost; -1: none was. What it offered is offered again before its lease is over
     * (to others too: one of them gets the claim). */
    int64_t lost_ms;
    /* Channels whose calls do not come nearer to their time to give up during this lease. */
    const struct span *suspended;
    size_t suspended_n;
};
void calls_due(struct store *store, const struct calls_due_query *query, calls_due_fn fn, void *arg);

/* Puts a due call off until its calling hours open, at `opening_ms` (wall). Nothing where it does not wait
 * any more or is not due; asked again it changes nothing. */
typedef void (*calls_postpone_fn)(enum store_status status, void *arg);
void calls_postpone(struct store *store, struct span id, int64_t opening_ms, struct span provider,
                    calls_postpone_fn fn, void *arg);

/* Makes a call due that waits for another call to its number to end (wake.lua). `woken` is set with STORE_OK;
 * one that was cancelled or paused meanwhile is not. */
typedef void (*calls_wake_fn)(enum store_status status, bool woken, void *arg);
void calls_wake(struct store *store, struct span id, calls_wake_fn fn, void *arg);

#endif
