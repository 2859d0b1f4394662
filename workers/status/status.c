#include "workers/status/status.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/metrics.h"
#include "workers/calls/evidence.h"
#include "workers/status/parking.h"
#include "workers/status/work.h"

struct status {
    struct works works;
    struct fifo held; /* arrived, not asked yet */
    size_t enough;    /* held records that leave although Redis still works on others */
};

/* ---- evidence ---- */

static void on_evidence(enum store_status store_status, const struct calls_evidence_result *result, void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, store_status))
        return;
    if (store_status == STORE_UNREADABLE) {
        work_dead(work, "unreadable_call", span_str(store_why(work->works->worker->store)));
        return;
    }
    work->repeated = result->what == EVIDENCE_REPEATED;
    switch (result->what) {
    case EVIDENCE_RECORDED:
    case EVIDENCE_REPEATED:
        if (result->unlinked && !work->linked)
            parking_link(work);
        else
            work_recorded(work);
        return;
    case EVIDENCE_NOTHING:
        work_dead(work, "unreadable_call", SPAN_LIT("its script answered what this version does not know"));
        return;
    case EVIDENCE_UNKNOWN:
        parking_unknown_call(work);
        return;
    case EVIDENCE_FOREIGN:
        work_dead(work, "unknown_call",
                  SPAN_LIT("the provider's call id in it is not that of the attempt which it was sent for"));
        return;
    case EVIDENCE_UNPROVED:
        parking_by_provider_id(work);
        return;
    case EVIDENCE_FITS:
        parking_infer(work);
        return;
    }
}

/* A report that says nothing of the status is evidence too: the provider has the call. */
static void ask(struct work *work, const struct callback_reading *reading)
{
    const struct calls_evidence evidence = {
        .id = span_of(work->ref.id, work->ref.id_n),
        .attempt = work->ref.attempt,
        .channel = reading->channel,
        .provider = span_str(reading->provider->name),
        .evidence = &reading->evidence,
        .trace = span_of(reading->trace, reading->trace_n),
        .unproved = reading->unproved && !work->linked,
    };
    work_await(work);
    calls_evidence(work->works->worker->store, &evidence, on_evidence, work);
}

static void start(struct work *work)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct callback_reading reading;
    struct err err = ERR_INIT;
    size_t n = kafka_record_headers(work->record, headers, KAFKA_MAX_HEADERS);
    int rc = reading_read(&reading, headers, n, work->record->value, &err);
    work->provider = reading.provider;
    if (rc != 0) {
        work_dead(work, "unparseable_callback", span_str(err.text));
        return;
    }
    work->received_ms = reading.received_ms;
    work->parked_before = reading.parked_before;
    if (!work->linked)
        work->ref = reading.ref;
    if (work->ref.id_n > 0)
        ask(work, &reading);
    else
        parking_by_provider_id(work);
}

/* ---- taking ---- */

static void on_record(struct kafka_record *record, void *arg)
{
    struct status *status = arg;
    fifo_add(&status->held, &work_take(&status->works, record)->link);
}

/*
 * The end of a turn. While Redis works on one half of what may be in flight, the other half gathers: so under
 * load a script call carries many records, and a single callback never waits. Letting each record leave at
 * once would feed back badly: an answer to one small batch makes room for one more small batch.
 */
static bool let_leave(void *arg)
{
    struct status *status = arg;
    struct works *works = &status->works;
    if (works->closed)
        return false;
    if (kafka_producer_full(works->worker->producer))
        kafka_pause(works->consumer, WHY_PRODUCER);
    else
        kafka_resume(works->consumer, WHY_PRODUCER);
    if (status->held.n == 0 || (works->awaited > 0 && status->held.n < status->enough))
        return false;
    for (struct work *work; (work = FIFO_TAKE(&status->held, struct work, link)) != NULL;)
        start(work);
    return true;
}

static void measure(void *arg)
{
    const struct status *status = arg;
    if (!status->works.closed)
        metric_set(metric_series(M_IN_FLIGHT, NULL, NULL), (double)kafka_in_flight(status->works.consumer));
}

static bool is_ready(void *arg, struct buf *why)
{
    const struct status *status = arg;
    return status->works.closed || kafka_consumer_ready(status->works.consumer, why);
}

/* ---- opening and closing ---- */

int status_open(struct status **pointer, struct worker *worker, struct err *err)
{
    struct status *status = mem_calloc(1, sizeof(*status));
    const struct settings *settings = worker->settings;
    const struct kafka_consumer_events events = {.record = on_record, .arg = status};
    works_init(&status->works, worker, (size_t)settings->max_in_flight, start);
    status->enough = ((size_t)settings->max_in_flight + 1) / 2;
    *pointer = status;
    int rc = kafka_consumer_new(&status->works.consumer, worker->loop, settings,
                                settings->topics[TOPIC_CALLBACKS], settings->max_in_flight, &events, err);
    if (rc != 0) {
        status->works.closed = true;
        return rc;
    }
    admin_add_check(worker->admin, "callbacks", is_ready, status);
    metric_on_collect(measure, status);
    loop_at_turn_end(worker->loop, let_leave, status);
    return 0;
}

void status_quiesce(void *arg)
{
    struct status *status = arg;
    kafka_consumer_quiesce(status->works.consumer);
}

size_t status_busy(void *arg)
{
    const struct status *status = arg;
    return kafka_in_flight(status->works.consumer);
}

void status_close(struct status *status)
{
    works_close(&status->works);
    kafka_consumer_close(&status->works.consumer);
}

void status_free(struct status **pointer)
{
    struct status *status = *pointer;
    *pointer = NULL;
    if (status == NULL)
        return;
    works_done(&status->works);
    free(status);
}
