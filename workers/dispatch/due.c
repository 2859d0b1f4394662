#include "workers/dispatch/due.h"

#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/run/metrics.h"
#include "workers/calls/due.h"
#include "workers/channel/channel_queues.h"
#include "workers/dispatch/attempt.h"
#include "workers/dispatch/away.h"
#include "workers/dispatch/offer.h"
#include "workers/dispatch/rounds.h"
#include "workers/dispatch/turn.h"

enum {
    ROUND_MS = 250,               /* all shards once: how late a due call may be */
    MORE_LEAST = STORE_BATCH / 2, /* so much room is worth a request to a shard that has more */
    SUSPENDED_MAX = 256,
};

struct due_shard {
    struct due *owner;
    unsigned shard;
    bool out;             /* it was asked and has not answered: one request at a time */
    size_t room;          /* for how many it was asked */
    bool more;            /* it had as many as it was asked for */
    int64_t lost_mono_ms; /* when an answer was lost that may have offered something; 0: none */
};

struct due {
    struct dispatch *dispatch;
    bool stopped;
    struct loop_timer *timer;
    struct due_shard *shards;
    size_t more_n;      /* how many shards have more */
    unsigned next_more; /* whose turn it is */
    /* What the requests that are out may fill: an offer that finds no room waits for its next turn, 30 s. */
    size_t promised;
};

static void take_offer(struct dispatch *d, const struct calls_due *item)
{
    if (item->request.n == 0)
        return; /* paused or cancelled */
    struct attempt *a = attempt_take(d, true);
    if (a == NULL)
        return; /* offered again after the lease */
    buf_addspan(&a->ticket.id, item->id);
    if (offer_read(a, item))
        turn_begin(a);
    else
        attempt_end(a);
}

static void on_due(enum store_status status, const struct calls_due *items, size_t n, void *arg)
{
    struct due_shard *shard = arg;
    struct due *due = shard->owner;
    shard->out = false;
    due->promised -= shard->room;
    if (status == STORE_LOST)
        shard->lost_mono_ms = loop_mono_ms(due->dispatch->worker->loop);
    if (status != STORE_OK)
        return;
    if (n < shard->room)
        shard->lost_mono_ms = 0; /* all of it was offered again */
    for (size_t i = 0; i < n; i++)
        take_offer(due->dispatch, &items[i]);
    if (n == shard->room) {
        shard->more = true;
        due->more_n++;
    }
}

static int64_t lost_ms(const struct due_shard *shard)
{
    int64_t since = shard->lost_mono_ms;
    return since > 0 ? loop_mono_ms(shard->owner->dispatch->worker->loop) - since : -1;
}

static size_t promised(const struct due *due)
{
    return due->promised + channel_queues_promised(due->dispatch->queues);
}

static void ask(struct due_shard *shard, size_t room)
{
    struct due *due = shard->owner;
    const struct dispatch *d = due->dispatch;
    struct span suspended[SUSPENDED_MAX];
    if (room == 0 || kafka_producer_full(d->worker->producer))
        return;
    shard->out = true;
    shard->room = room;
    due->more_n -= shard->more;
    shard->more = false;
    due->promised += room;
    const struct calls_due_query query = {.shard = shard->shard,
                                          .limit = (unsigned)room,
                                          .lease_ms = ATTEMPT_LEASE_MS,
                                          .lost_ms = lost_ms(shard),
                                          .suspended = suspended,
                                          .suspended_n =
                                              channel_queues_suspended(d->queues, suspended, SUSPENDED_MAX)};
    calls_due(d->worker->store, &query, on_due, shard);
}

/* The end of a turn: shards that have more are asked as soon as there is room for many of theirs. So a crowd that is due at
 * one instant goes out as fast as it is placed. One shard after the other, so that each script has many. */
static bool ask_for_more(void *arg)
{
    struct due *due = arg;
    const struct dispatch *d = due->dispatch;
    unsigned shards = store_shards(d->worker->store);
    bool did = false;
    if (due->more_n == 0 || due->stopped || rounds_stopped(d) || d->away)
        return false;
    for (unsigned i = 0; i < shards && d->due_free >= promised(due) + MORE_LEAST; i++) {
        struct due_shard *shard = &due->shards[due->next_more++ % shards];
        size_t room = d->due_free - promised(due);
        if (!shard->more || shard->out)
            continue;
        ask(shard, room < STORE_BATCH ? room : STORE_BATCH);
        did = did || shard->out;
    }
    return did;
}

static void round_of_all(void *arg)
{
    struct due *due = arg;
    struct dispatch *d = due->dispatch;
    away_look(d);
    if (rounds_stopped(d) || d->away)
        return;
    unsigned shards = store_shards(d->worker->store), first = rounds_first_shard(d);
    for (unsigned i = 0; i < shards; i++) {
        struct due_shard *shard = &due->shards[(first + i) % shards];
        if (!shard->out)
            ask(shard, rounds_share(d, d->due_free, promised(due)));
    }
}

struct due *due_new(struct dispatch *d)
{
    struct due *due = mem_calloc(1, sizeof(*due));
    unsigned shards = store_shards(d->worker->store);
    uint16_t phase;
    crypto_random(&phase, sizeof(phase)); /* replicas do not ask in step */
    due->dispatch = d;
    (void)metric_series(M_STORED_UNREAD, "lost_zone", NULL); /* an alert looks for their increase */
    (void)metric_series(M_STORED_UNREAD, "unreadable", NULL);
    due->shards = mem_calloc(shards, sizeof(*due->shards));
    for (unsigned shard = 0; shard < shards; shard++)
        due->shards[shard] = (struct due_shard){.owner = due, .shard = shard};
    loop_at_turn_end(d->worker->loop, ask_for_more, due);
    due->timer = loop_timer_start(d->worker->loop, phase % ROUND_MS, ROUND_MS, round_of_all, due);
    return due;
}

void due_stop(struct due *due)
{
    due->stopped = true;
    loop_timer_stop(&due->timer);
}

void due_free(struct due **due)
{
    free((*due)->shards);
    free(*due);
    *due = NULL;
}
