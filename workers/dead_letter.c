/* Records that cannot be worked on, on their way to ivr.dead-letters (worker.h). */
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "workers/worker.h"

enum {
    OUR_HEADERS = 7,
    HEADERS_MAX = KAFKA_MAX_HEADERS + OUR_HEADERS + 1, /* one more where the value is left out */
    MAY_BE_TOO_LARGE = 256 * 1024, /* bytes of key, value and headers; no broker takes less than this */
};

/* A large letter as one block: what is sent again without its value when the brokers find it too large. */
struct large {
    struct worker *worker;
    kafka_ack_fn done;
    void *arg;
    size_t value_n;
    bool omitted;
    struct span key;
    size_t headers_n;
    struct kafka_header headers[HEADERS_MAX];
    char bytes[];
};

static struct span number(char out[24], int64_t value)
{
    snprintf(out, 24, "%lld", (long long)value);
    return span_str(out);
}

static void produce(struct worker *w, struct span key, struct span value, const struct kafka_header *headers,
                    size_t headers_n, kafka_ack_fn done, void *arg)
{
    kafka_produce(w->producer, w->settings->topics[TOPIC_DEAD_LETTERS], key, value, headers, headers_n, 0,
                  done, arg);
}

/* ---- large ones ---- */

static struct span put(char **at, struct span bytes)
{
    char *start = *at;
    if (bytes.p == NULL)
        return SPAN_NONE;
    memcpy(start, bytes.p, bytes.n);
    *at += bytes.n;
    return span_of(start, bytes.n);
}

static size_t bytes_of(const struct kafka_header *headers, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += headers[i].name.n + headers[i].value.n;
    return bytes;
}

/* The record itself stays where it came from, as ivr-source-* say: a letter that can never be delivered would
 * hold up every offset behind it. */
static void on_large_ack(const char *error, void *arg)
{
    struct large *large = arg;
    if (error == KAFKA_TOO_LARGE && !large->omitted) {
        char bytes[24];
        large->omitted = true;
        large->headers[large->headers_n++] =
            (struct kafka_header){SPAN_LIT("ivr-value-omitted"), number(bytes, (int64_t)large->value_n)};
        if (large->key.n > MAY_BE_TOO_LARGE)
            large->key = SPAN_NONE;
        LOG_WARN("a dead letter is larger than Kafka takes, its value is left out",
                 LOG_INT("bytes", (int64_t)large->value_n));
        produce(large->worker, large->key, SPAN_NONE, large->headers, large->headers_n, on_large_ack, large);
        return;
    }
    if (large->done != NULL)
        large->done(error, large->arg);
    free(large);
}

static void send_large(struct worker *w, const struct dead_letter *letter, const struct kafka_header *headers,
                       size_t n, kafka_ack_fn done, void *arg)
{
    struct large *large = mem_alloc(sizeof(*large) + letter->key.n + bytes_of(headers, n));
    char *at = large->bytes;
    large->worker = w;
    large->done = done;
    large->arg = arg;
    large->value_n = letter->value.n;
    large->omitted = false;
    large->key = put(&at, letter->key);
    large->headers_n = n;
    for (size_t i = 0; i < n; i++)
        large->headers[i] = (struct kafka_header){put(&at, headers[i].name), put(&at, headers[i].value)};
    produce(w, large->key, letter->value, large->headers, n, on_large_ack, large);
}

/* ---- any ---- */

/* A series that begins with its first letter has no increase that anybody could be told of: all begin at 0.
 */
void worker_dead_letters_begin(void)
{
    static const char *const reasons[] = {"invalid_json",        "invalid_request", "conflict",
                                          "unknown_channel",     "too_old",         "unknown_call",
                                          "unparseable_callback"};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        (void)metric_series(M_DEAD_LETTERS, reasons[i], NULL);
}

void worker_dead_letter_bytes(struct worker *w, const struct dead_letter *letter, kafka_ack_fn done,
                              void *arg)
{
    char partition[24], offset[24], failed_at[CLOCK_RFC3339_LEN + 1];
    struct kafka_header headers[HEADERS_MAX];
    size_t n = 0;
    clock_rfc3339(clock_wall_ms(), failed_at);
    for (; n < letter->headers_n && n < KAFKA_MAX_HEADERS; n++)
        headers[n] = letter->headers[n];
    const struct kafka_header ours[OUR_HEADERS] = {
        {SPAN_LIT("ivr-reason"), span_str(letter->reason)},
        {SPAN_LIT("ivr-detail"), letter->detail},
        {SPAN_LIT("ivr-source-topic"), span_str(letter->source_topic)},
        {SPAN_LIT("ivr-source-partition"), number(partition, letter->source_partition)},
        {SPAN_LIT("ivr-source-offset"), number(offset, letter->source_offset)},
        {SPAN_LIT("ivr-failed-at"), span_of(failed_at, CLOCK_RFC3339_LEN)},
        {SPAN_LIT("ivr-worker"), span_str(w->settings->program)},
    };
    for (size_t i = 0; i < OUR_HEADERS; i++)
        headers[n++] = ours[i];
    metric_count(M_DEAD_LETTERS, letter->reason, NULL);
    LOG_LIMITED(LOG_LEVEL_WARN, "dead letter", LOG_STR("reason", letter->reason),
                LOG_SPAN("detail", letter->detail), LOG_STR("topic", letter->source_topic),
                LOG_INT("partition", letter->source_partition), LOG_INT("offset", letter->source_offset));
    if (letter->key.n + letter->value.n + bytes_of(headers, n) > MAY_BE_TOO_LARGE)
        send_large(w, letter, headers, n, done, arg);
    else
        produce(w, letter->key, letter->value, headers, n, done, arg);
}

void worker_dead_letter(struct worker *w, const struct kafka_record *record, const char *reason,
                        struct span detail, kafka_ack_fn done, void *arg)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    const struct dead_letter letter = {
        .key = record->key,
        .value = record->value,
        .headers = headers,
        .headers_n = kafka_record_headers(record, headers, KAFKA_MAX_HEADERS),
        .source_topic = record->topic,
        .source_partition = record->partition_id,
        .source_offset = record->offset,
        .reason = reason,
        .detail = detail,
    };
    worker_dead_letter_bytes(w, &letter, done, arg);
}
