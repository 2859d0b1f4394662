/*
 * The calls in Redis, seen from below: keys, shards, batches, and what a script answers. What a call is, and
 * what is asked about it, stands in workers/calls.
 *
 * A call's shard ("{ivr:07}", by hash of tenant/call_id) is its sole truth. Records of one script and shard
 * that come up in one turn of the loop leave in one script call (at most STORE_BATCH), all shards in one
 * pipeline. Each record's callback runs exactly once, never before the function returns.
 *
 * Every script may run twice: a caller whose result is STORE_LOST asks again with the same values.
 */
#ifndef IVR_STORE_STORE_H
#define IVR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/redis/redis.h"
#include "common/run/loop.h"
#include "common/run/settings.h"
#include "workers/store/answer.h"
#include "workers/store/keys.h"

struct store;

int store_new(struct store **store, struct loop *loop, struct redis *redis, const struct settings *settings,
              struct err *err);
void store_free(struct store **store);
/* Who takes the events; set before the first call. */
void store_on_events(struct store *store, store_events_fn fn, store_lost_fn lost, void *arg);

/* Records the number of shards on the first start (`record`; a tool that only reads leaves nothing behind)
 * and compares it later: `fn` gets NULL, or a sentence (exit code 2). Asks again until Redis answers. */
void store_check_shards(struct store *store, bool record, void (*fn)(const char *problem, void *arg),
                        void *arg);

unsigned store_shards(const struct store *store);
/* `id`: "tenant/call_id", "provider:id" or a number. */
unsigned store_shard_of(const struct store *store, struct span id);
/* "{ivr:07}"; lives as long as the store. */
struct span store_shard_key(const struct store *store, unsigned shard);
struct redis *store_redis(const struct store *store);
/* Records and commands without an answer yet. */
size_t store_pending(const struct store *store);

/* Why the status is what it is, as a sentence: of STORE_UNREADABLE, while its callback runs. */
const char *store_why(const struct store *store);
/* Redis takes writes: what it does not know does not exist. Otherwise it may be that it was not let in yet. */
bool store_takes(const struct store *store);

#endif
