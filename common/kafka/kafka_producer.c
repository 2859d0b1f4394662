#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fifo.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/kafka/kafka.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/kafka_health.h"
#include "common/kafka/kafka_wake.h"
#include "common/run/log.h"

enum {
    FULL_AT = 100000, /* pending messages; well below queue.buffering.max.messages */
    TOPICS_MAX = 16,
    TICK_MS = 50,
    DEFAULT_TIMEOUT_MS = 300000, /* librdkafka's own */
    CHUNK = 256,                 /* acks are allocated so many at a time and kept */
};

/* A message that librdkafka had no room for, as one block: the struct, its headers, then the bytes they point
 * to. */
struct unsent {
    struct fifo_link link;
    rd_kafka_topic_t *topic;
    struct span key;
    struct span value;
    size_t header_n;
    struct ack *ack;
    struct kafka_header headers[];
};

/*
 * One message from kafka_produce() to librdkafka's delivery report. Its caller is answered once: by the
 * report, or before it by our timer; in the latter case the struct stays until the report comes. It is in
 * `timed` while a timer may answer.
 */
struct ack {
    struct kafka_producer *producer;
    struct fifo_link link; /* in `failed` or in the pool */
    struct ack *later;     /* in `timed`, by deadline */
    struct ack *sooner;
    kafka_ack_fn fn; /* NULL once answered, or nobody wants to know */
    void *arg;
    int64_t deadline_mono_ms; /* 0: not in `timed` */
    const char *error;        /* in `failed`: static text */
};

struct chunk {
    struct chunk *next;
    struct ack acks[CHUNK];
};

struct kafka_producer {
    struct kafka_producer *next; /* in `open_ones` */
    struct loop *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct kafka_wake *wake;
    struct kafka_health *health;
    struct loop_timer *tick;
    rd_kafka_topic_t *topics[TOPICS_MAX];
    size_t topic_n;
    size_t pending;   /* produced and no report yet */
    struct fifo pool; /* acks to be used again */
    struct chunk *chunks;
    struct ack *timed_first;
    struct ack *timed_last;
    struct fifo failed; /* acks refused at once, whose callers are answered at the end of the turn */
    struct fifo unsent; /* messages for which librdkafka had no room */
};

/* Those that the hooks serve: a hook cannot be unregistered. */
static struct kafka_producer *open_ones;

/* ---- acks ---- */

static struct ack *ack_new(struct kafka_producer *producer, kafka_ack_fn fn, void *arg)
{
    struct ack *ack;

    if (producer->pool.n == 0) {
        struct chunk *chunk = mem_alloc(sizeof(*chunk));
        chunk->next = producer->chunks;
        producer->chunks = chunk;
        for (size_t i = 0; i < CHUNK; i++)
            fifo_add_first(&producer->pool, &chunk->acks[i].link);
    }
    ack = FIFO_TAKE(&producer->pool, struct ack, link);
    *ack = (struct ack){.producer = producer, .fn = fn, .arg = arg};
    producer->pending++;
    return ack;
}

static void timed_remove(struct ack *ack)
{
    struct kafka_producer *producer = ack->producer;

    if (ack->deadline_mono_ms == 0)
        return;
    *(ack->sooner != NULL ? &ack->sooner->later : &producer->timed_first) = ack->later;
    *(ack->later != NULL ? &ack->later->sooner : &producer->timed_last) = ack->sooner;
    ack->deadline_mono_ms = 0;
    ack->later = ack->sooner = NULL;
}

/* Callers mostly use one time-out, so the place is nearly always at the end. */
static void timed_insert(struct ack *ack, int64_t deadline_mono_ms)
{
    struct kafka_producer *producer = ack->producer;
    struct ack *after = producer->timed_last;

    while (after != NULL && after->deadline_mono_ms > deadline_mono_ms)
        after = after->sooner;
    ack->deadline_mono_ms = deadline_mono_ms;
    ack->sooner = after;
    ack->later = after != NULL ? after->later : producer->timed_first;
    *(after != NULL ? &after->later : &producer->timed_first) = ack;
    *(ack->later != NULL ? &ack->later->sooner : &producer->timed_last) = ack;
}

/* Tells the caller, once. */
static void ack_answer(struct ack *ack, const char *error)
{
    kafka_ack_fn fn = ack->fn;

    timed_remove(ack);
    ack->fn = NULL;
    if (fn != NULL)
        fn(error, ack->arg);
}

/* The message is done with. */
static void ack_end(struct ack *ack, const char *error)
{
    struct kafka_producer *producer = ack->producer;

    producer->pending--;
    ack_answer(ack, error);
    fifo_add_first(&producer->pool, &ack->link);
}

static void ack_fail_later(struct ack *ack, const char *error)
{
    struct kafka_producer *producer = ack->producer;

    timed_remove(ack);
    ack->error = error;
    fifo_add(&producer->failed, &ack->link);
}

static bool answer_failed(struct kafka_producer *producer)
{
    struct fifo failed = {0};

    fifo_move(&failed, &producer->failed);
    if (failed.n == 0)
        return false;
    for (struct ack *ack; (ack = FIFO_TAKE(&failed, struct ack, link)) != NULL;)
        ack_end(ack, ack->error);
    return true;
}

const char KAFKA_TOO_LARGE[] = "the message is larger than Kafka takes";

static const char *words_of(rd_kafka_resp_err_t code)
{
    bool large =
        code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
    return large ? KAFKA_TOO_LARGE : rd_kafka_err2str(code);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;
    (void)rk;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (kafka_health_is_refused(producer->health))
            kafka_health_allowed(producer->health, rd_kafka_topic_name(message->rkt));
        ack_end(message->_private, NULL);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        kafka_health_refused(producer->health, rd_kafka_topic_name(message->rkt), "writing (WRITE)");
    LOG_LIMITED(LOG_LEVEL_WARN, "a message could not be produced",
                LOG_STR("topic", rd_kafka_topic_name(message->rkt)),
                LOG_STR("error", rd_kafka_err2str(message->err)));
    ack_end(message->_private, words_of(message->err));
}

/* ---- producing ---- */

/* `conf` becomes librdkafka's; NULL: as all topics. */
static rd_kafka_topic_t *open_topic(struct kafka_producer *producer, const char *name,
                                    rd_kafka_topic_conf_t *conf)
{
    rd_kafka_topic_t *topic =
        producer->topic_n < TOPICS_MAX ? rd_kafka_topic_new(producer->rk, name, conf) : NULL;
    if (topic != NULL)
        producer->topics[producer->topic_n++] = topic;
    else if (conf != NULL)
        rd_kafka_topic_conf_destroy(conf);
    return topic;
}

static rd_kafka_topic_t *topic_of(struct kafka_producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_n; i++) {
        if (strcmp(rd_kafka_topic_name(producer->topics[i]), name) == 0)
            return producer->topics[i];
    }
    return open_topic(producer, name, NULL);
}

void kafka_producer_topic_timeout(struct kafka_producer *producer, const char *topic, int64_t timeout_ms)
{
    char text[NUMBER_LEN + 1], why[256];
    int64_t general_ms = kafka_producer_timeout_ms(producer);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(producer->rk);
    /* librdkafka's 0 is for ever. */
    snprintf(text, sizeof(text), "%lld",
             (long long)(general_ms > 0 && general_ms < timeout_ms ? general_ms : timeout_ms));
    if (rd_kafka_topic_conf_set(conf, "message.timeout.ms", text, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        LOG_WARN("a topic's time-out cannot be set", LOG_STR("topic", topic), LOG_STR("error", why));
    (void)open_topic(producer, topic, conf);
}

static rd_kafka_headers_t *headers_of(const struct kafka_header *headers, size_t n)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(n);

    for (size_t i = 0; i < n; i++)
        rd_kafka_header_add(list, headers[i].name.p, (ssize_t)headers[i].name.n,
                            headers[i].value.p ? headers[i].value.p : "", (ssize_t)headers[i].value.n);
    return list;
}

/* Hands the message to librdkafka, which copies it. Null (SPAN_NONE) and empty differ, for keys and
 * values. */
static rd_kafka_resp_err_t hand_over(struct kafka_producer *producer, rd_kafka_topic_t *topic,
                                     struct span key, struct span value, const struct kafka_header *headers,
                                     size_t header_n, struct ack *ack)
{
    rd_kafka_headers_t *list = header_n > 0 ? headers_of(headers, header_n) : NULL;
    rd_kafka_vu_t args[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.p, value.n}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = ack},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.p, key.n}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = list},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(producer->rk, args, sizeof(args) / sizeof(args[0]) - (list == NULL));
    rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

    if (error != NULL)
        rd_kafka_error_destroy(error);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL)
        rd_kafka_headers_destroy(list);
    return code;
}

static struct span put(char **at, struct span s)
{
    char *start = *at;

    if (s.p == NULL)
        return SPAN_NONE;
    memcpy(start, s.p, s.n);
    *at += s.n;
    return span_of(start, s.n);
}

static void wait_for_room(struct kafka_producer *producer, rd_kafka_topic_t *topic, struct span key,
                          struct span value, const struct kafka_header *headers, size_t header_n,
                          struct ack *ack)
{
    size_t n = key.n + value.n;
    struct unsent *unsent;
    char *at;

    for (size_t i = 0; i < header_n; i++)
        n += headers[i].name.n + headers[i].value.n;
    unsent = mem_alloc(sizeof(*unsent) + header_n * sizeof(headers[0]) + n);
    at = (char *)&unsent->headers[header_n];
    unsent->topic = topic;
    unsent->ack = ack;
    unsent->key = put(&at, key);
    unsent->value = put(&at, value);
    unsent->header_n = header_n;
    for (size_t i = 0; i < header_n; i++)
        unsent->headers[i] = (struct kafka_header){put(&at, headers[i].name), put(&at, headers[i].value)};
    fifo_add(&producer->unsent, &unsent->link);
}

static struct unsent *first_unsent(const struct kafka_producer *producer)
{
    return FIFO_FIRST(&producer->unsent, struct unsent, link);
}

static void drop_first_unsent(struct kafka_producer *producer)
{
    free(FIFO_TAKE(&producer->unsent, struct unsent, link));
}

/* In order, until librdkafka is full again. One whose caller was told that it is too late is not sent any
 * more. */
static void send_unsent(struct kafka_producer *producer)
{
    for (struct unsent *w; (w = first_unsent(producer)) != NULL; drop_first_unsent(producer)) {
        rd_kafka_resp_err_t code;
        if (w->ack->error != NULL) {
            ack_end(w->ack, w->ack->error);
            continue;
        }
        code = hand_over(producer, w->topic, w->key, w->value, w->headers, w->header_n, w->ack);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            ack_fail_later(w->ack, words_of(code));
    }
}

void kafka_produce(struct kafka_producer *producer, const char *topic, struct span key, struct span value,
                   const struct kafka_header *headers, size_t header_n, int64_t timeout_ms, kafka_ack_fn fn,
                   void *arg)
{
    struct ack *ack = ack_new(producer, fn, arg);
    rd_kafka_topic_t *handle = topic_of(producer, topic);
    rd_kafka_resp_err_t code;

    if (handle == NULL) {
        ack_fail_later(ack, "the topic name is not valid");
        return;
    }
    if (timeout_ms > 0 && fn != NULL)
        timed_insert(ack, loop_mono_ms(producer->loop) + timeout_ms);
    code = producer->unsent.n == 0 ? hand_over(producer, handle, key, value, headers, header_n, ack)
                                   : RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        wait_for_room(producer, handle, key, value, headers, header_n, ack);
    else if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        ack_fail_later(ack, words_of(code));
}

/* ---- the loop ---- */

static void on_wake(void *arg)
{
    struct kafka_producer *producer = arg;

    rd_kafka_poll(producer->rk, 0);
    send_unsent(producer);
}

static bool answer_hook(void *loop)
{
    bool answered = false;
    struct kafka_producer *next;

    for (struct kafka_producer *producer = open_ones; producer != NULL; producer = next) {
        next = producer->next;
        if (producer->loop == loop)
            answered = answer_failed(producer) || answered;
    }
    return answered;
}

/* Too late for the caller. What librdkafka has may still arrive; what waits for room is not sent any more. */
static void on_tick(void *arg)
{
    static const char too_late[] = "Kafka did not acknowledge in time";
    struct kafka_producer *producer = arg;
    int64_t now = loop_mono_ms(producer->loop);

    while (producer->timed_first != NULL && producer->timed_first->deadline_mono_ms <= now) {
        struct ack *ack = producer->timed_first;
        ack->error = too_late;
        ack_answer(ack, too_late);
    }
    if (producer->unsent.n > 0)
        send_unsent(producer);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_producer *producer = opaque;

    if (producer->health != NULL)
        kafka_health_error(producer->health, rk, code, reason);
}

/* ---- opening and closing ---- */

static int open_handle(struct kafka_producer *producer, const struct settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf;
    int rc = kafka_conf_build(&conf, settings, KAFKA_PRODUCER, err);

    if (rc != 0)
        return rc;
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if ((rc = kafka_handle_new(&producer->rk, conf, KAFKA_PRODUCER, err)) != 0)
        return rc;
    producer->queue = rd_kafka_queue_get_main(producer->rk);
    return kafka_wake_new(&producer->wake, producer->loop, producer->queue, on_wake, producer, err);
}

static void producer_free(struct kafka_producer *producer)
{
    kafka_wake_free(&producer->wake);
    kafka_health_free(&producer->health);
    loop_timer_stop(&producer->tick);
    for (size_t i = 0; i < producer->topic_n; i++)
        rd_kafka_topic_destroy(producer->topics[i]);
    if (producer->queue != NULL)
        rd_kafka_queue_destroy(producer->queue);
    if (producer->rk != NULL)
        rd_kafka_destroy(producer->rk);
    while (producer->chunks != NULL) {
        struct chunk *chunk = producer->chunks;
        producer->chunks = chunk->next;
        free(chunk);
    }
    free(producer);
}

int kafka_producer_new(struct kafka_producer **pointer, struct loop *loop, const struct settings *settings,
                       struct err *err)
{
    struct kafka_producer *producer = mem_calloc(1, sizeof(*producer));
    int rc;

    *pointer = NULL;
    producer->loop = loop;
    if ((rc = open_handle(producer, settings, err)) != 0) {
        producer_free(producer);
        return rc;
    }
    producer->health = kafka_health_new(loop, producer->rk);
    producer->tick = loop_timer_start(loop, TICK_MS, TICK_MS, on_tick, producer);
    producer->next = open_ones;
    open_ones = producer;
    loop_at_turn_end(loop, answer_hook, loop);
    *pointer = producer;
    return 0;
}

/* What is left after the time given: every caller is answered. */
static void give_up(struct kafka_producer *producer)
{
    LOG_WARN("messages were not acknowledged before the end", LOG_INT("count", producer->pending));
    for (struct unsent *unsent; (unsent = first_unsent(producer)) != NULL; drop_first_unsent(producer))
        ack_end(unsent->ack, "shutting down");
    rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int i = 0; i < 100 && producer->pending > 0; i++)
        rd_kafka_poll(producer->rk, 10);
    answer_failed(producer);
}

void kafka_producer_close(struct kafka_producer **pointer, int64_t timeout_ms)
{
    struct kafka_producer *producer = *pointer;
    struct kafka_producer **link = &open_ones;
    int64_t deadline = clock_mono_ms() + timeout_ms;

    if (producer == NULL)
        return;
    answer_failed(producer);
    while (producer->pending > 0 && clock_mono_ms() < deadline) {
        send_unsent(producer);
        rd_kafka_flush(producer->rk, 20); /* sends without lingering, and serves reports */
        answer_failed(producer);
    }
    if (producer->pending > 0)
        give_up(producer);
    while (*link != producer)
        link = &(*link)->next;
    *link = producer->next;
    producer_free(producer);
    *pointer = NULL;
}

/* ---- the rest of the outside ---- */

int32_t kafka_key_partition(struct span key, int32_t partitions)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, key.p ? key.p : "", key.n, partitions, NULL, NULL);
}

size_t kafka_producer_pending(const struct kafka_producer *producer)
{
    return producer->pending;
}

bool kafka_producer_full(const struct kafka_producer *producer)
{
    return producer->pending >= FULL_AT || producer->unsent.n > 0;
}

void kafka_producer_needs_topic(struct kafka_producer *producer, const char *topic)
{
    kafka_health_topic(producer->health, topic);
}

int64_t kafka_producer_timeout_ms(const struct kafka_producer *producer)
{
    char text[32];
    size_t n = sizeof(text);
    rd_kafka_conf_res_t known =
        rd_kafka_conf_get(rd_kafka_conf(producer->rk), "message.timeout.ms", text, &n);
    return known == RD_KAFKA_CONF_OK ? strtoll(text, NULL, 10) : DEFAULT_TIMEOUT_MS;
}

bool kafka_producer_away(const struct kafka_producer *producer)
{
    return kafka_health_away(producer->health);
}

bool kafka_producer_ready(struct kafka_producer *producer, struct buf *why)
{
    return kafka_health_ready(producer->health, why);
}
