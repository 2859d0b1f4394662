#include "workers/status/overdue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "workers/calls/parked.h"
#include "workers/calls/parking.h"
#include "workers/program/parked_out.h"

enum { TURN_MS = 5000 };

struct overdue {
    struct worker *worker;
    struct loop_timer *timer;
    unsigned shard; /* asked last */
    bool asking;
    bool more;  /* the shard had more than one answer holds */
    size_t out; /* on their way to Kafka */
};

static void ask(struct overdue *overdue);

/* The brokers have it and Redis forgets it; what they refused is offered again after its lease. */
static void on_left(const char *error, void *arg)
{
    struct overdue *overdue = arg;
    if (error != NULL) {
        overdue->more = false;
        LOG_LIMITED(LOG_LEVEL_WARN, "overdue callback not acknowledged, it stays parked",
                    LOG_STR("error", error));
    }
    overdue->out--;
    if (overdue->out == 0 && overdue->more && overdue->timer != NULL)
        ask(overdue);
}

/* An id that stands for a call of ours: its reference was proved, and the call is not there. */
static bool is_call(struct span provider_id)
{
    static const struct span call = SPAN_LIT("call:");
    return provider_id.n > call.n && memcmp(provider_id.p, call.p, call.n) == 0;
}

static void leave(struct overdue *overdue, const struct calls_overdue *item)
{
    static const struct span unknown = SPAN_LIT("no call of ours became known under the callback's ids "
                                                "within IVR_UNKNOWN_CALLBACK_KEEP");
    for (size_t i = 0; i < item->n; i++) {
        overdue->out++;
        if (item->known || (!is_call(item->provider_id) && parked_may_fit(&item->parked[i])))
            parked_put_back(overdue->worker, item->provider_id, &item->parked[i], on_left, overdue);
        else
            parked_dead_letter(overdue->worker, item->provider_id, &item->parked[i], "unknown_call", unknown,
                               on_left, overdue);
    }
}

static void on_overdue(enum store_status status, const struct calls_overdue *items, size_t n, bool more,
                       void *arg)
{
    struct overdue *overdue = arg;
    overdue->asking = false;
    if (status != STORE_OK || overdue->timer == NULL)
        return;
    overdue->more = more && n > 0;
    for (size_t i = 0; i < n; i++)
        leave(overdue, &items[i]);
}

static void ask(struct overdue *overdue)
{
    overdue->asking = true;
    overdue->more = false;
    calls_overdue(overdue->worker->store, overdue->shard, on_overdue, overdue);
}

/* One question at a time: while Kafka does not take what was found, there is no use in finding more. */
static void on_turn(void *arg)
{
    struct overdue *overdue = arg;
    if (overdue->asking || overdue->out > 0)
        return;
    overdue->shard = (overdue->shard + 1) % store_shards(overdue->worker->store);
    ask(overdue);
}

struct overdue *overdue_new(struct worker *worker)
{
    struct overdue *overdue = mem_calloc(1, sizeof(*overdue));
    int64_t every_ms = TURN_MS / store_shards(worker->store);
    if (every_ms < 1)
        every_ms = 1;
    overdue->worker = worker;
    kafka_producer_needs_topic(worker->producer, worker->settings->topics[TOPIC_CALLBACKS]);
    overdue->timer = loop_timer_start(worker->loop, every_ms, every_ms, on_turn, overdue);
    return overdue;
}

void overdue_stop(struct overdue *overdue)
{
    if (overdue->timer != NULL)
        loop_timer_stop(&overdue->timer);
}

void overdue_free(struct overdue **overdue)
{
    free(*overdue);
    *overdue = NULL;
}
