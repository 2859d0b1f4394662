#include "tools/ivrctl/send.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kafka/kafka_conf.h"

enum { REACH_TIMEOUT_MS = 10000, POLL_MS = 100, PROGRESS_EVERY_MS = 200 };

/* A person waits at the prompt: not librdkafka's five minutes. */
#define ACK_TIMEOUT "30000"
/* Unacknowledged requests; ivrctl runs in pods that have little memory. */
#define QUEUE_KBYTES "32768"

struct sender {
    rd_kafka_t *rk;
    const char *topic;
    const volatile sig_atomic_t *stopped;
    struct sender_result result;
    struct err first; /* failure */
    size_t total;
    int64_t shown_mono_ms;
    bool terminal;
};

static void note_failure(struct sender *s, const char *text)
{
    if (s->result.failed++ == 0)
        err_set(&s->first, ERR_UNAVAILABLE, "topic %s: %s", s->topic, text);
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
    struct sender *s = arg;
    (void)rk;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        s->result.acknowledged++;
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

static int open_producer(struct sender *s, const struct settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_build(&conf, settings, KAFKA_PRODUCER, err);
    if (rc != 0)
        return rc;
    if (!is_set_by_user(settings, "message.timeout.ms") && !is_set_by_user(settings, "delivery.timeout.ms"))
        rd_kafka_conf_set(conf, "message.timeout.ms", ACK_TIMEOUT, NULL, 0);
    if (!is_set_by_user(settings, "queue.buffering.max.kbytes"))
        rd_kafka_conf_set(conf, "queue.buffering.max.kbytes", QUEUE_KBYTES, NULL, 0);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_opaque(conf, s);
    return kafka_handle_new(&s->rk, conf, KAFKA_PRODUCER, err);
}

/* A missing topic and brokers that do not answer are said at once, not after the acknowledgements' time. */
static int reach_topic(struct sender *s, struct err *err)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(s->rk, s->topic, NULL);
    rd_kafka_resp_err_t rc = rd_kafka_metadata(s->rk, 0, handle, &found, REACH_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_UNAVAILABLE, "Kafka (IVR_KAFKA_BOOTSTRAP_SERVERS) does not answer: %s",
                       rd_kafka_err2str(rc));
    bool missing = found->topic_cnt < 1 || found->topics[0].partition_cnt < 1;
    rd_kafka_metadata_destroy(found);
    if (missing)
        return err_set(err, ERR_UNAVAILABLE, "topic %s does not exist, \"ivrctl topics create\" makes it",
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

static rd_kafka_resp_err_t produce(struct sender *s, struct span key, struct span id, struct span value)
{
    rd_kafka_headers_t *headers = headers_of(id);
    rd_kafka_resp_err_t rc =
        rd_kafka_producev(s->rk, RD_KAFKA_V_TOPIC(s->topic), RD_KAFKA_V_KEY((void *)(uintptr_t)key.p, key.n),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value.p, value.n), RD_KAFKA_V_HEADERS(headers),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return rc;
}

static void show_progress(struct sender *s, bool last)
{
    int64_t now_ms = clock_mono_ms();
    if (!s->terminal || (!last && now_ms - s->shown_mono_ms < PROGRESS_EVERY_MS))
        return;
    s->shown_mono_ms = now_ms;
    fprintf(stderr, "\r%zu of %zu acknowledged%s", s->result.acknowledged, s->total, last ? "\n" : "");
}

int sender_open(struct sender **sender, const struct settings *settings, size_t total,
                const volatile sig_atomic_t *stopped, struct err *err)
{
    struct sender *s = mem_alloc(sizeof(*s));
    *s = (struct sender){.topic = settings->topics[TOPIC_CALL_REQUESTS],
                         .total = total,
                         .stopped = stopped,
                         .terminal = isatty(STDERR_FILENO)};
    int rc = open_producer(s, settings, err);
    if (rc == 0)
        rc = reach_topic(s, err);
    *sender = s;
    if (rc != 0)
        sender_close(sender);
    return rc;
}

int sender_add(struct sender *s, struct span key, struct span id, struct span value, struct err *err)
{
    rd_kafka_resp_err_t rc = produce(s, key, id, value);
    rd_kafka_poll(s->rk, 0);
    while (rc == RD_KAFKA_RESP_ERR__QUEUE_FULL && !*s->stopped) {
        rd_kafka_poll(s->rk, POLL_MS); /* acknowledgements make room */
        rc = produce(s, key, id, value);
    }
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR && !*s->stopped)
        note_failure(s, rd_kafka_err2str(rc));
    show_progress(s, false);
    return s->result.failed == 0 ? 0 : err_set(err, s->first.code, "%s", s->first.text);
}

int sender_finish(struct sender *s, struct sender_result *result, struct err *err)
{
    /* What is out is heard to its end, unless the person asks a second time. */
    while (rd_kafka_outq_len(s->rk) > 0) {
        rd_kafka_poll(s->rk, POLL_MS);
        show_progress(s, false);
    }
    show_progress(s, true);
    *result = s->result;
    if (s->result.failed > 0)
        return err_set(err, s->first.code, "%s", s->first.text);
    return *s->stopped && s->result.acknowledged < s->total ? err_set(err, ERR_UNAVAILABLE, "interrupted")
                                                            : 0;
}

void sender_close(struct sender **sender)
{
    struct sender *s = *sender;
    *sender = NULL;
    if (s == NULL)
        return;
    if (s->rk != NULL)
        rd_kafka_destroy(s->rk);
    free(s);
}
