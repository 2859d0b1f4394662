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
struct part {
    struct sweep *owner;
    unsigned shard;
    bool sweeping, hanging_up; /* asked, no answer yet */
};

struct sweep {
    struct dispatch *dispatch;
    struct hangups *hangups;
    struct loop_timer *timer;
    struct part *parts;
    struct resumed *resumed; /* a handful of channels: a list is enough */
};

/* What is ended makes events, which Kafka has to take. */
static bool quiet(const struct sweep *sweep)
{
    const struct dispatch *d = sweep->dispatch;
    return d->draining || d->away || !redis_up(d->worker->redis) || kafka_producer_full(d->worker->producer);
}

/* ---- channels that were resumed ---- */

static struct resumed *resumed_of(struct sweep *sweep, struct span channel)
{
    for (struct resumed *resumed = sweep->resumed; resumed != NULL; resumed = resumed->next)
        if (span_is(channel, resumed->channel))
            return resumed;
    struct resumed *resumed = mem_calloc(1, sizeof(*resumed));
    resumed->channel = mem_strndup(channel.p, channel.n);
    resumed->next = sweep->resumed;
    sweep->resumed = resumed;
    return resumed;
}

static void take_resumed(struct sweep *sweep, const struct control_resumed *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct resumed *resumed = resumed_of(sweep, items[i].channel);
        assert(resumed != NULL);
        if (items[i].when.n == 0 || items[i].when.n >= WHEN_MAX || span_is(items[i].when, resumed->when))
            continue;
        snprintf(resumed->when, sizeof(resumed->when), "%.*s", SPAN_ARG(items[i].when));
        struct channel_queue *queue = channel_queues_find(sweep->dispatch->queues, items[i].channel);
        if (queue != NULL)
            channel_queue_resumed(queue, strtoll(resumed->when, NULL, 10));
    }
}

/* ---- rounds ---- */

static void ask(struct part *part);

/* Every shard has the same channels: the first one's are enough. */
static void on_swept(enum store_status status, bool more, const struct control_resumed *resumed, size_t n,
                     void *arg)
{
    struct part *part = arg;
    part->sweeping = false;
    if (status == STORE_OK && part->shard == 0)
        take_resumed(part->owner, resumed, n);
    if (status == STORE_OK && more && !quiet(part->owner))
        ask(part);
}

static void ask(struct part *part)
{
    part->sweeping = true;
    control_sweep(part->owner->dispatch->worker->store, part->shard, on_swept, part);
}

static void on_hangups(enum store_status status, const struct control_hangup *items, size_t n, void *arg)
{
    struct part *part = arg;
    part->hanging_up = false;
    for (size_t i = 0; status == STORE_OK && i < n; i++)
        hangup_start(part->owner->hangups, &items[i]);
}

static void ask_hangups(struct part *part)
{
    unsigned room = hangups_room(part->owner->hangups);
    if (room == 0)
        return;
    part->hanging_up = true;
    control_hangups(part->owner->dispatch->worker->store, part->shard, room, on_hangups, part);
}

static void sweep_round(void *arg)
{
    struct sweep *sweep = arg;
    unsigned shards = store_shards(sweep->dispatch->worker->store), first;
    if (quiet(sweep))
        return;
    crypto_random(&first, sizeof(first)); /* no shard is always first when there is little room */
    for (unsigned i = 0; i < shards; i++) {
        struct part *part = &sweep->parts[(first % shards + i) % shards];
        if (!part->sweeping)
            ask(part);
        if (!part->hanging_up)
            ask_hangups(part);
    }
}

struct sweep *sweep_new(struct dispatch *dispatch)
{
    struct sweep *sweep = mem_calloc(1, sizeof(*sweep));
    unsigned shards = store_shards(dispatch->worker->store);
    uint16_t phase;
    crypto_random(&phase, sizeof(phase)); /* replicas do not ask in step */
    sweep->dispatch = dispatch;
    sweep->hangups = hangups_new(dispatch);
    sweep->parts = mem_calloc(shards, sizeof(*sweep->parts));
    for (unsigned shard = 0; shard < shards; shard++)
        sweep->parts[shard] = (struct part){.owner = sweep, .shard = shard};
    sweep->timer = loop_timer_start(dispatch->worker->loop, phase % ROUND_MS, ROUND_MS, sweep_round, sweep);
    return sweep;
}

void sweep_stop(struct sweep *sweep)
{
    loop_timer_stop(&sweep->timer);
}

void sweep_free(struct sweep **sweep)
{
    while ((*sweep)->resumed != NULL) {
        struct resumed *resumed = (*sweep)->resumed;
        (*sweep)->resumed = resumed->next;
        free(resumed->channel);
        free(resumed);
    }
    hangups_free(&(*sweep)->hangups);
    free((*sweep)->parts);
    free(*sweep);
    *sweep = NULL;
}
