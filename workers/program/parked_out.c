#include "workers/program/parked_out.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/run/metrics.h"
#include "workers/calls/parking.h"

/* Which parked callback to forget when the brokers have it. */
struct leaving {
    struct worker *worker;
    kafka_ack_fn done;
    void *arg;
    size_t id_n, field_n;
    char text[]; /* id, field */
};

static struct leaving *leaving_new(struct worker *worker, struct span id, struct span field,
                                   kafka_ack_fn done, void *arg)
{
    struct leaving *leaving = mem_alloc(sizeof(*leaving) + id.n + field.n);
    *leaving = (struct leaving){.worker = worker, .done = done, .arg = arg, .id_n = id.n, .field_n = field.n};
    memcpy(leaving->text, id.p, id.n);
    memcpy(leaving->text + id.n, field.p, field.n);
    return leaving;
}

static void on_ack(const char *error, void *arg)
{
    struct leaving *leaving = arg;
    if (error == NULL)
        calls_unpark(leaving->worker->store, span_of(leaving->text, leaving->id_n),
                     span_of(leaving->text + leaving->id_n, leaving->field_n));
    if (leaving->done != NULL)
        leaving->done(error, leaving->arg);
    free(leaving);
}

/* Bytes that we cannot read, which only a newer version can have written: kept as a dead letter, as they are.
 */
static void give_up_unreadable(struct worker *worker, struct span bytes, struct leaving *leaving)
{
    const struct dead_letter letter = {
        .value = bytes,
        .source_topic = worker->settings->topics[TOPIC_CALLBACKS],
        .source_partition = -1,
        .source_offset = -1,
        .reason = "unparseable_callback",
        .detail = SPAN_LIT("the bytes under which a callback was parked in Redis cannot be read, expected "
                           "what this version writes"),
    };
    worker_dead_letter_bytes(worker, &letter, on_ack, leaving);
}

void parked_put_back(struct worker *worker, struct span provider_id, const struct calls_parked *stored,
                     kafka_ack_fn done, void *arg)
{
    struct parked parked;
    struct kafka_header headers[KAFKA_MAX_HEADERS + 1];
    struct leaving *leaving = leaving_new(worker, provider_id, stored->field, done, arg);
    if (parked_read(&parked, stored->value)) {
        headers[0] = (struct kafka_header){SPAN_LIT(PARKED_HEADER), SPAN_LIT("1")};
        memcpy(headers + 1, parked.headers, parked.headers_n * sizeof(*headers));
        kafka_produce(worker->producer, worker->settings->topics[TOPIC_CALLBACKS], parked.key, parked.value,
                      headers, parked.headers_n + 1, 0, on_ack, leaving);
    } else {
        give_up_unreadable(worker, stored->value, leaving);
    }
    parked_done(&parked);
}

static void count_dead(const struct parked *parked)
{
    const struct provider *provider = NULL;
    for (size_t i = 0; i < parked->headers_n && provider == NULL; i++)
        if (span_is(parked->headers[i].name, "ce_provider"))
            provider = provider_by_name(parked->headers[i].value);
    metric_count(M_CALLBACKS, provider != NULL ? provider->name : "unknown", "dead");
}

void parked_dead_letter(struct worker *worker, struct span provider_id, const struct calls_parked *stored,
                        const char *reason, struct span detail, kafka_ack_fn done, void *arg)
{
    struct parked parked;
    struct leaving *leaving = leaving_new(worker, provider_id, stored->field, done, arg);
    if (parked_read(&parked, stored->value)) {
        const struct dead_letter letter = {
            .key = parked.key,
            .value = parked.value,
            .headers = parked.headers,
            .headers_n = parked.headers_n,
            .source_topic = parked.topic,
            .source_partition = parked.partition_id,
            .source_offset = parked.offset,
            .reason = reason,
            .detail = detail,
        };
        count_dead(&parked);
        worker_dead_letter_bytes(worker, &letter, on_ack, leaving);
    } else {
        give_up_unreadable(worker, stored->value, leaving);
    }
    parked_done(&parked);
}
