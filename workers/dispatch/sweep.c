#include "workers/dispatch/sweep.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "workers/calls/control.h"
#include "workers/channel/channel_queues.h"
#include "workers/dispatch/hangup.h"

enum { ROUND_MS = 250, WHEN_MAX = 24 };

/* A resume of a channel that this worker has seen. */
struct resumed {
    struct resumed *next;
    char *channel;
    char when[WHEN_MAX];
};

/* By shard. */
struct sweep_shard {
    struct sweeper *owner;
    unsigned shard;
    bool sweeping, hanging_up; /* asked, no answer yet */
};

struct sweeper {
    struct dispatch *dispatch;
    struct hangups *hangups;
    struct loop_timer *timer;
    struct sweep_shard *parts;
    struct resumed *resumed; /* a handful of channels: a list is enough */
};

/* What is ended makes events, which Kafka has to take. */
static bool quiet(const struct sweeper *sweeper)
{
    const struct dispatch *d = sweeper->dispatch;
    return d->draining || d->away || !redis_up(d->worker->redis) || kafka_producer_full(d->worker->producer);
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
        if (items[i].when.n == 0 || items[i].when.n >= WHEN_MAX || span_is(items[i].when, resumed->when))
            continue;
        snprintf(resumed->when, sizeof(resumed->when), "%.*s", SPAN_ARG(items[i].when));
        struct channel_queue *queue = channel_queues_find(sweeper->dispatch->queues, items[i].channel);
        if (queue != NULL)
            channel_queue_resumed(queue, strtoll(resumed->when, NULL, 10));
    }
}

/* ---- rounds ---- */

static void ask(struct sweep_shard *at);

/* Every shard has the same channels: the first one's are enough. */
static void on_swept(enum store_status status, bool more, const struct control_resumed *resumed, size_t n,
                     void *arg)
{
    struct sweep_shard *at = arg;
    at->sweeping = false;
    if (status == STORE_OK && at->shard == 0)
        take_resumed(at->owner, resumed, n);
    if (status == STORE_OK && more && !quiet(at->owner))
        ask(at);
}

static void ask(struct sweep_shard *at)
{
    at->sweeping = true;
    control_sweep(at->owner->dispatch->worker->store, at->shard, on_swept, at);
}

static void on_hangups(enum store_status status, const struct control_hangup *items, size_t n, void *arg)
{
    struct sweep_shard *at = arg;
    at->hanging_up = false;
    for (size_t i = 0; status == STORE_OK && i < n; i++)
        hangup_start(at->owner->hangups, &items[i]);
}

static void ask_hangups(struct sweep_shard *at)
{
    unsigned room = hangups_room(at->owner->hangups);
    if (room == 0)
        return;
    at->hanging_up = true;
    control_hangups(at->owner->dispatch->worker->store, at->shard, room, on_hangups, at);
}

static void sweep_round(void *arg)
{
    struct sweeper *sweeper = arg;
    unsigned shards = store_shards(sweeper->dispatch->worker->store), first;
    if (quiet(sweeper))
        return;
    crypto_random(&first, sizeof(first)); /* no shard is always first when there is little room */
    for (unsigned i = 0; i < shards; i++) {
        struct sweep_shard *at = &sweeper->parts[(first % shards + i) % shards];
        if (!at->sweeping)
            ask(at);
        if (!at->hanging_up)
            ask_hangups(at);
    }
}

struct sweeper *sweeper_new(struct dispatch *dispatch)
{
    struct sweeper *sweeper = mem_calloc(1, sizeof(*sweeper));
    unsigned shards = store_shards(dispatch->worker->store);
    uint16_t phase;
    crypto_random(&phase, sizeof(phase)); /* replicas do not ask in step */
    sweeper->dispatch = dispatch;
    sweeper->hangups = hangups_new(dispatch);
    sweeper->parts = mem_calloc(shards, sizeof(*sweeper->parts));
    for (unsigned shard = 0; shard < shards; shard++)
        sweeper->parts[shard] = (struct sweep_shard){.owner = sweeper, .shard = shard};
    sweeper->timer =
        loop_timer_start(dispatch->worker->loop, phase % ROUND_MS, ROUND_MS, sweep_round, sweeper);
    return sweeper;
}

void sweeper_stop(struct sweeper *sweeper)
{
    loop_timer_stop(&sweeper->timer);
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
    free((*sweeper)->parts);
    free(*sweeper);
    *sweeper = NULL;
}
