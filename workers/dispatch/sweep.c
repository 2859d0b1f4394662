#include "workers/dispatch/sweep.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "workers/calls/control.h"
#include "workers/channel/channel_queues.h"
#include "workers/dispatch/hangup.h"
#include "workers/store/shard_walk.h"

enum { ROUND_MS = 250 };

/* A resume of a channel that this worker has seen. */
struct resumed {
    struct resumed *next;
    char *channel;
    int64_t when_ms; /* Redis' time; 0: none yet */
};

struct sweep_shard {
    struct sweeper *owner;
    unsigned shard;
};

struct sweeper {
    struct dispatch *dispatch;
    struct hangups *hangups;
    struct shard_walk *sweeping, *hanging_up;
    struct sweep_shard *shards;
    struct resumed *resumed; /* a handful of channels: a list is enough */
};

/* Calls that are ended make events, which Kafka has to take. */
static bool may_ask(void *arg)
{
    const struct dispatch *d = ((const struct sweeper *)arg)->dispatch;
    return !d->draining && !d->away && redis_up(d->worker->redis) &&
           !kafka_producer_full(d->worker->producer);
}

/* ---- channels that were resumed ---- */

static struct resumed *resumed_of(struct sweeper *sweeper, struct span channel)
{
    for (struct resumed *resumed = sweeper->resumed; resumed != NULL; resumed = resumed->next)
        if (span_is(channel, resumed->channel))
            return resumed;
    struct resumed *resumed = mem_calloc(1, sizeof(*resumed));
    resumed->channel = mem_strndup(channel.p, channel.n);
    resumed->next = sweeper->resumed;
    sweeper->resumed = resumed;
    return resumed;
}

static void take_resumed(struct sweeper *sweeper, const struct control_resumed *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct resumed *resumed = resumed_of(sweeper, items[i].channel);
        assert(resumed != NULL);
        int64_t when_ms;
        if (!number_read(items[i].when, 0, INT64_MAX, &when_ms) || when_ms == resumed->when_ms)
            continue;
        resumed->when_ms = when_ms;
        struct channel_queue *queue = channel_queues_find(sweeper->dispatch->queues, items[i].channel);
        if (queue != NULL)
            channel_queue_resumed(queue, when_ms);
    }
}

/* ---- rounds ---- */

/* Every shard has the same channels: the first one's are enough. */
static void on_swept(enum store_status status, bool more, const struct control_resumed *resumed, size_t n,
                     void *arg)
{
    struct sweep_shard *at = arg;
    shard_walk_answered(at->owner->sweeping, at->shard);
    if (status == STORE_OK && at->shard == 0)
        take_resumed(at->owner, resumed, n);
    if (status == STORE_OK && more)
        shard_walk_more(at->owner->sweeping, at->shard);
}

static bool ask_sweep(unsigned shard, void *arg)
{
    struct sweeper *sweeper = arg;
    control_sweep(sweeper->dispatch->worker->store, shard, on_swept, &sweeper->shards[shard]);
    return true;
}

static void on_hangups(enum store_status status, const struct control_hangup *items, size_t n, void *arg)
{
    struct sweep_shard *at = arg;
    shard_walk_answered(at->owner->hanging_up, at->shard);
    for (size_t i = 0; status == STORE_OK && i < n; i++)
        hangup_start(at->owner->hangups, &items[i]);
}

static bool ask_hangups(unsigned shard, void *arg)
{
    struct sweeper *sweeper = arg;
    unsigned room = hangups_room(sweeper->hangups);
    if (room == 0)
        return false;
    control_hangups(sweeper->dispatch->worker->store, shard, room, on_hangups, &sweeper->shards[shard]);
    return true;
}

struct sweeper *sweeper_new(struct dispatch *dispatch)
{
    struct sweeper *sweeper = mem_calloc(1, sizeof(*sweeper));
    unsigned shards = store_shards(dispatch->worker->store);
    struct shard_walk_rules rules = {.round_ms = ROUND_MS, .together = true, .may = may_ask, .arg = sweeper};
    sweeper->dispatch = dispatch;
    sweeper->hangups = hangups_new(dispatch);
    sweeper->shards = mem_calloc(shards, sizeof(*sweeper->shards));
    for (unsigned shard = 0; shard < shards; shard++)
        sweeper->shards[shard] = (struct sweep_shard){.owner = sweeper, .shard = shard};
    rules.ask = ask_sweep;
    sweeper->sweeping = shard_walk_new(dispatch->worker->loop, shards, &rules);
    rules.ask = ask_hangups;
    sweeper->hanging_up = shard_walk_new(dispatch->worker->loop, shards, &rules);
    return sweeper;
}

void sweeper_stop(struct sweeper *sweeper)
{
    shard_walk_stop(sweeper->sweeping);
    shard_walk_stop(sweeper->hanging_up);
}

void sweeper_free(struct sweeper **sweeper)
{
    while ((*sweeper)->resumed != NULL) {
        struct resumed *resumed = (*sweeper)->resumed;
        (*sweeper)->resumed = resumed->next;
        free(resumed->channel);
        free(resumed);
    }
    hangups_free(&(*sweeper)->hangups);
    shard_walk_free(&(*sweeper)->sweeping);
    shard_walk_free(&(*sweeper)->hanging_up);
    free((*sweeper)->shards);
    free(*sweeper);
    *sweeper = NULL;
}
