/* Records that cannot be worked on, on their way to ivr.dead-letters (worker.h). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/pii.h"
#include "common/base/visible.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/program/worker.h"

enum {
    OUR_HEADERS = 7,
    HEADERS_MAX = KAFKA_MAX_HEADERS + OUR_HEADERS + 1, /* one more where the value is left out */
    DETAIL_MAX = 64 * 1024,
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
        char bytes[NUMBER_LEN];
        large->omitted = true;
        large->headers[large->headers_n++] = (struct kafka_header){
            SPAN_LIT("ivr-value-omitted"), number_write(bytes, (int64_t)large->value_n)};
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
    static const char *const reasons[] = {"invalid_json",         "invalid_request", "conflict",
                                          "unknown_channel",      "too_old",         "unknown_call",
                                          "unparseable_callback", "unreadable_call"};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        (void)metric_series(M_DEAD_LETTERS, reasons[i], NULL);
}

/* What a letter says of itself; the first OUR_HEADERS come with each. */
static const char *const our_names[] = {"ivr-reason",           "ivr-detail",        "ivr-source-topic",
                                        "ivr-source-partition", "ivr-source-offset", "ivr-failed-at",
                                        "ivr-worker",           "ivr-source-time",   "ivr-value-omitted"};

/* Whatever the case: some readers ignore it. */
static bool is_ours(struct span name)
{
    for (size_t i = 0; i < sizeof(our_names) / sizeof(our_names[0]); i++) {
        if (name.n == strlen(our_names[i]) && strncasecmp(name.p, our_names[i], name.n) == 0)
            return true;
    }
    return false;
}

/* The original's, without those that would speak in our name: a reader that takes the first of a name and one
 * that takes the last both have to find ours. */
static size_t take_headers(struct kafka_header *headers, const struct dead_letter *letter)
{
    size_t n = 0;
    for (size_t i = 0; i < letter->headers_n && n < KAFKA_MAX_HEADERS; i++) {
        if (!is_ours(letter->headers[i].name))
            headers[n++] = letter->headers[i];
    }
    return n;
}

/* It quotes what others wrote. */
static void add_detail(struct buf *b, struct span detail)
{
    struct buf masked;
    buf_init(&masked, DETAIL_MAX);
    pii_add_text(&masked, detail);
    visible_add(b, buf_span(&masked));
    buf_done(&masked);
}

void worker_dead_letter_bytes(struct worker *w, const struct dead_letter *letter, kafka_ack_fn done,
                              void *arg)
{
    char partition[NUMBER_LEN], offset[NUMBER_LEN], failed_at[CLOCK_RFC3339_LEN + 1];
    struct kafka_header headers[HEADERS_MAX];
    size_t n = take_headers(headers, letter);
    struct buf detail;
    buf_init(&detail, DETAIL_MAX);
    add_detail(&detail, letter->detail);
    clock_rfc3339(clock_wall_ms(), failed_at);
    const struct span values[OUR_HEADERS] = {
        span_str(letter->reason),
        buf_span(&detail),
        span_str(letter->source_topic),
        number_write(partition, letter->source_partition),
        number_write(offset, letter->source_offset),
        span_of(failed_at, CLOCK_RFC3339_LEN),
        span_str(w->settings->program),
    };
    for (size_t i = 0; i < OUR_HEADERS; i++)
        headers[n++] = (struct kafka_header){span_str(our_names[i]), values[i]};
    metric_count(M_DEAD_LETTERS, letter->reason, NULL);
    LOG_LIMITED(LOG_LEVEL_WARN, "dead letter", LOG_STR("reason", letter->reason),
                LOG_SPAN("detail", buf_span(&detail)), LOG_STR("topic", letter->source_topic),
                LOG_INT("partition", letter->source_partition), LOG_INT("offset", letter->source_offset));
    if (letter->key.n + letter->value.n + bytes_of(headers, n) > MAY_BE_TOO_LARGE)
        send_large(w, letter, headers, n, done, arg);
    else
        produce(w, letter->key, letter->value, headers, n, done, arg);
    buf_done(&detail);
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
