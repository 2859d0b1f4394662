/*
 * How the folders above ask the shards: by a function of Redis ("a verb", one .lua file each) or by a plain
 * command. For workers/calls, contact, channel and report; what they ask for is theirs, and the store knows
 * none of it.
 *
 * Whatever left is counted (store_pending) until it is answered: a callback of store_eval(), store_command()
 * and their kin begins with store_command_ended(). The others count by themselves.
 */
#ifndef IVR_STORE_VERBS_H
#define IVR_STORE_VERBS_H

#include <msgpack.h>
#include <stddef.h>

#include "common/base/span.h"
#include "common/redis/redis.h"
#include "workers/store/answer.h"

struct store;

/* ---- records: a verb that takes many at once ---- */

/* Begins a record of so many items, to be packed (pack.h) and then sent to the shard of `id`. One at a time.
 * Records of a verb and a shard that are sent in one turn of the loop leave in one call of the verb. */
void store_record_begin(struct store *store, msgpack_packer *packer, size_t items);
void store_record_send(struct store *store, const struct redis_script *verb, struct span id,
                       store_deliver_fn deliver, void (*fn)(void), void *arg);

/* ---- one call ---- */

/* A verb that has arguments of its own but answers in the same form: `deliver` gets the whole array of results
 * (NULL when it is empty). At most 80 arguments; they are copied. */
void store_run(struct store *store, const struct redis_script *verb, unsigned shard, const struct span *args,
               size_t argc, store_deliver_fn deliver, void (*fn)(void), void *arg);
/* A verb whose reply is its own, on a shard, and in the slot of a channel (admit.lua). */
void store_eval(struct store *store, const struct redis_script *verb, unsigned shard, const struct span *args,
                size_t argc, redis_fn fn, void *arg);
void store_eval_channel(struct store *store, const struct redis_script *verb, struct span channel,
                        const struct span *args, size_t argc, redis_fn fn, void *arg);
/* A plain command; argv[1] is its key (keys.h). */
void store_command(struct store *store, const struct span *argv, size_t argc, redis_fn fn, void *arg);
/* One without a key, of the nth of redis_servers(). */
void store_command_of(struct store *store, size_t server, const struct span *argv, size_t argc, redis_fn fn,
                      void *arg);
/* One of these was answered. */
void store_command_ended(struct store *store);

/* ---- what those above need to know ---- */

/* Counts and logs a call that cannot be read; store_why() says it from now on. */
void store_unreadable(struct store *store, struct span why);
int64_t store_retention_ms(const struct store *store);
int64_t store_unknown_keep_ms(const struct store *store);

#endif
