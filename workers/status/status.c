#include "workers/status/status.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/evidence.h"
#include "workers/status/parking.h"

enum { AGAIN_FIRST_MS = 100, AGAIN_MAX_MS = 2000 };

/* Why the consumer is paused. */
enum { WHY_AGAIN = 1, WHY_PRODUCER = 2 };

/* First in, first out. */
struct queue {
    struct work *first, *last;
    size_t n;
};

struct status {
    struct worker *worker;
    struct kafka_consumer *consumer;
    struct work *slots; /* as many as records may be in flight */
    struct work *free;
    struct queue held;  /* arrived, not asked yet */
    struct queue again; /* to be started over when the timer comes */
    struct loop_timer *again_timer;
    int64_t again_ms; /* the next pause */
    size_t asked;     /* questions to Redis without an answer */
    size_t enough;    /* held records that leave although Redis still works on others */
    bool closed;
    struct metric_series *lag;
    /* The results of the hot path, looked up once a provider. */
    const struct provider *counted;
    struct metric_series *recorded, *repeated;
};

static void queue_add(struct queue *queue, struct work *work)
{
    work->next = NULL;
    if (queue->last != NULL)
        queue->last->next = work;
    else
        queue->first = work;
    queue->last = work;
    queue->n++;
}

static struct work *queue_take(struct queue *queue)
{
    struct work *work = queue->first;
    queue->first = work->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->n--;
    return work;
}

struct worker *status_worker(const struct work *work)
{
    return work->status->worker;
}

/* ---- starting over ---- */

static void on_again(void *arg)
{
    struct status *status = arg;
    struct queue queue = status->again;
    loop_timer_stop(&status->again_timer);
    status->again = (struct queue){NULL, NULL, 0};
    kafka_resume(status->consumer, WHY_AGAIN);
    while (queue.n > 0)
        work_start(queue_take(&queue));
}

static void work_again(struct work *work)
{
    struct status *status = work->status;
    queue_add(&status->again, work);
    if (status->again_timer != NULL)
        return;
    LOG_LIMITED(LOG_LEVEL_WARN, "callbacks wait for Redis or Kafka, trying again",
                LOG_INT("wait_ms", status->again_ms));
    kafka_pause(status->consumer, WHY_AGAIN);
    status->again_timer = loop_timer_start(status->worker->loop, status->again_ms, 0, on_again, status);
    status->again_ms = status->again_ms * 2 < AGAIN_MAX_MS ? status->again_ms * 2 : AGAIN_MAX_MS;
}

void work_asked(struct work *work)
{
    work->status->asked++;
}

bool work_answered(struct work *work, enum store_status store_status)
{
    work->status->asked--;
    if (work->status->closed)
        return false;
    if (store_status == STORE_OK || store_status == STORE_UNREADABLE) {
        work->status->again_ms = AGAIN_FIRST_MS;
        return true;
    }
    work_again(work);
    return false;
}

/* ---- the ends ---- */

static const char *provider_label(const struct work *work)
{
    return work->provider != NULL ? work->provider->name : "unknown";
}

static void work_end(struct work *work)
{
    struct status *status = work->status;
    kafka_done(&work->record);
    work->next = status->free;
    status->free = work;
}

void work_done(struct work *work, const char *result)
{
    metric_count(M_CALLBACKS, provider_label(work), result);
    work_end(work);
}

static void on_dead(const char *error, void *arg)
{
    struct work *work = arg;
    if (work->status->closed)
        return;
    if (error != NULL) {
        work_again(work);
        return;
    }
    work_done(work, "dead");
}

void work_dead(struct work *work, const char *reason, struct span detail)
{
    worker_dead_letter(work->status->worker, work->record, reason, detail, on_dead, work);
}

/* ---- evidence ---- */

static void count_recorded(struct work *work, bool repeated)
{
    struct status *status = work->status;
    if (status->counted != work->provider) {
        status->counted = work->provider;
        status->recorded = metric_series(M_CALLBACKS, work->provider->name, "recorded");
        status->repeated = metric_series(M_CALLBACKS, work->provider->name, "repeated");
    }
    metric_add(repeated ? status->repeated : status->recorded, 1);
    int64_t lag_ms = loop_wall_ms(status->worker->loop) - work->received_ms;
    if (work->received_ms > 0)
        metric_observe(status->lag, lag_ms > 0 ? (double)lag_ms / 1000 : 0);
}

void work_recorded(struct work *work)
{
    count_recorded(work, work->repeated);
    work_end(work);
}

static void on_evidence(enum store_status store_status, const struct calls_evidence_result *told, void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, store_status))
        return;
    if (store_status == STORE_UNREADABLE) {
        work_dead(work, "unreadable_call", span_str(store_why(status_worker(work)->store)));
        return;
    }
    work->repeated = told->what == EVIDENCE_REPEATED;
    switch (told->what) {
    case EVIDENCE_RECORDED:
    case EVIDENCE_REPEATED:
        if (told->unlinked && !work->linked)
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
static void ask(struct work *work, const struct reading *reading)
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
    work_asked(work);
    calls_evidence(work->status->worker->store, &evidence, on_evidence, work);
}

void work_start(struct work *work)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct reading reading;
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
    struct work *work = status->free;
    assert(work != NULL);
    status->free = work->next;
    work->record = record;
    work->ref.id_n = 0;
    work->linked = false;
    queue_add(&status->held, work);
}

/*
 * The end of a turn. While Redis works on one half of what may be in flight, the other half gathers: so under
 * load a script call carries many records, and a single callback never waits. Letting each record leave at
 * once would feed back badly: an answer to one small batch makes room for one more small batch.
 */
static bool let_leave(void *arg)
{
    struct status *status = arg;
    if (status->closed)
        return false;
    if (kafka_producer_full(status->worker->producer))
        kafka_pause(status->consumer, WHY_PRODUCER);
    else
        kafka_resume(status->consumer, WHY_PRODUCER);
    if (status->held.n == 0 || (status->asked > 0 && status->held.n < status->enough))
        return false;
    while (status->held.n > 0)
        work_start(queue_take(&status->held));
    return true;
}

static void measure(void *arg)
{
    const struct status *status = arg;
    if (!status->closed)
        metric_set(metric_series(M_IN_FLIGHT, NULL, NULL), (double)kafka_in_flight(status->consumer));
}

static bool is_ready(void *arg, struct buf *why)
{
    const struct status *status = arg;
    return status->closed || kafka_consumer_ready(status->consumer, why);
}

/* ---- opening and closing ---- */

static void make_slots(struct status *status, size_t n)
{
    status->slots = mem_calloc(n, sizeof(*status->slots));
    for (size_t i = n; i > 0; i--) {
        status->slots[i - 1].status = status;
        status->slots[i - 1].next = status->free;
        status->free = &status->slots[i - 1];
    }
    status->enough = (n + 1) / 2;
}

int status_open(struct status **pointer, struct worker *worker, struct err *err)
{
    struct status *status = mem_calloc(1, sizeof(*status));
    const struct settings *settings = worker->settings;
    const struct kafka_consumer_events events = {.record = on_record, .arg = status};
    status->worker = worker;
    status->again_ms = AGAIN_FIRST_MS;
    status->lag = metric_series(M_CALLBACK_LAG, NULL, NULL);
    make_slots(status, (size_t)settings->max_in_flight);
    *pointer = status;
    int rc = kafka_consumer_new(&status->consumer, worker->loop, settings, settings->topics[TOPIC_CALLBACKS],
                                settings->max_in_flight, &events, err);
    if (rc != 0) {
        status->closed = true;
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
    kafka_consumer_quiesce(status->consumer);
}

size_t status_busy(void *arg)
{
    const struct status *status = arg;
    return kafka_in_flight(status->consumer);
}

void status_close(struct status *status)
{
    status->closed = true;
    if (status->again_timer != NULL)
        loop_timer_stop(&status->again_timer);
    kafka_consumer_close(&status->consumer);
}

void status_free(struct status **pointer)
{
    struct status *status = *pointer;
    *pointer = NULL;
    if (status == NULL)
        return;
    free(status->slots);
    free(status);
}
