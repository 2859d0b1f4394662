#include "workers/dispatch/settle.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/settle.h"
#include "workers/dispatch/reconcile.h"
#include "workers/dispatch/rounds.h"
#include "workers/store/shard_walk.h"

enum {
    /* Owners of claims ask again first, once Redis is back: what they sent is not in doubt. Longer than their
     * longest wait between two questions (attempt.c) and Redis' (common/redis/redis_conn_life.c). */
    AFTER_AWAY_MS = 5000,
    /* Short, because a crowd of silent calls gets its look-ups RECONCILE_MAX at a time, round by round. */
    ROUND_MS = 250,
    LIMIT = 64,
};

struct settle_shard {
    struct settle *owner;
    unsigned shard;
    size_t room; /* for how many look-ups it was asked */
};

struct settle {
    struct dispatch *dispatch;
    struct reconciler *reconciler;
    struct shard_walk *walk;
    struct settle_shard *shards;
    int64_t from_mono_ms; /* not before: Redis was not fit shortly before */
    /* Look-ups that the requests that are out may bring: one that finds no room waits for IVR_PENDING_CHECK. */
    size_t promised;
};

static void on_settled(enum store_status status, const struct calls_settled *items, size_t n, void *arg)
{
    struct settle_shard *shard = arg;
    struct settle *settle = shard->owner;
    size_t claims = 0;
    shard_walk_answered(settle->walk, shard->shard);
    settle->promised -= shard->room;
    for (size_t i = 0; status == STORE_OK && i < n; i++) {
        if (items[i].what == SETTLED_LOOK_UP || items[i].what == SETTLED_FIND)
            reconcile_start(settle->reconciler, &items[i]);
        claims += items[i].what == SETTLED_CLAIM_LOST;
    }
    if (claims > 0) {
        metric_add(metric_series(M_CLAIMS_SETTLED, NULL, NULL), (double)claims);
        LOG_WARN("claims of a lost worker settled as in doubt", LOG_INT("claims", claims),
                 LOG_INT("shard", shard->shard));
    }
    if (n >= LIMIT)
        shard_walk_more(settle->walk, shard->shard);
}

static bool ask(unsigned number, void *arg)
{
    struct settle *settle = arg;
    struct settle_shard *shard = &settle->shards[number];
    const struct dispatch *d = settle->dispatch;
    shard->room = rounds_share(d, reconciler_room(settle->reconciler), settle->promised);
    settle->promised += shard->room;
    calls_settle(d->worker->store, number, LIMIT, (unsigned)shard->room, on_settled, shard);
    return true;
}

static bool may_ask(void *arg)
{
    struct settle *settle = arg;
    const struct dispatch *d = settle->dispatch;
    int64_t now_mono_ms = loop_mono_ms(d->worker->loop);
    if (d->redis_away)
        settle->from_mono_ms = now_mono_ms + AFTER_AWAY_MS;
    return !rounds_stopped(d) && now_mono_ms >= settle->from_mono_ms;
}

struct settle *settle_new(struct dispatch *d)
{
    struct settle *settle = mem_calloc(1, sizeof(*settle));
    unsigned shards = store_shards(d->worker->store);
    const struct shard_walk_rules rules = {
        .round_ms = ROUND_MS, .together = true, .may = may_ask, .ask = ask, .arg = settle};
    settle->dispatch = d;
    settle->reconciler = reconciler_new(d);
    settle->shards = mem_calloc(shards, sizeof(*settle->shards));
    for (unsigned shard = 0; shard < shards; shard++)
        settle->shards[shard] = (struct settle_shard){.owner = settle, .shard = shard};
    settle->walk = shard_walk_new(d->worker->loop, shards, &rules);
    return settle;
}

void settle_stop(struct settle *settle)
{
    shard_walk_stop(settle->walk);
}

void settle_free(struct settle **settle)
{
    shard_walk_free(&(*settle)->walk);
    reconciler_free(&(*settle)->reconciler);
    free((*settle)->shards);
    free(*settle);
    *settle = NULL;
}
