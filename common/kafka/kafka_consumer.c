#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/kafka_health.h"
#include "common/kafka/kafka_partitions.h"
#include "common/kafka/kafka_wake.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum {
    BATCH = 256,        /* records taken from librdkafka at once */
    TURN_MAX = 1000,    /* records handed out before others get their turn */
    BACKLOG_MAX = 1000, /* records that came out although partitions were paused */
    TICK_MS = 250,
    COMMIT_MS = 1000,
    COMMIT_LOST_MS = 30000, /* a commit without an answer for so long is not waited for */
    HOLD_AFTER_MS = 1000,   /* how long records wait in librdkafka before the partitions are paused */
    REVOKE_COMMIT_MS = 3000,
    CLOSE_MS = 10000,
    REFUSED_RETRY_MS = 5000, /* librdkafka tells of a refused fetch once, and again when it begins anew */
};

#define WHY_QUIESCED (1u << 31)

/* What kafka_record points into. Slots are made at start, as many as records may be out. */
struct record_slot {
    struct kafka_record record; /* first: a record is its slot */
    struct kafka_consumer *consumer;
    struct record_slot *next_free;
    bool out;
};

struct kafka_consumer {
    struct kafka_consumer *next; /* in `open_ones` */
    struct loop *loop;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct kafka_wake *wake;
    struct kafka_health *health;
    struct loop_timer *tick;
    struct kafka_consumer_events events;
    char *topic;
    struct kafka_partitions partitions;
    struct record_slot *slots;
    struct record_slot *free_slots;
    size_t max_in_flight;
    size_t in_flight;
    unsigned why;               /* bits of those who paused us */
    bool woken;                 /* librdkafka may have something */
    bool joined;                /* an assignment was seen */
    bool lost;                  /* partitions were taken from it at some time */
    bool closed_in_time;        /* left the group; also before anything was opened */
    bool rebalanced;            /* during the call into librdkafka that is on the stack */
    bool on_hold;               /* the partitions are paused at librdkafka */
    bool yielded;               /* had its share of this turn, goes on in the next */
    int64_t moved_mono_ms;      /* when records could last be taken */
    int64_t commit_mono_ms;     /* when to commit next */
    int64_t refused_mono_ms;    /* when fetching, which ACLs refuse, last began anew */
    char group_refused[150];    /* what the group's ACLs do not allow; "": nothing known */
    int64_t commit_out_mono_ms; /* a commit is on its way since then; 0: none */
    rd_kafka_message_t *backlog[BACKLOG_MAX + BATCH];
    size_t backlog_first;
    size_t backlog_n;
};

/* Those that hooks and metrics serve; neither can be unregistered. */
static struct kafka_consumer *open_ones;

/* ---- handing out ---- */

static bool has_room(const struct kafka_consumer *consumer)
{
    size_t limit = consumer->max_in_flight;

    if (consumer->why != 0)
        return false;
    /* Resuming makes librdkafka fetch again, so it has to be worth it. */
    if (consumer->on_hold)
        limit -= limit / 8;
    return consumer->in_flight < limit;
}

static void fill_record(struct kafka_record *record, rd_kafka_message_t *message,
                        struct kafka_partition *partition, const char *topic)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);

    *record = (struct kafka_record){
        .key = span_of(message->key, message->key_len),
        .value = span_of(message->payload, message->len),
        .offset = message->offset,
        .timestamp_ms = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp > 0 ? timestamp : 0,
        .topic = topic,
        .partition_id = message->partition,
        .partition = partition,
        .message = message,
    };
}

/* The partition of a message; NULL when it was revoked meanwhile. A topic that was deleted and made again
 * begins anew: what was tracked is then of another life. */
static struct kafka_partition *partition_of(struct kafka_consumer *consumer,
                                            const rd_kafka_message_t *message)
{
    struct kafka_partition *partition = kafka_partition_find(&consumer->partitions, message->partition);

    if (partition == NULL || message->offset >= partition->expected)
        return partition;
    LOG_WARN("offsets of a partition went back, tracking it anew", LOG_STR("topic", consumer->topic),
             LOG_INT("partition", message->partition), LOG_INT("offset", message->offset),
             LOG_INT("expected", partition->expected));
    kafka_partition_drop(&consumer->partitions, partition);
    return kafka_partition_add(&consumer->partitions, message->partition);
}

static void reach_end(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    struct kafka_partition *partition = kafka_partition_find(&consumer->partitions, message->partition);

    if (partition != NULL)
        kafka_partition_end(partition, message->offset);
    rd_kafka_message_destroy(message);
}

static void hand_out(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    struct kafka_partition *partition = partition_of(consumer, message);
    struct record_slot *slot = consumer->free_slots;

    if (partition == NULL) {
        rd_kafka_message_destroy(message);
        return;
    }
    assert(slot != NULL);
    consumer->free_slots = slot->next_free;
    consumer->in_flight++;
    slot->out = true;
    fill_record(&slot->record, message, partition, consumer->topic);
    kafka_partition_take(partition, message->offset);
    if (kafka_health_is_refused(consumer->health))
        kafka_health_allowed(consumer->health, consumer->topic);
    consumer->events.record(&slot->record, consumer->events.arg);
}

void kafka_release(struct kafka_record *record)
{
    if (record->message != NULL)
        rd_kafka_message_destroy(record->message);
    record->message = NULL;
    record->key = record->value = SPAN_NONE;
}

void kafka_done(struct kafka_record **pointer)
{
    struct kafka_record *record = *pointer;
    struct record_slot *slot = (struct record_slot *)record;
    struct kafka_consumer *consumer = slot->consumer;

    assert(slot->out);
    *pointer = NULL;
    kafka_partition_done(record->partition, record->offset);
    kafka_release(record);
    slot->out = false;
    slot->next_free = consumer->free_slots;
    consumer->free_slots = slot;
    consumer->in_flight--;
}

/* ---- taking from librdkafka ---- */

static void note_refusal(struct kafka_consumer *consumer, rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        kafka_health_refused(consumer->health, consumer->topic, "reading (READ)");
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        snprintf(consumer->group_refused, sizeof(consumer->group_refused),
                 "Kafka's ACLs do not allow the consumer group (READ)");
}

static void on_error_message(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    note_refusal(consumer, message->err);
    LOG_LIMITED(LOG_LEVEL_WARN, "Kafka consumer error, librdkafka tries again",
                LOG_STR("topic", consumer->topic), LOG_STR("error", rd_kafka_message_errstr(message)));
}

static void keep(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    size_t place = (consumer->backlog_first + consumer->backlog_n) % (BACKLOG_MAX + BATCH);

    consumer->backlog[place] = message;
    consumer->backlog_n++;
}

static rd_kafka_message_t *take_kept(struct kafka_consumer *consumer)
{
    rd_kafka_message_t *message = consumer->backlog[consumer->backlog_first];

    consumer->backlog_first = (consumer->backlog_first + 1) % (BACKLOG_MAX + BATCH);
    consumer->backlog_n--;
    return message;
}

/* Everything that came out goes through here, ends of partitions too; order within a partition stays. */
static size_t hand_out_kept(struct kafka_consumer *consumer)
{
    size_t n = 0;

    while (consumer->backlog_n > 0 && has_room(consumer)) {
        rd_kafka_message_t *message = take_kept(consumer);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            reach_end(consumer, message);
            continue;
        }
        hand_out(consumer, message);
        n++;
    }
    return n;
}

/* Serves rebalances and other callbacks, and takes up to `max` records. False when there was nothing left. A
 * rebalance ends the call (rd_kafka_yield), so that no message of a later assignment can be among those of an
 * earlier one. */
static bool poll_queue(struct kafka_consumer *consumer, size_t max)
{
    rd_kafka_message_t *messages[BATCH];
    ssize_t n;

    consumer->rebalanced = false;
    n = rd_kafka_consume_batch_queue(consumer->queue, 0, messages, max < BATCH ? max : BATCH);
    for (ssize_t i = 0; i < n; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
            messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            keep(consumer, messages[i]);
            continue;
        }
        on_error_message(consumer, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    return n > 0 || consumer->rebalanced;
}

static void hold(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list, bool held)
{
    if (list->cnt > 0 && held)
        rd_kafka_pause_partitions(consumer->rk, list);
    else if (list->cnt > 0)
        rd_kafka_resume_partitions(consumer->rk, list);
}

static void hold_all(struct kafka_consumer *consumer, bool held)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (struct kafka_partition *p = consumer->partitions.head; p != NULL; p = p->next)
        rd_kafka_topic_partition_list_add(list, consumer->topic, p->id);
    hold(consumer, list, held);
    rd_kafka_topic_partition_list_destroy(list);
    consumer->on_hold = held;
}

/* Full or paused. For a moment records just stay in librdkafka; then its partitions are paused, and the queue
 * is polled without getting records, because a member that does not poll is thrown out of its group. */
static void serve_while_held(struct kafka_consumer *consumer)
{
    if (!consumer->on_hold && loop_mono_ms(consumer->loop) - consumer->moved_mono_ms < HOLD_AFTER_MS)
        return;
    if (!consumer->on_hold)
        hold_all(consumer, true);
    while (consumer->backlog_n < BACKLOG_MAX && poll_queue(consumer, BATCH))
        ;
    consumer->woken = false;
}

/* One turn's worth of records. True when some were handed out. */
static bool drain(struct kafka_consumer *consumer)
{
    size_t handed = 0;

    if (consumer->on_hold)
        hold_all(consumer, false);
    consumer->moved_mono_ms = loop_mono_ms(consumer->loop);
    handed = hand_out_kept(consumer);
    while (consumer->backlog_n == 0 && has_room(consumer) && handed < TURN_MAX) {
        if (!poll_queue(consumer, consumer->max_in_flight - consumer->in_flight)) {
            consumer->woken = false;
            break;
        }
        handed += hand_out_kept(consumer);
    }
    if (handed >= TURN_MAX) {
        consumer->yielded = true;
        kafka_wake_again(consumer->wake);
    }
    return handed > 0;
}

static bool drain_hook(void *loop)
{
    bool any = false;

    for (struct kafka_consumer *c = open_ones; c != NULL; c = c->next) {
        if (c->loop != loop || c->yielded)
            continue;
        if (!has_room(c)) {
            if (c->woken && c->on_hold)
                serve_while_held(c);
        } else if (c->woken || c->on_hold || c->backlog_n > 0) {
            any = drain(c) || any;
        }
    }
    return any;
}

static void on_wake(void *arg)
{
    struct kafka_consumer *consumer = arg;

    consumer->woken = true;
    consumer->yielded = false;
}

/* ---- committing ---- */

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                      void *opaque)
{
    struct kafka_consumer *consumer = opaque;
    (void)rk;

    consumer->commit_out_mono_ms = 0;
    note_refusal(consumer, code);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->group_refused[0] = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    LOG_LIMITED(LOG_LEVEL_WARN, "committing offsets failed, trying again", LOG_STR("topic", consumer->topic),
                LOG_STR("error", rd_kafka_err2str(code)));
    if (list != NULL)
        kafka_partitions_unsent(&consumer->partitions, list);
}

static void commit_due(struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(consumer->loop);
    rd_kafka_topic_partition_list_t *list;

    if (consumer->commit_out_mono_ms != 0 && now - consumer->commit_out_mono_ms < COMMIT_LOST_MS)
        return;
    list = kafka_partitions_due(&consumer->partitions, NULL);
    if (list == NULL)
        return;
    consumer->commit_out_mono_ms = now;
    if (rd_kafka_commit(consumer->rk, list, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        consumer->commit_out_mono_ms = 0;
        kafka_partitions_unsent(&consumer->partitions, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* Before partitions go. Waits for the broker, but not for ever: rd_kafka_commit() would. */
static void commit_now(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = kafka_partitions_due(&consumer->partitions, among);
    rd_kafka_queue_t *answers;
    rd_kafka_event_t *event;

    if (list == NULL)
        return;
    answers = rd_kafka_queue_new(consumer->rk);
    if (rd_kafka_commit_queue(consumer->rk, list, answers, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        event = rd_kafka_queue_poll(answers, REVOKE_COMMIT_MS);
        if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
            LOG_WARN(
                "offsets of revoked partitions could not be committed, their next owner repeats some work",
                LOG_STR("topic", consumer->topic),
                LOG_STR("error", event != NULL ? rd_kafka_event_error_string(event) : "no answer"));
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- rebalancing ---- */

static void log_rebalance(const char *what, const struct kafka_consumer *consumer,
                          const rd_kafka_topic_partition_list_t *list)
{
    struct buf ids;

    if (list->cnt == 0)
        return; /* others' partitions moved */
    buf_init(&ids, 2000);
    for (int i = 0; i < list->cnt; i++) {
        if (i > 0)
            buf_addc(&ids, ',');
        buf_addint(&ids, list->elems[i].partition);
    }
    LOG_INFO(what, LOG_STR("topic", consumer->topic), LOG_INT("count", list->cnt),
             LOG_SPAN("partitions", buf_span(&ids)));
    buf_done(&ids);
}

static bool is_cooperative(rd_kafka_t *rk)
{
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

static void log_and_destroy(rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    LOG_ERROR("a rebalance failed", LOG_STR("error", rd_kafka_error_string(error)));
    rd_kafka_error_destroy(error);
}

static void on_assigned(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    log_rebalance("partitions assigned", consumer, list);
    if (is_cooperative(consumer->rk))
        log_and_destroy(rd_kafka_incremental_assign(consumer->rk, list));
    else
        rd_kafka_assign(consumer->rk, list);
    for (int i = 0; i < list->cnt; i++) {
        int32_t id = list->elems[i].partition;
        if (kafka_partition_find(&consumer->partitions, id) == NULL)
            kafka_partition_add(&consumer->partitions, id);
        if (consumer->events.assigned != NULL)
            consumer->events.assigned(consumer->topic, id, consumer->events.arg);
    }
    /* A partition that left us while it was paused is still so at librdkafka when it comes back. */
    hold(consumer, list, consumer->on_hold);
}

static void drop_kept(struct kafka_consumer *consumer, int32_t id)
{
    for (size_t n = consumer->backlog_n; n > 0; n--) {
        rd_kafka_message_t *message = take_kept(consumer);
        if (message->partition == id)
            rd_kafka_message_destroy(message);
        else
            keep(consumer, message);
    }
}

static void on_revoked(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(consumer->rk) != 0;

    consumer->lost = consumer->lost || lost;
    log_rebalance(lost ? "partitions lost" : "partitions revoked", consumer, list);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition =
            kafka_partition_find(&consumer->partitions, list->elems[i].partition);
        if (partition != NULL && consumer->events.revoked != NULL)
            consumer->events.revoked(partition, consumer->events.arg);
    }
    /* What is lost belongs to somebody else already. */
    if (!lost)
        commit_now(consumer, list);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition =
            kafka_partition_find(&consumer->partitions, list->elems[i].partition);
        drop_kept(consumer, list->elems[i].partition);
        if (partition != NULL)
            kafka_partition_drop(&consumer->partitions, partition);
    }
    if (is_cooperative(consumer->rk))
        log_and_destroy(rd_kafka_incremental_unassign(consumer->rk, list));
    else
        rd_kafka_assign(consumer->rk, NULL);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    consumer->rebalanced = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        consumer->joined = true;
        consumer->group_refused[0] = 0;
        on_assigned(consumer, list);
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        on_revoked(consumer, list);
    } else {
        LOG_ERROR("a rebalance failed, joining again", LOG_STR("error", rd_kafka_err2str(code)));
        rd_kafka_assign(rk, NULL);
    }
    rd_kafka_yield(rk);
}

/* ---- time ---- */

/* Whether reading is still refused shows only when fetching begins anew, as it does after a pause. */
static void try_refused(struct kafka_consumer *consumer, int64_t now)
{
    if (consumer->on_hold || !kafka_health_is_refused(consumer->health) ||
        now - consumer->refused_mono_ms < REFUSED_RETRY_MS)
        return;
    consumer->refused_mono_ms = now;
    hold_all(consumer, true);
    hold_all(consumer, false);
}

static void on_tick(void *arg)
{
    struct kafka_consumer *consumer = arg;
    int64_t now = loop_mono_ms(consumer->loop);

    /* An idle queue wakes nobody, but polling is also the sign of life towards the group. */
    consumer->woken = true;
    if (!has_room(consumer))
        serve_while_held(consumer);
    try_refused(consumer, now);
    if (now >= consumer->commit_mono_ms) {
        consumer->commit_mono_ms = now + COMMIT_MS;
        commit_due(consumer);
    }
}

static void measure(void *unused)
{
    (void)unused;
    for (struct kafka_consumer *c = open_ones; c != NULL; c = c->next)
        kafka_partitions_measure(&c->partitions, c->rk);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_consumer *consumer = opaque;

    if (consumer->health != NULL)
        kafka_health_error(consumer->health, rk, code, reason);
}

/* ---- opening and closing ---- */

static void make_slots(struct kafka_consumer *consumer, size_t n)
{
    consumer->max_in_flight = n;
    consumer->slots = mem_calloc(n, sizeof(*consumer->slots));
    for (size_t i = n; i > 0; i--) {
        consumer->slots[i - 1].consumer = consumer;
        consumer->slots[i - 1].next_free = consumer->free_slots;
        consumer->free_slots = &consumer->slots[i - 1];
    }
}

static int subscribe(struct kafka_consumer *consumer, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;

    rd_kafka_topic_partition_list_add(list, consumer->topic, RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return err_set(err, ERR_CONFIG, "cannot subscribe to topic %s: %s", consumer->topic,
                   rd_kafka_err2str(code));
}

static int open_handle(struct kafka_consumer *consumer, const struct settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf;
    int rc = kafka_conf_build(&conf, settings, KAFKA_CONSUMER, err);

    if (rc != 0)
        return rc;
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if ((rc = kafka_handle_new(&consumer->rk, conf, KAFKA_CONSUMER, err)) != 0)
        return rc;
    rd_kafka_poll_set_consumer(consumer->rk);
    consumer->queue = rd_kafka_queue_get_consumer(consumer->rk);
    if ((rc = kafka_wake_new(&consumer->wake, consumer->loop, consumer->queue, on_wake, consumer, err)) != 0)
        return rc;
    return subscribe(consumer, err);
}

/* Before 2.3.0 librdkafka asserts when a cooperative-sticky consumer is destroyed that has not seen its first
 * assignment (its issue 4312). While brokers are away, destroying waits for them as long as it likes;
 * and 2.0.2 was seen waiting for ever on its main thread after partitions had been lost. Such a handle is
 * left to the end of the process, which comes next. */
static bool may_destroy(const struct kafka_consumer *consumer)
{
    if (!consumer->closed_in_time || consumer->lost)
        return false;
    return consumer->joined || rd_kafka_version() >= 0x02030000;
}

static void consumer_free(struct kafka_consumer *consumer)
{
    kafka_wake_free(&consumer->wake);
    kafka_health_free(&consumer->health);
    loop_timer_stop(&consumer->tick);
    while (consumer->backlog_n > 0)
        rd_kafka_message_destroy(take_kept(consumer));
    for (size_t i = 0; i < consumer->max_in_flight; i++) {
        struct kafka_record *record = &consumer->slots[i].record;
        if (consumer->slots[i].out)
            kafka_done(&record);
    }
    while (consumer->partitions.head != NULL)
        kafka_partition_drop(&consumer->partitions, consumer->partitions.head);
    if (consumer->queue != NULL)
        rd_kafka_queue_destroy(consumer->queue);
    if (consumer->rk != NULL && may_destroy(consumer))
        rd_kafka_destroy_flags(consumer->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(consumer->slots);
    free(consumer->topic);
    free(consumer);
}

int kafka_consumer_new(struct kafka_consumer **pointer, struct loop *loop, const struct settings *settings,
                       const char *topic, int max_in_flight, const struct kafka_consumer_events *events,
                       struct err *err)
{
    static bool measured;
    struct kafka_consumer *consumer = mem_calloc(1, sizeof(*consumer));
    int rc;

    assert(max_in_flight > 0);
    *pointer = NULL;
    consumer->loop = loop;
    consumer->closed_in_time = true;
    consumer->events = *events;
    consumer->topic = mem_strdup(topic);
    consumer->partitions.topic = consumer->topic;
    consumer->moved_mono_ms = loop_mono_ms(loop);
    make_slots(consumer, (size_t)max_in_flight);
    if ((rc = open_handle(consumer, settings, err)) != 0) {
        consumer_free(consumer);
        return rc;
    }
    consumer->health = kafka_health_new(loop, consumer->rk);
    kafka_health_topic(consumer->health, topic);
    consumer->tick = loop_timer_start(loop, TICK_MS, TICK_MS, on_tick, consumer);
    consumer->next = open_ones;
    open_ones = consumer;
    loop_at_turn_end(loop, drain_hook, loop);
    if (!measured)
        metric_on_collect(measure, NULL);
    measured = true;
    *pointer = consumer;
    return 0;
}

/* rd_kafka_consumer_close() with an end: leaving the group and the last commits need a broker that
 * answers. */
static void leave_group(struct kafka_consumer *consumer)
{
    int64_t deadline = clock_mono_ms() + CLOSE_MS;
    rd_kafka_message_t *messages[BATCH];

    log_and_destroy(rd_kafka_consumer_close_queue(consumer->rk, consumer->queue));
    while (!rd_kafka_consumer_closed(consumer->rk) && clock_mono_ms() < deadline) {
        ssize_t n = rd_kafka_consume_batch_queue(consumer->queue, 50, messages, BATCH);
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(messages[i]);
    }
    consumer->closed_in_time = rd_kafka_consumer_closed(consumer->rk);
    if (!consumer->closed_in_time)
        LOG_WARN("left the consumer group without the broker's answer", LOG_STR("topic", consumer->topic));
}

void kafka_consumer_close(struct kafka_consumer **pointer)
{
    struct kafka_consumer *consumer = *pointer;
    struct kafka_consumer **link = &open_ones;

    if (consumer == NULL)
        return;
    while (*link != consumer)
        link = &(*link)->next;
    *link = consumer->next;
    kafka_wake_free(&consumer->wake);
    leave_group(consumer);
    consumer_free(consumer);
    *pointer = NULL;
}

/* ---- the rest of the outside ---- */

bool kafka_still_owned(const struct kafka_record *record)
{
    return record->partition->owned;
}

struct span kafka_record_header(const struct kafka_record *record, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value = NULL;
    size_t n = 0;

    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get(headers, 0, name, &value, &n) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return SPAN_NONE;
    return value != NULL ? span_of(value, n) : span_of("", 0);
}

size_t kafka_record_headers(const struct kafka_record *record, struct kafka_header *out, size_t max)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t value_n, n = 0;

    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (n < max &&
           rd_kafka_header_get_all(headers, n, &name, &value, &value_n) == RD_KAFKA_RESP_ERR_NO_ERROR)
        out[n++] = (struct kafka_header){span_str(name), value != NULL ? span_of(value, value_n) : SPAN_NONE};
    return n;
}

int32_t kafka_consumer_partitions(const struct kafka_consumer *consumer)
{
    return kafka_health_partitions(consumer->health, consumer->topic);
}

size_t kafka_in_flight(const struct kafka_consumer *consumer)
{
    return consumer->in_flight;
}

void kafka_pause(struct kafka_consumer *consumer, unsigned why)
{
    consumer->why |= why;
}

void kafka_resume(struct kafka_consumer *consumer, unsigned why)
{
    consumer->why &= ~why | WHY_QUIESCED;
}

void kafka_consumer_quiesce(struct kafka_consumer *consumer)
{
    consumer->why |= WHY_QUIESCED;
}

void kafka_each_partition(struct kafka_consumer *consumer, void (*fn)(int32_t partition_id, void *arg),
                          void *arg)
{
    struct kafka_partition *next;

    for (struct kafka_partition *p = consumer->partitions.head; p != NULL; p = next) {
        next = p->next;
        fn(p->id, arg);
    }
}

bool kafka_consumer_ready(struct kafka_consumer *consumer, struct buf *why)
{
    if (!kafka_health_ready(consumer->health, why))
        return false;
    if (consumer->joined && consumer->group_refused[0] == 0)
        return true;
    buf_adds(why, consumer->group_refused[0] != 0 ? consumer->group_refused : "joining the consumer group");
    return false;
}
