#include "tools/ivrctl/send.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kafka_conf.h"
#include "common/mem.h"
#include "common/model/request.h"

enum { REACH_TIMEOUT_MS = 10000, POLL_MS = 100, PROGRESS_EVERY_MS = 200, ID_MAX = 256 };

/* A person waits at the prompt: not librdkafka's five minutes. */
#define ACK_TIMEOUT "30000"

struct sending {
    rd_kafka_t *rk;
    struct spool *spool;
    const char *topic;
    struct send_result *result;
    struct err *err;
    int64_t shown_mono_ms;
    bool terminal;
};

/* ---- spool ---- */

struct spool_head {
    uint32_t key_n, id_n, value_n;
};

int spool_open(struct spool *spool, struct err *err)
{
    *spool = (struct spool){.file = tmpfile()};
    if (spool->file == NULL)
        return err_set(err, ERR_SYSTEM, "a temporary file cannot be made: %s", strerror(errno));
    return 0;
}

int spool_add(struct spool *spool, struct span key, struct span id, struct span value, struct err *err)
{
    const struct spool_head head = {(uint32_t)key.n, (uint32_t)id.n, (uint32_t)value.n};
    bool written =
        fwrite(&head, sizeof(head), 1, spool->file) == 1 && fwrite(key.p, 1, key.n, spool->file) == key.n &&
        fwrite(id.p, 1, id.n, spool->file) == id.n && fwrite(value.p, 1, value.n, spool->file) == value.n;
    if (!written)
        return err_set(err, ERR_SYSTEM, "the temporary file cannot be written: %s", strerror(errno));
    spool->n++;
    return 0;
}

void spool_close(struct spool *spool)
{
    if (spool->file != NULL)
        fclose(spool->file);
    *spool = (struct spool){0};
}

struct spooled {
    char key[ID_MAX], id[ID_MAX], value[REQUEST_MAX_BYTES];
    struct spool_head head;
};

static bool spool_read(struct spool *spool, struct spooled *out)
{
    struct spool_head *head = &out->head;
    return fread(head, sizeof(*head), 1, spool->file) == 1 && head->key_n <= ID_MAX && head->id_n <= ID_MAX &&
           head->value_n <= REQUEST_MAX_BYTES &&
           fread(out->key, 1, head->key_n, spool->file) == head->key_n &&
           fread(out->id, 1, head->id_n, spool->file) == head->id_n &&
           fread(out->value, 1, head->value_n, spool->file) == head->value_n;
}

/* ---- producer ---- */

static void note_failure(struct sending *s, const char *text)
{
    if (s->result->failed++ == 0)
        err_set(s->err, ERR_UNAVAILABLE, "topic %s: %s", s->topic, text);
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
    struct sending *s = arg;
    (void)rk;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        s->result->acknowledged++;
    else
        note_failure(s, rd_kafka_err2str(message->err));
}

static bool is_set_by_user(const struct settings *settings, const char *property)
{
    for (size_t i = 0; i < settings->kafka_n; i++) {
        if (strcmp(settings->kafka[i].name, property) == 0)
            return true;
    }
    return false;
}

static int open_producer(struct sending *s, const struct settings *settings)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_build(&conf, settings, KAFKA_PRODUCER, s->err);
    if (rc != 0)
        return rc;
    if (!is_set_by_user(settings, "message.timeout.ms") && !is_set_by_user(settings, "delivery.timeout.ms"))
        rd_kafka_conf_set(conf, "message.timeout.ms", ACK_TIMEOUT, NULL, 0);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_opaque(conf, s);
    return kafka_handle_new(&s->rk, conf, KAFKA_PRODUCER, s->err);
}

/* A missing topic and brokers that do not answer are said at once, not after the acknowledgements' time. */
static int reach_topic(struct sending *s)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(s->rk, s->topic, NULL);
    rd_kafka_resp_err_t rc = rd_kafka_metadata(s->rk, 0, handle, &found, REACH_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(s->err, ERR_UNAVAILABLE, "Kafka (IVR_KAFKA_BOOTSTRAP_SERVERS) does not answer: %s",
                       rd_kafka_err2str(rc));
    bool missing = found->topic_cnt < 1 || found->topics[0].partition_cnt < 1;
    rd_kafka_metadata_destroy(found);
    if (missing)
        return err_set(s->err, ERR_UNAVAILABLE, "topic %s does not exist, \"ivrctl topics create\" makes it",
                       s->topic);
    return 0;
}

static rd_kafka_headers_t *headers_of(struct span id)
{
    char now[CLOCK_RFC3339_LEN + 1];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
    clock_rfc3339(clock_wall_ms(), now);
    rd_kafka_header_add(headers, "ce_specversion", -1, "1.0", -1);
    rd_kafka_header_add(headers, "ce_id", -1, id.p, (ssize_t)id.n);
    rd_kafka_header_add(headers, "ce_source", -1, "ivr/ivrctl", -1);
    rd_kafka_header_add(headers, "ce_type", -1, "ivr.call-request", -1);
    rd_kafka_header_add(headers, "ce_time", -1, now, -1);
    rd_kafka_header_add(headers, "content-type", -1, "application/json", -1);
    return headers;
}

static void produce(struct sending *s, const struct spooled *item, const volatile sig_atomic_t *stopped)
{
    for (;;) {
        rd_kafka_headers_t *headers = headers_of(span_of(item->id, item->head.id_n));
        rd_kafka_resp_err_t rc = rd_kafka_producev(
            s->rk, RD_KAFKA_V_TOPIC(s->topic), RD_KAFKA_V_KEY((void *)(uintptr_t)item->key, item->head.key_n),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)item->value, item->head.value_n), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (rc == RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        rd_kafka_headers_destroy(headers);
        if (rc != RD_KAFKA_RESP_ERR__QUEUE_FULL || *stopped) {
            note_failure(s, rd_kafka_err2str(rc));
            return;
        }
        rd_kafka_poll(s->rk, POLL_MS); /* full: acknowledgements make room */
    }
}

static void show_progress(struct sending *s, bool last)
{
    int64_t now_ms = clock_mono_ms();
    if (!s->terminal || (!last && now_ms - s->shown_mono_ms < PROGRESS_EVERY_MS))
        return;
    s->shown_mono_ms = now_ms;
    fprintf(stderr, "\r%zu of %zu acknowledged%s", s->result->acknowledged, s->spool->n, last ? "\n" : "");
}

static void send_all(struct sending *s, const volatile sig_atomic_t *stopped)
{
    struct spooled *item = mem_alloc(sizeof(*item));
    rewind(s->spool->file);
    while (!*stopped && s->result->failed == 0 && spool_read(s->spool, item)) {
        produce(s, item, stopped);
        rd_kafka_poll(s->rk, 0);
        show_progress(s, false);
    }
    /* What is out is heard to its end, unless the person asks a second time. */
    while (rd_kafka_outq_len(s->rk) > 0) {
        rd_kafka_poll(s->rk, POLL_MS);
        show_progress(s, false);
    }
    show_progress(s, true);
    free(item);
}

int send_spool(struct spool *spool, const struct settings *settings, const volatile sig_atomic_t *stopped,
               struct send_result *result, struct err *err)
{
    struct sending s = {.spool = spool,
                        .topic = settings->topics[TOPIC_CALL_REQUESTS],
                        .result = result,
                        .err = err,
                        .terminal = isatty(STDERR_FILENO)};
    *result = (struct send_result){0};
    int rc = open_producer(&s, settings);
    if (rc != 0)
        return rc;
    rc = reach_topic(&s);
    if (rc == 0)
        send_all(&s, stopped);
    if (rc == 0 && result->failed > 0)
        rc = err->code;
    else if (rc == 0 && result->acknowledged < spool->n)
        rc = err_set(err, ERR_UNAVAILABLE, "interrupted");
    rd_kafka_destroy(s.rk);
    return rc;
}
