#include "tools/ivrctl/topic_reader.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kafka/kafka_conf.h"

enum { OPEN_TIMEOUT_MS = 10000, SILENT_MS = 10000 };

struct topic_part {
    int64_t next; /* offset read next */
    int64_t end;  /* the end when it was opened */
    bool finished;
};

struct topic_reader {
    rd_kafka_t *rk;
    struct topic_part *parts; /* by partition */
    size_t parts_n;
    size_t unfinished;
    int64_t down_since_mono_ms; /* 0: as far as we know the brokers answer */
    bool failed;
    struct err err;
};

/* ---- opening ---- */

static int find_partitions(struct topic_reader *r, const char *topic, struct err *err)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(r->rk, topic, NULL);
    rd_kafka_resp_err_t rc = rd_kafka_metadata(r->rk, 0, handle, &found, OPEN_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_UNAVAILABLE, "Kafka (IVR_KAFKA_BOOTSTRAP_SERVERS) does not answer: %s",
                       rd_kafka_err2str(rc));
    const rd_kafka_metadata_topic_t *about = found->topic_cnt > 0 ? &found->topics[0] : NULL;
    int result = 0;
    if (about == NULL || about->err != RD_KAFKA_RESP_ERR_NO_ERROR || about->partition_cnt <= 0)
        result = err_set(err, ERR_UNAVAILABLE, "topic %s: %s", topic,
                         about == NULL || about->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                                 about->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                             ? "does not exist, \"ivrctl topics create\" makes it"
                             : rd_kafka_err2str(about->err));
    else
        r->parts_n = (size_t)about->partition_cnt;
    rd_kafka_metadata_destroy(found);
    return result;
}

static int find_ends(struct topic_reader *r, const char *topic, enum reader_start start, struct err *err)
{
    r->parts = mem_calloc(r->parts_n, sizeof(*r->parts));
    for (size_t i = 0; i < r->parts_n; i++) {
        int64_t low = 0, high = 0;
        rd_kafka_resp_err_t rc =
            rd_kafka_query_watermark_offsets(r->rk, topic, (int32_t)i, &low, &high, OPEN_TIMEOUT_MS);
        if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
            return err_set(err, ERR_UNAVAILABLE, "topic %s, partition %zu: %s", topic, i,
                           rd_kafka_err2str(rc));
        r->parts[i] =
            (struct topic_part){start == READ_ALL ? low : high, high, start != READ_ALL || low >= high};
        r->unfinished += !r->parts[i].finished;
    }
    return 0;
}

static int assign(struct topic_reader *r, const char *topic, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)r->parts_n);
    for (size_t i = 0; i < r->parts_n; i++)
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)i)->offset = r->parts[i].next;
    rd_kafka_resp_err_t rc = rd_kafka_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_SYSTEM, "topic %s cannot be read: %s", topic, rd_kafka_err2str(rc));
    return 0;
}

static int open_handle(struct topic_reader *r, const struct settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_build(&conf, settings, KAFKA_CONSUMER, err);
    if (rc != 0)
        return rc;
    /* Its event tells the end of a partition whose last records are gone (compacted, or of a transaction). */
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    rc = kafka_handle_new(&r->rk, conf, KAFKA_CONSUMER, err);
    if (rc == 0)
        rd_kafka_poll_set_consumer(r->rk);
    return rc;
}

int topic_reader_open(struct topic_reader **reader, const struct settings *settings, const char *topic,
                      enum reader_start start, struct err *err)
{
    struct topic_reader *r = mem_calloc(1, sizeof(*r));
    int rc = open_handle(r, settings, err);
    if (rc == 0)
        rc = find_partitions(r, topic, err);
    if (rc == 0)
        rc = find_ends(r, topic, start, err);
    if (rc == 0)
        rc = assign(r, topic, err);
    if (rc != 0)
        topic_reader_close(&r);
    *reader = r;
    return rc;
}

void topic_reader_close(struct topic_reader **reader)
{
    struct topic_reader *r = *reader;
    *reader = NULL;
    if (r == NULL)
        return;
    if (r->rk != NULL) {
        rd_kafka_consumer_close(r->rk);
        rd_kafka_destroy(r->rk);
    }
    free(r->parts);
    free(r);
}

/* ---- reading ---- */

static void finish(struct topic_reader *r, struct topic_part *part)
{
    if (part->finished)
        return;
    part->finished = true;
    r->unfinished--;
}

static void fail(struct topic_reader *r, const char *text)
{
    r->failed = true;
    err_set(&r->err, ERR_UNAVAILABLE, "Kafka: %s", text);
}

/* What librdkafka tells instead of a record. It reconnects by itself; only what lasts is a failure. */
static void on_trouble(struct topic_reader *r, const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (message->partition >= 0 && (size_t)message->partition < r->parts_n)
            finish(r, &r->parts[message->partition]);
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        if (r->down_since_mono_ms == 0)
            r->down_since_mono_ms = clock_mono_ms();
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        fail(r, rd_kafka_message_errstr(message));
        break;
    default:
        break;
    }
}

static void take(struct topic_reader *r, rd_kafka_message_t *message, struct topic_record *record)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    *record = (struct topic_record){
        .key = span_of(message->key, message->key_len),
        .value = span_of(message->payload, message->len),
        .topic = rd_kafka_topic_name(message->rkt),
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = timestamp_ms > 0 ? timestamp_ms : 0,
        .message = message,
    };
    r->down_since_mono_ms = 0;
    struct topic_part *part = &r->parts[message->partition];
    part->next = message->offset + 1;
    if (part->next >= part->end)
        finish(r, part);
}

bool topic_reader_next(struct topic_reader *r, int timeout_ms, struct topic_record *record)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(r->rk, timeout_ms);
    if (r->down_since_mono_ms != 0 && clock_mono_ms() - r->down_since_mono_ms > SILENT_MS)
        fail(r, "no broker is reachable");
    if (message == NULL)
        return false;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take(r, message, record);
        return true;
    }
    on_trouble(r, message);
    rd_kafka_message_destroy(message);
    return false;
}

void topic_record_done(struct topic_record *record)
{
    rd_kafka_message_destroy(record->message);
    record->message = NULL;
}

struct span topic_record_header(const struct topic_record *record, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t n = 0;
    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &n) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return SPAN_NONE;
    return span_of(value, n);
}

bool topic_reader_at_end(const struct topic_reader *r)
{
    return r->failed || r->unfinished == 0;
}

bool topic_reader_failed(const struct topic_reader *r, struct err *err)
{
    if (r->failed)
        *err = r->err;
    return r->failed;
}
