/*
 * Records of one script and shard, collected during a turn and sent as one script call. Behind verbs.h, which
 * is what others use.
 */
#ifndef IVR_STORE_BATCH_H
#define IVR_STORE_BATCH_H

#include <stddef.h>

#include "common/base/span.h"
#include "common/redis/redis.h"
#include "common/run/loop.h"
#include "workers/store/answer.h"
#include "workers/store/unreadable.h"

enum { STORE_RUN_ARGS = 80 }; /* of a call by itself, at most */

struct batches;

/* The shards' keys and `unreadable` are borrowed, `config` (the first argument of every script) is copied. */
struct batches_with {
    struct loop *loop;
    struct redis *redis;
    const struct span *shard_keys;
    unsigned shards;
    struct span config;
    struct unreadable *unreadable;
};
struct batches *batches_new(const struct batches_with *with);
/* The batches of a pending redis call must outlive it: free the redis connection first. */
void batches_free(struct batches **batches);
void batches_on_events(struct batches *batches, store_events_fn fn, store_lost_fn lost, void *arg);
size_t batches_pending(const struct batches *batches);

/* Adds a record, packed; it is copied. */
void batch_add(struct batches *batches, const struct redis_script *script, unsigned shard, struct span record,
               store_deliver_fn deliver, void (*fn)(void), void *arg);

/* Runs a script at once that has arguments of its own but answers in the same form; `deliver` gets the whole
 * results array (NULL when empty). */
void batch_run(struct batches *batches, const struct redis_script *script, unsigned shard,
               const struct span *args, size_t argc, store_deliver_fn deliver, void (*fn)(void), void *arg);

#endif
