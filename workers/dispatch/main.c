/*
 * ivr-dispatch: takes call requests from the topic, claims each call in Redis, places it through its
 * provider, and records what became of it.
 */
#include "common/base/descriptors.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/dispatch/attempt.h"
#include "workers/dispatch/due.h"
#include "workers/dispatch/hangup.h"
#include "workers/dispatch/intake.h"
#include "workers/dispatch/mend.h"
#include "workers/dispatch/queues.h"
#include "workers/dispatch/reclaim.h"
#include "workers/dispatch/reconcile.h"
#include "workers/dispatch/settle.h"
#include "workers/dispatch/sweep.h"
#include "workers/dispatch/turn.h"
#include "workers/dispatch/waiting.h"

enum { PRODUCER_CHECK_MS = 50 };

static const struct worker_info INFO = {
    .name = "ivr-dispatch",
    .sentence =
        "Takes call requests from Kafka and places the calls through voice providers, each at most once.",
    .examples = "  IVR_CHANNELS=channels.json IVR_PUBLIC_URL=https://ivr.example.org ivr-dispatch\n"
                "  ivr-dispatch --check            say what is wrong with the configuration, and exit\n",
    .channels = true,
    .outbox = true,
};

/* Without Redis, or while it refuses, nothing can be claimed: records wait at the broker. */
static void on_redis_state(bool up, void *arg)
{
    struct dispatch *d = arg;
    if (up)
        kafka_resume(d->consumer, WHY_REDIS);
    else
        kafka_pause(d->consumer, WHY_REDIS);
}

static void check_producer(void *arg)
{
    struct dispatch *d = arg;
    if (kafka_producer_full(d->worker->producer))
        kafka_pause(d->consumer, WHY_PRODUCER);
    else
        kafka_resume(d->consumer, WHY_PRODUCER);
}

static bool consumer_check(void *arg, struct buf *why)
{
    return kafka_consumer_ready(arg, why);
}

static void on_channels_changed(void *arg)
{
    queues_read_channels(arg);
}

static void collect(void *arg)
{
    struct dispatch *d = arg;
    metric_set(d->in_flight, (double)d->busy);
}

static void quiesce(void *arg)
{
    struct dispatch *d = arg;
    d->draining = true;
    channel_queues_stop(d->queues);
    kafka_consumer_quiesce(d->consumer);
}

static size_t busy(void *arg)
{
    const struct dispatch *d = arg;
    return d->busy + channel_queues_busy(d->queues);
}

/* Every transfer has a socket; beside them stand the due calls' (half as many again, attempts_init) and the
 * look-ups'. Fewer calls at once beat placements that fail for want of one. */
static int fit_descriptors(struct settings *settings, struct err *err)
{
    enum { OTHERS = WORKER_DESCRIPTORS + RECONCILE_MAX + HANGUP_MAX, DUE = 8, LEAST = 4 };
    int rc = descriptors_check(INFO.name, OTHERS + DUE + LEAST, err);
    int64_t room = descriptors_limit() - OTHERS;
    int64_t most = room / 3 < DUE ? room - DUE : room * 2 / 3;
    if (rc != 0 || settings->max_in_flight <= most)
        return rc;
    LOG_WARN("fewer calls at once than IVR_MAX_IN_FLIGHT: the process may not open files enough",
             LOG_INT("open_files", descriptors_limit()), LOG_INT("wanted", settings->max_in_flight),
             LOG_INT("in_flight", most));
    settings->max_in_flight = (int)most;
    return 0;
}

static int open_parts(struct dispatch *d, struct err *err)
{
    struct worker *w = d->worker;
    const struct http_client_options http = {
        .max_transfers = (unsigned)d->attempts_n + RECONCILE_MAX + HANGUP_MAX, .user_agent = "ivr-workers"};
    const struct kafka_consumer_events events = {.record = intake_record, .arg = d};
    if (http_client_new(&d->http, w->loop, &http, err) != 0)
        return (int)err->code;
    return kafka_consumer_new(&d->consumer, w->loop, w->settings, w->settings->topics[TOPIC_CALL_REQUESTS],
                              w->settings->max_in_flight, &events, err);
}

int main(int argc, char **argv)
{
    struct worker w;
    struct dispatch d = {.worker = &w};
    struct err err = ERR_INIT;
    int rc = worker_open(&w, &INFO, argc, argv);
    if (rc >= 0)
        return rc;
    if (fit_descriptors(w.settings, &err) != 0)
        return worker_fail(&w, &err);
    d.queues = channel_queues_new(w.loop, w.store, &TURN_EVENTS, &d);
    queues_read_channels(&d);
    d.in_flight = metric_series(M_IN_FLIGHT, NULL, NULL);
    http_request_init(&d.scratch);
    attempts_init(&d);
    if (open_parts(&d, &err) != 0) {
        if (d.http != NULL)
            http_client_free(&d.http);
        attempts_done(&d);
        http_request_done(&d.scratch);
        channel_queues_free(&d.queues);
        return worker_fail(&w, &err);
    }
    redis_on_state(w.redis, on_redis_state, &d);
    on_redis_state(redis_up(w.redis), &d);
    w.channels_changed = on_channels_changed;
    w.channels_changed_arg = &d;
    admin_add_check(w.admin, "call-requests", consumer_check, d.consumer);
    kafka_producer_needs_topic(w.producer, w.settings->topics[TOPIC_CALLBACKS]);
    metric_on_collect(collect, &d);
    struct due *due = due_new(&d);
    struct settle *settle = settle_new(&d);
    struct sweeper *sweeper = sweeper_new(&d);
    struct reclaim *reclaim = reclaim_new(&d);
    struct mending *mending = mending_new(&d);
    struct waiting_gauge *waiting = waiting_gauge_new(w.loop, w.store);
    struct loop_timer *producer_check =
        loop_timer_start(w.loop, PRODUCER_CHECK_MS, PRODUCER_CHECK_MS, check_producer, &d);

    worker_run(&w, &(struct worker_drain){.quiesce = quiesce, .busy = busy, .arg = &d, .places_calls = true});

    loop_timer_stop(&producer_check);
    due_stop(due);
    settle_stop(settle);
    sweeper_stop(sweeper);
    reclaim_stop(reclaim);
    mending_stop(mending);
    waiting_gauge_stop(waiting);
    redis_on_state(w.redis, NULL, NULL);
    http_client_free(&d.http);
    worker_disconnect(&w); /* the last callbacks of attempts and due calls */
    kafka_consumer_close(&d.consumer);
    due_free(&due);
    settle_free(&settle);
    sweeper_free(&sweeper);
    reclaim_free(&reclaim);
    mending_free(&mending);
    waiting_gauge_free(&waiting);
    attempts_done(&d);
    http_request_done(&d.scratch);
    channel_queues_free(&d.queues);
    return worker_close(&w);
}
