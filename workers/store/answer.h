/*
 * What a shard answers: whether a question was heard at all, and what the script behind it said.
 */
#ifndef IVR_STORE_ANSWER_H
#define IVR_STORE_ANSWER_H

#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/redis/redis.h"

/* Most records in one script call: bounds how long Redis is busy with it, to about 1 ms. */
enum { STORE_BATCH = 64 };

enum store_status {
    STORE_OK,
    /* Certainly not executed (not connected, LOADING, OOM, ...): ask again later. */
    STORE_REFUSED,
    /* May have been executed: ask again with the same values. */
    STORE_LOST,
    /* Was executed, and IVR_REDIS_REPLICAS replicas do not have it: a failover may undo it, so ask again with
     * the same values. What a request or a claim got is told. */
    STORE_UNACKED,
    /* What stands in Redis of this call cannot be read, and nothing was done with it. Asking again does not
     * help; store_why() names the key and what is wrong. */
    STORE_UNREADABLE,
};

enum store_status store_status_of(const struct redis_result *result);

/* A script's events: the outbox entry that holds them, to be produced and then removed
 * (workers/calls/outbox.h). */
typedef void (*store_events_fn)(unsigned shard, struct span entry, struct span packed, void *arg);
/* A reply was lost: what the script may have written to this shard's outbox is nobody's now. */
typedef void (*store_lost_fn)(unsigned shard, void *arg);

/* Turns a script's result (NULL unless STORE_OK or STORE_UNACKED) into the typed callback. `fn` is the typed
 * one, cast back by the deliverer. */
typedef void (*store_deliver_fn)(enum store_status status, const msgpack_object *result, void (*fn)(void),
                                 void *arg);

/*
 * The answer as an enumerator whose 0 is "nothing": what nobody answered, and what acts on nothing. A word or
 * a number that this version does not know is a defect, since each version runs its own scripts: it is logged,
 * and an assertion stops the process where assertions are on; elsewhere it is nothing, never another answer.
 */
/* Item `i` of an array: its place in `words`, of which there are `n`; words[0] is nothing, and NULL. */
unsigned answer_word(const msgpack_object *array, size_t i, const char *const *words, size_t n);
/* A number below `end`, counted from 1: a script's 0 is 1. */
unsigned answer_number(const msgpack_object *result, unsigned end);

#endif
