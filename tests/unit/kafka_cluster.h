/*
 * A cluster, a topic and one who produces and consumes there. The cluster is librdkafka's mock, which speaks
 * Kafka's protocol over real sockets; with KAFKA_BOOTSTRAP set to the address of a real Kafka the same
 * promises are tried there, apart from those that need to break a broker.
 */
#ifndef IVR_UNIT_KAFKA_CLUSTER_H
#define IVR_UNIT_KAFKA_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/run/metrics.h"

enum { RECORDS_MAX = 30000, PARTITIONS = 4, OUT_MAX = 1000 };

static rd_kafka_t *host; /* of the mock cluster, and for looking at committed offsets */
static rd_kafka_mock_cluster_t *cluster;
static const char *bootstrap;

/* ---- a cluster, a topic, settings ---- */

struct test {
    struct loop *loop;
    char topic[40];
    char group[40];
    struct settings settings;
    struct settings_kafka_property properties[8];
    int64_t deadline_mono_ms;
    bool (*until)(struct test *test);
    bool in_time;
    struct kafka_producer *producer;
    struct kafka_consumer *consumer;
    struct kafka_consumer *second;
    int acked;
    int failed;
    char error[300];
    bool inside;
    /* what the consumers got */
    bool keep; /* records stay out until the test is done with them */
    int seen[RECORDS_MAX];
    int seen_n; /* different ones */
    int repeated;
    int misordered;
    int last[PARTITIONS];
    struct kafka_record *out[OUT_MAX];
    int out_n;
    int most_out;
    int assigned;
    int revoked;
    int produced;
};

static inline void make_topic(const char *topic, int partitions)
{
    if (cluster != NULL) {
        assert_int_equal(rd_kafka_mock_topic_create(cluster, topic, partitions, 1), 0);
        return;
    }
    char text[200];
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, 1, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(host);
    rd_kafka_CreateTopics(host, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    assert_non_null(event);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
}

static inline void property(struct test *test, const char *name, const char *value)
{
    union {
        const char *in;
        char *out;
    } n = {name}, v = {value};

    test->properties[test->settings.kafka_n++] = (struct settings_kafka_property){n.out, v.out};
}

static inline void test_init(struct test *test, int partitions)
{
    static int count;
    char program[] = "test";

    memset(test, 0, sizeof(*test));
    count++;
    snprintf(test->topic, sizeof(test->topic), "t%lld-%d", (long long)clock_wall_ms(), count);
    snprintf(test->group, sizeof(test->group), "g%lld-%d", (long long)clock_wall_ms(), count);
    test->loop = loop_new();
    test->settings.program = mem_strdup(program);
    test->settings.group_id = test->group;
    test->settings.kafka = test->properties;
    property(test, "bootstrap.servers", bootstrap);
    /* The mock cluster notices who left by the session alone. */
    property(test, "session.timeout.ms", "6000");
    property(test, "heartbeat.interval.ms", "500");
    for (int i = 0; i < PARTITIONS; i++)
        test->last[i] = -1;
    if (partitions > 0)
        make_topic(test->topic, partitions);
}

static inline void test_done(struct test *test)
{
    union {
        const char *in;
        char *out;
    } program = {test->settings.program};

    kafka_consumer_close(&test->consumer);
    kafka_consumer_close(&test->second);
    kafka_producer_close(&test->producer, 5000);
    free(program.out);
    loop_free(&test->loop);
}

static inline void look(void *arg)
{
    struct test *test = arg;

    test->in_time = test->until(test);
    if (test->in_time || clock_mono_ms() > test->deadline_mono_ms)
        loop_quit(test->loop);
}

static inline void run_until(struct test *test, bool (*until)(struct test *test))
{
    struct loop_timer *timer;

    test->until = until;
    test->deadline_mono_ms = clock_mono_ms() + 30000;
    timer = loop_timer_start(test->loop, 0, 5, look, test);
    loop_run(test->loop);
    loop_timer_stop(&timer);
    assert_true(test->in_time);
}

static int64_t wait_start_ms;

static inline bool a_while_passed(struct test *test)
{
    (void)test;
    return clock_mono_ms() - wait_start_ms > 1600;
}

static inline void run_a_while(struct test *test)
{
    wait_start_ms = clock_mono_ms();
    run_until(test, a_while_passed);
}

/* ---- producing and consuming ---- */

static inline void on_ack(const char *error, void *arg)
{
    struct test *test = arg;

    assert_false(test->inside);
    test->acked += error == NULL;
    test->failed += error != NULL;
    if (error != NULL)
        snprintf(test->error, sizeof(test->error), "%s", error);
}

static inline void open_producer(struct test *test)
{
    struct err err = ERR_INIT;
    assert_int_equal(kafka_producer_new(&test->producer, test->loop, &test->settings, &err), 0);
}

/* The next `n` numbers; the key is the number modulo 16. */
static inline void produce(struct test *test, int n, int64_t timeout_ms)
{
    const struct kafka_header headers[] = {{SPAN_LIT("ce_id"), SPAN_LIT("one")},
                                           {SPAN_LIT("ce_id"), SPAN_LIT("two")},
                                           {SPAN_LIT("empty"), SPAN_LIT("")}};

    test->inside = true;
    for (int i = 0; i < n; i++) {
        char value[16];
        char key[16];
        int value_n = snprintf(value, sizeof(value), "%d", test->produced);
        int key_n = snprintf(key, sizeof(key), "k%d", test->produced++ % 16);
        kafka_produce(test->producer, test->topic, span_of(key, (size_t)key_n),
                      span_of(value, (size_t)value_n), headers, 3, timeout_ms, on_ack, test);
    }
    test->inside = false;
}

static inline bool all_acked(struct test *test)
{
    return test->acked + test->failed == test->produced && kafka_producer_pending(test->producer) == 0;
}

static inline bool all_told(struct test *test)
{
    return test->acked + test->failed == test->produced;
}

static inline bool all_seen(struct test *test)
{
    return test->seen_n == test->produced;
}

static inline void on_record(struct kafka_record *record, void *arg)
{
    struct test *test = arg;
    char text[16];
    int number;

    assert_true(record->value.n < sizeof(text));
    memcpy(text, record->value.p, record->value.n);
    text[record->value.n] = 0;
    number = (int)strtol(text, NULL, 10);
    assert_in_range(number, 0, RECORDS_MAX - 1);
    test->seen_n += test->seen[number] == 0;
    test->repeated += test->seen[number]++ > 0;
    test->misordered += number <= test->last[record->partition_id];
    test->last[record->partition_id] = number;
    assert_null(record->user[0]);
    record->user[0] = test;
    if (!test->keep) {
        kafka_done(&record);
        return;
    }
    assert_true(test->out_n < OUT_MAX);
    test->out[test->out_n++] = record;
    test->most_out = test->out_n > test->most_out ? test->out_n : test->most_out;
}

static inline void on_assigned(const char *topic, int32_t partition_id, void *arg)
{
    struct test *test = arg;

    assert_string_equal(topic, test->topic);
    assert_in_range(partition_id, 0, PARTITIONS - 1);
    test->assigned++;
}

static inline void on_revoked(struct kafka_partition *partition, void *arg)
{
    struct test *test = arg;

    assert_non_null(partition);
    test->revoked++;
}

static inline void open_consumer(struct test *test, struct kafka_consumer **consumer, int max_in_flight)
{
    struct kafka_consumer_events events = {on_record, on_assigned, on_revoked, test};
    struct err err = ERR_INIT;

    assert_int_equal(
        kafka_consumer_new(consumer, test->loop, &test->settings, test->topic, max_in_flight, &events, &err),
        0);
}

static inline void finish_out(struct test *test)
{
    int n = test->out_n;

    test->out_n = 0;
    for (int i = n - 1; i >= 0; i--)
        kafka_done(&test->out[i]);
}

/* The sum of what the group committed in all partitions; -1 for none. */
static inline int64_t committed(struct test *test)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t sum = -1;

    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", test->group, NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(rk);
    for (int i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, test->topic, i);
    assert_int_equal(rd_kafka_committed(rk, list, 10000), 0);
    for (int i = 0; i < PARTITIONS; i++) {
        if (list->elems[i].offset >= 0)
            sum = (sum < 0 ? 0 : sum) + list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return sum;
}

static inline bool consumer_ready(struct test *test)
{
    struct buf why;
    buf_init(&why, 500);
    bool ready = kafka_consumer_ready(test->consumer, &why);
    snprintf(test->error, sizeof(test->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static inline bool producer_ready(struct test *test)
{
    struct buf why;
    buf_init(&why, 500);
    bool ready = kafka_producer_ready(test->producer, &why);
    snprintf(test->error, sizeof(test->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static inline bool producer_not_ready(struct test *test)
{
    return !producer_ready(test);
}

static inline int setup(void **state)
{
    char text[200];
    const char *real = getenv("KAFKA_BOOTSTRAP");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)state;

    if (real != NULL)
        rd_kafka_conf_set(conf, "bootstrap.servers", real, NULL, 0);
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (host == NULL)
        return -1;
    cluster = real == NULL ? rd_kafka_mock_cluster_new(host, 1) : NULL;
    bootstrap = real != NULL ? real : rd_kafka_mock_cluster_bootstraps(cluster);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    if (cluster != NULL)
        rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

#endif
