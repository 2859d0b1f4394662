/*
 * Calls that waited for their time, and calls that nobody settled: two rounds over the shards, whatever
 * replica is there.
 *
 * An offer is leased for 30 s; the claim decides who dials. A call whose channel makes it wait its turn goes
 * to the channel's queue; one whose channel is gone from the channels file stays due and is offered again.
 */
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/due.h"
#include "workers/calls/settle.h"
#include "workers/dispatch/lane.h"
#include "workers/dispatch/reconcile.h"
#include "workers/dispatch/ticket.h"

enum {
    /* Owners of claims ask again first, once Redis is back: what they sent is not in doubt. Longer than their
     * longest wait between two questions (attempt.c) and Redis' (common/redis/redis_conn_life.c). */
    SETTLE_AFTER_MS = 5000,
    DUE_ROUND_MS = 250, /* all shards once: how late a due call may be */
    /* As short, because a crowd of silent calls gets its look-ups RECONCILE_MAX at a time, round by round. */
    SETTLE_ROUND_MS = 250,
    SETTLE_LIMIT = 64,
    MORE_LEAST = STORE_BATCH / 2, /* so much room is worth a question to a shard that has more */
    SUSPENDED_MAX = 256,
};

struct due {
    struct dispatch *dispatch;
    bool stopped;
    struct reconciler *reconciler;
    struct loop_timer *due_timer;
    struct loop_timer *settle_timer;
    bool *asking;          /* by shard: one question at a time */
    bool *more;            /* by shard: the last answer was full */
    size_t more_n;         /* how many shards have more */
    unsigned next_more;    /* whose turn it is */
    int64_t *lost_mono_ms; /* by shard: when an answer was lost that may have offered something; 0: none */
    bool *settling;
    int64_t settle_from_mono_ms; /* not before: Redis was not fit shortly before */
    /* What the questions on their way may fill: an offer that finds no room waits for its next turn, a call
     * 30 s and a look-up IVR_PENDING_CHECK. */
    size_t attempts_promised;
    size_t look_ups_promised;
};

struct question {
    struct due *due;
    unsigned shard;
    size_t room;
};

static struct question *question_new(struct due *due, unsigned shard, size_t room)
{
    struct question *q = mem_alloc(sizeof(*q));
    *q = (struct question){due, shard, room};
    return q;
}

/* A shard's part of the room that is left: all of them are asked at the same time. */
static size_t share(const struct due *due, size_t room, size_t promised)
{
    size_t left = room > promised ? room - promised : 0;
    size_t part = left / store_shards(due->dispatch->worker->store);
    if (part == 0)
        return left > 0;
    return part < STORE_BATCH ? part : STORE_BATCH;
}

/* No shard is always first when there is little room. */
static unsigned first_shard(const struct due *due)
{
    unsigned first;
    crypto_random(&first, sizeof(first));
    return first % store_shards(due->dispatch->worker->store);
}

static bool quiet(const struct due *due)
{
    return due->dispatch->draining || !redis_up(due->dispatch->worker->redis);
}

/* Events of what is dialled without Kafka could not leave; claims that too few replicas have are not safe. */
static void look_for_brokers(struct dispatch *d)
{
    struct buf why;
    buf_init(&why, 2048);
    d->redis_away = !redis_ready(d->worker->redis, REDIS_FOR_WORK, &why);
    bool away = d->redis_away || kafka_producer_away(d->worker->producer);
    if (!d->redis_away && away)
        kafka_producer_ready(d->worker->producer, &why); /* says why */
    if (away != d->away && away)
        LOG_WARN("nothing is dialled for now", LOG_SPAN("reason", buf_span(&why)));
    else if (away != d->away)
        LOG_INFO("dialling again");
    d->away = away;
    buf_done(&why);
}

/* ---- due calls ---- */

static void take_offer(struct dispatch *d, const struct calls_due *item)
{
    if (item->request.n == 0)
        return; /* paused or cancelled */
    struct attempt *a = attempt_take(d, true);
    if (a == NULL)
        return; /* offered again after the lease */
    buf_addspan(&a->id, item->id);
    if (ticket_read_offer(a, item))
        attempt_begin_due(a);
    else
        attempt_end(a);
}

static void on_due(enum store_status status, const struct calls_due *items, size_t n, void *arg)
{
    struct question q = *(struct question *)arg;
    free(arg);
    q.due->asking[q.shard] = false;
    q.due->attempts_promised -= q.room;
    if (status == STORE_LOST)
        q.due->lost_mono_ms[q.shard] = loop_mono_ms(q.due->dispatch->worker->loop);
    if (status != STORE_OK)
        return;
    if (n < q.room)
        q.due->lost_mono_ms[q.shard] = 0; /* all of it was offered again */
    for (size_t i = 0; i < n; i++)
        take_offer(q.due->dispatch, &items[i]);
    if (n == q.room) {
        q.due->more[q.shard] = true;
        q.due->more_n++;
    }
}

static int64_t lost_ms(const struct due *due, unsigned shard)
{
    int64_t since = due->lost_mono_ms[shard];

    return since > 0 ? loop_mono_ms(due->dispatch->worker->loop) - since : -1;
}

static size_t promised(const struct due *due)
{
    return due->attempts_promised + due->dispatch->tickets_promised;
}

static void ask_due(struct due *due, unsigned shard, size_t room)
{
    if (room == 0 || kafka_producer_full(due->dispatch->worker->producer))
        return;
    due->asking[shard] = true;
    due->more_n -= due->more[shard];
    due->more[shard] = false;
    due->attempts_promised += room;
    struct span suspended[SUSPENDED_MAX];
    const struct calls_due_query asked = {
        .shard = shard,
        .limit = (unsigned)room,
        .lease_ms = ATTEMPT_LEASE_MS,
        .lost_ms = lost_ms(due, shard),
        .suspended = suspended,
        .suspended_n = lanes_suspended(due->dispatch->lanes, suspended, SUSPENDED_MAX)};
    calls_due(due->dispatch->worker->store, &asked, on_due, question_new(due, shard, room));
}

/* The end of a turn: shards that have more are asked as soon as there is room for many of theirs, so that a
 * crowd that is due at one instant goes out as fast as it is placed; one after the other, so that each script
 * has many. */
static bool ask_for_more(void *arg)
{
    struct due *due = arg;
    const struct dispatch *d = due->dispatch;
    bool did = false;
    if (due->more_n == 0 || due->stopped || quiet(due) || d->away)
        return false;
    for (unsigned i = 0; i < store_shards(d->worker->store) && d->due_free >= promised(due) + MORE_LEAST;
         i++) {
        unsigned shard = due->next_more++ % store_shards(d->worker->store);
        size_t room = d->due_free - promised(due);
        if (!due->more[shard] || due->asking[shard])
            continue;
        ask_due(due, shard, room < STORE_BATCH ? room : STORE_BATCH);
        did = did || due->asking[shard];
    }
    return did;
}

static void due_round(void *arg)
{
    struct due *due = arg;
    look_for_brokers(due->dispatch);
    if (quiet(due) || due->dispatch->away)
        return;
    unsigned shards = store_shards(due->dispatch->worker->store), first = first_shard(due);
    for (unsigned i = 0; i < shards; i++) {
        unsigned shard = (first + i) % shards;
        if (!due->asking[shard])
            ask_due(due, shard, share(due, due->dispatch->due_free, promised(due)));
    }
}

/* ---- settling ---- */

static void ask_settle(struct due *due, unsigned shard);

static void on_settled(enum store_status status, const struct calls_settled *items, size_t n, void *arg)
{
    struct question q = *(struct question *)arg;
    size_t claims = 0;
    free(arg);
    q.due->settling[q.shard] = false;
    q.due->look_ups_promised -= q.room;
    for (size_t i = 0; status == STORE_OK && i < n; i++) {
        if (items[i].what == SETTLED_LOOK_UP || items[i].what == SETTLED_FIND)
            reconcile_start(q.due->reconciler, &items[i]);
        claims += items[i].what == SETTLED_CLAIM_LOST;
    }
    if (claims > 0) {
        metric_add(metric_series(M_CLAIMS_SETTLED, NULL, NULL), (double)claims);
        LOG_WARN("claims of a lost worker settled as in doubt", LOG_INT("claims", claims),
                 LOG_INT("shard", q.shard));
    }
    if (n >= SETTLE_LIMIT && !quiet(q.due))
        ask_settle(q.due, q.shard);
}

static void ask_settle(struct due *due, unsigned shard)
{
    size_t room = share(due, reconciler_room(due->reconciler), due->look_ups_promised);
    due->settling[shard] = true;
    due->look_ups_promised += room;
    calls_settle(due->dispatch->worker->store, shard, SETTLE_LIMIT, (unsigned)room, on_settled,
                 question_new(due, shard, room));
}

static void settle_round(void *arg)
{
    struct due *due = arg;
    int64_t now_mono_ms = loop_mono_ms(due->dispatch->worker->loop);
    if (due->dispatch->redis_away)
        due->settle_from_mono_ms = now_mono_ms + SETTLE_AFTER_MS;
    if (quiet(due) || now_mono_ms < due->settle_from_mono_ms)
        return;
    unsigned shards = store_shards(due->dispatch->worker->store), first = first_shard(due);
    for (unsigned i = 0; i < shards; i++) {
        unsigned shard = (first + i) % shards;
        if (!due->settling[shard])
            ask_settle(due, shard);
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
    due->reconciler = reconciler_new(d);
    due->asking = mem_calloc(shards, sizeof(bool));
    due->more = mem_calloc(shards, sizeof(bool));
    due->lost_mono_ms = mem_calloc(shards, sizeof(int64_t));
    due->settling = mem_calloc(shards, sizeof(bool));
    loop_at_turn_end(d->worker->loop, ask_for_more, due);
    due->due_timer = loop_timer_start(d->worker->loop, phase % DUE_ROUND_MS, DUE_ROUND_MS, due_round, due);
    due->settle_timer =
        loop_timer_start(d->worker->loop, phase % SETTLE_ROUND_MS, SETTLE_ROUND_MS, settle_round, due);
    return due;
}

void due_stop(struct due *due)
{
    due->stopped = true;
    loop_timer_stop(&due->due_timer);
    loop_timer_stop(&due->settle_timer);
}

void due_free(struct due **due)
{
    reconciler_free(&(*due)->reconciler);
    free((*due)->asking);
    free((*due)->more);
    free((*due)->lost_mono_ms);
    free((*due)->settling);
    free(*due);
    *due = NULL;
}
