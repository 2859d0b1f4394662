#include "workers/report/report.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/report/change.h"
#include "workers/report/dead_letters.h"
#include "workers/report/dirty.h"
#include "workers/report/due.h"
#include "workers/report/publish.h"
#include "workers/report/removal.h"
#include "workers/report/republish.h"

enum {
    TICK_MS = 20,
    /* Records that may be held beyond IVR_MAX_IN_FLIGHT: one for each campaign that changes within an
     * interval. They are small, since their payload is freed. */
    HELD_MAX = 16384,
};

struct report {
    struct worker *worker;
    struct kafka_consumer *consumer;
    struct dirty *dirty;
    struct publisher *publisher;
    struct republish *republish;
    struct removal *removal;
    struct dead_letters *dead_letters;
    struct loop_timer *tick;
    bool closed;
};

static void on_nobody_holds(struct kafka_record *record, void *arg)
{
    (void)arg;
    kafka_done(&record);
}

/* ---- events ---- */

static void mark(struct report *report, const struct summary_key *key, struct kafka_record *record)
{
    struct loop *loop = report->worker->loop;
    int64_t interval_ms = report->worker->settings->report_interval_ms;
    int64_t in_ms = due_in_ms(key, interval_ms, loop_wall_ms(loop));
    dirty_mark(report->dirty, key, loop_mono_ms(loop) + in_ms, record, in_ms == interval_ms);
}

static void on_record(struct kafka_record *record, void *arg)
{
    struct report *report = arg;
    struct event_change change;
    struct err err = ERR_INIT;
    if (change_read(&change, record->value, &err) != 0) {
        dead_letters_add(report->dead_letters, record, &err);
        change_done(&change);
        return;
    }
    mark(report, &change.campaign, record);
    if (change.has_window)
        mark(report, &change.window, record);
    change_done(&change);
    if (dirty_holds(record))
        kafka_release(record);
    else
        kafka_done(&record);
}

static void on_assigned(const char *topic, int32_t partition_id, void *arg)
{
    struct report *report = arg;
    (void)topic;
    republish_gained(report->republish, partition_id);
}

/* ---- time ---- */

static void on_tick(void *arg)
{
    struct report *report = arg;
    republish_turn(report->republish, report->consumer);
    removal_turn(report->removal, report->consumer);
    publisher_turn(report->publisher);
}

/* What was published makes room for what is due. */
static bool at_turn_end(void *arg)
{
    struct report *report = arg;
    return !report->closed && publisher_turn(report->publisher);
}

static void measure(void *arg)
{
    const struct report *report = arg;
    if (!report->closed)
        metric_set(metric_series(M_IN_FLIGHT, NULL, NULL), (double)kafka_in_flight(report->consumer));
}

static bool is_ready(void *arg, struct buf *why)
{
    const struct report *report = arg;
    return report->closed || kafka_consumer_ready(report->consumer, why);
}

/* ---- opening and closing ---- */

int report_open(struct report **pointer, struct worker *worker, struct err *err)
{
    struct report *report = mem_calloc(1, sizeof(*report));
    const struct settings *settings = worker->settings;
    const struct kafka_consumer_events events = {.record = on_record, .assigned = on_assigned, .arg = report};
    *pointer = report;
    report->worker = worker;
    report->dirty = dirty_new(on_nobody_holds, report);
    report->republish = republish_new(worker, report->dirty);
    report->publisher = publisher_new(worker, report->dirty, report->republish);
    report->removal = removal_new(worker);
    report->dead_letters = dead_letters_new(worker);
    int rc =
        kafka_consumer_new(&report->consumer, worker->loop, settings, settings->topics[TOPIC_CALL_EVENTS],
                           settings->max_in_flight + HELD_MAX, &events, err);
    if (rc != 0) {
        report->closed = true;
        return rc;
    }
    admin_add_check(worker->admin, "events", is_ready, report);
    metric_on_collect(measure, report);
    loop_at_turn_end(worker->loop, at_turn_end, report);
    report->tick = loop_timer_start(worker->loop, TICK_MS, TICK_MS, on_tick, report);
    return 0;
}

void report_quiesce(void *arg)
{
    struct report *report = arg;
    kafka_consumer_quiesce(report->consumer);
    republish_stop(report->republish);
    removal_stop(report->removal);
}

size_t report_busy(void *arg)
{
    const struct report *report = arg;
    return kafka_in_flight(report->consumer) + publisher_out(report->publisher);
}

void report_close(struct report *report)
{
    report->closed = true;
    republish_stop(report->republish);
    removal_stop(report->removal);
    publisher_stop(report->publisher);
    dead_letters_stop(report->dead_letters);
    if (report->tick != NULL)
        loop_timer_stop(&report->tick);
    kafka_consumer_close(&report->consumer);
}

void report_free(struct report **pointer)
{
    struct report *report = *pointer;
    *pointer = NULL;
    if (report == NULL)
        return;
    dead_letters_free(&report->dead_letters);
    removal_free(&report->removal);
    republish_free(&report->republish);
    publisher_free(&report->publisher);
    dirty_free(&report->dirty);
    free(report);
}
