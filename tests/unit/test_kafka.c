/* common/kafka against librdkafka's mock cluster, which speaks Kafka's protocol over real sockets. With
 * KAFKA_BOOTSTRAP set to the address of a real Kafka the same promises are tried there, apart from those that
 * need to break a broker. */
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

#include "common/clock.h"
#include "common/kafka.h"
#include "common/mem.h"
#include "common/metrics.h"

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

static void make_topic(const char *topic, int partitions)
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

static void property(struct test *test, const char *name, const char *value)
{
    union {
        const char *in;
        char *out;
    } n = {name}, v = {value};

    test->properties[test->settings.kafka_n++] = (struct settings_kafka_property){n.out, v.out};
}

static void test_init(struct test *test, int partitions)
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

static void test_done(struct test *test)
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

static void look(void *arg)
{
    struct test *test = arg;

    test->in_time = test->until(test);
    if (test->in_time || clock_mono_ms() > test->deadline_mono_ms)
        loop_quit(test->loop);
}

static void run_until(struct test *test, bool (*until)(struct test *test))
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

static bool a_while_passed(struct test *test)
{
    (void)test;
    return clock_mono_ms() - wait_start_ms > 1600;
}

static void run_a_while(struct test *test)
{
    wait_start_ms = clock_mono_ms();
    run_until(test, a_while_passed);
}

/* ---- producing and consuming ---- */

static void on_ack(const char *error, void *arg)
{
    struct test *test = arg;

    assert_false(test->inside);
    test->acked += error == NULL;
    test->failed += error != NULL;
    if (error != NULL)
        snprintf(test->error, sizeof(test->error), "%s", error);
}

static void open_producer(struct test *test)
{
    struct err err = ERR_INIT;
    assert_int_equal(kafka_producer_new(&test->producer, test->loop, &test->settings, &err), 0);
}

/* The next `n` numbers; the key is the number modulo 16. */
static void produce(struct test *test, int n, int64_t timeout_ms)
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

static bool all_acked(struct test *test)
{
    return test->acked + test->failed == test->produced && kafka_producer_pending(test->producer) == 0;
}

static bool all_told(struct test *test)
{
    return test->acked + test->failed == test->produced;
}

static bool all_seen(struct test *test)
{
    return test->seen_n == test->produced;
}

static void on_record(struct kafka_record *record, void *arg)
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

static void on_assigned(const char *topic, int32_t partition_id, void *arg)
{
    struct test *test = arg;

    assert_string_equal(topic, test->topic);
    assert_in_range(partition_id, 0, PARTITIONS - 1);
    test->assigned++;
}

static void on_revoked(struct kafka_partition *partition, void *arg)
{
    struct test *test = arg;

    assert_non_null(partition);
    test->revoked++;
}

static void open_consumer(struct test *test, struct kafka_consumer **consumer, int max_in_flight)
{
    struct kafka_consumer_events events = {on_record, on_assigned, on_revoked, test};
    struct err err = ERR_INIT;

    assert_int_equal(
        kafka_consumer_new(consumer, test->loop, &test->settings, test->topic, max_in_flight, &events, &err),
        0);
}

static void finish_out(struct test *test)
{
    int n = test->out_n;

    test->out_n = 0;
    for (int i = n - 1; i >= 0; i--)
        kafka_done(&test->out[i]);
}

/* The sum of what the group committed in all partitions; -1 for none. */
static int64_t committed(struct test *test)
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

static bool consumer_ready(struct test *test)
{
    struct buf why;
    buf_init(&why, 500);
    bool ready = kafka_consumer_ready(test->consumer, &why);
    snprintf(test->error, sizeof(test->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static bool producer_ready(struct test *test)
{
    struct buf why;
    buf_init(&why, 500);
    bool ready = kafka_producer_ready(test->producer, &why);
    snprintf(test->error, sizeof(test->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static bool producer_not_ready(struct test *test)
{
    return !producer_ready(test);
}

/* ---- promises of the consumer ---- */

static void records_arrive_whole_and_their_offsets_are_committed(void **state)
{
    static struct test test;
    struct kafka_record *record;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    produce(&test, 500, 0);
    run_until(&test, all_acked);
    test.keep = true;
    open_consumer(&test, &test.consumer, 500);
    run_until(&test, all_seen);
    record = test.out[0];
    assert_true(span_is(kafka_record_header(record, "ce_id"), "one"));
    assert_true(span_is(kafka_record_header(record, "empty"), ""));
    assert_non_null(kafka_record_header(record, "empty").p);
    assert_null(kafka_record_header(record, "none").p);
    assert_int_equal(record->key.p[0], 'k');
    assert_true(record->timestamp_ms > clock_wall_ms() - 60000);
    assert_string_equal(record->topic, test.topic);
    assert_true(kafka_still_owned(record));
    assert_int_equal(record->partition_id, kafka_key_partition(record->key, PARTITIONS));
    assert_int_equal(test.misordered, 0);
    assert_int_equal(test.assigned, PARTITIONS);
    assert_int_equal(committed(&test), -1);
    finish_out(&test);
    run_a_while(&test); /* longer than the second between commits */
    assert_int_equal(committed(&test), 500);
    run_until(&test, consumer_ready);
    test_done(&test);
    assert_int_equal(test.revoked, PARTITIONS);
}

static void what_is_not_done_comes_again(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, 1);
    open_producer(&test);
    produce(&test, 10, 0);
    run_until(&test, all_acked);
    test.keep = true;
    open_consumer(&test, &test.consumer, 100);
    run_until(&test, all_seen);
    for (int i = 0; i < 10; i++) {
        if (i != 4)
            kafka_done(&test.out[i]);
    }
    kafka_consumer_close(&test.consumer);
    test.keep = false;
    test.seen_n = 4; /* 0 to 3 are committed */
    memset(test.seen, 0, sizeof(test.seen));
    test.last[0] = -1;
    open_consumer(&test, &test.consumer, 100);
    run_until(&test, all_seen);
    assert_int_equal(test.seen[3], 0);
    assert_int_equal(test.seen[4], 1);
    assert_int_equal(test.repeated, 0);
    test_done(&test);
}

static bool twenty_out(struct test *test)
{
    return test->out_n == 20;
}

static void no_more_than_max_in_flight_are_out(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    produce(&test, 300, 0);
    run_until(&test, all_acked);
    test.keep = true;
    open_consumer(&test, &test.consumer, 20);
    run_until(&test, twenty_out);
    for (int i = 0; i < 3; i++) {
        run_a_while(&test); /* long enough for the partitions to be paused at librdkafka */
        assert_int_equal(test.out_n, 20);
        assert_int_equal(kafka_in_flight(test.consumer), 20);
        finish_out(&test);
    }
    test.keep = false;
    run_until(&test, all_seen);
    assert_int_equal(test.repeated, 0);
    assert_int_equal(test.misordered, 0);
    assert_int_equal(test.most_out, 20);
    assert_int_equal(kafka_in_flight(test.consumer), 0);
    test_done(&test);
}

static void paused_consumer_takes_nothing_and_loses_nothing(void **state)
{
    static struct test test;
    int before;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    open_consumer(&test, &test.consumer, 1000);
    produce(&test, 2000, 0);
    run_until(&test, all_seen);
    kafka_pause(test.consumer, 1);
    kafka_pause(test.consumer, 4);
    before = test.seen_n;
    produce(&test, 2000, 0);
    run_until(&test, all_acked);
    run_a_while(&test);
    kafka_resume(test.consumer, 4);
    kafka_resume(test.consumer, 4);
    run_a_while(&test);
    assert_int_equal(test.seen_n, before);
    kafka_resume(test.consumer, 1);
    run_until(&test, all_seen);
    produce(&test, 100, 0);
    run_until(&test, all_seen);
    assert_int_equal(test.repeated, 0);
    assert_int_equal(test.misordered, 0);
    kafka_consumer_quiesce(test.consumer);
    kafka_resume(test.consumer, ~0u);
    before = test.seen_n;
    produce(&test, 10, 0);
    run_until(&test, all_acked);
    run_a_while(&test);
    assert_int_equal(test.seen_n, before);
    test_done(&test);
}

static void count_partition(int32_t id, void *arg)
{
    int *count = arg;
    (void)id;
    (*count)++;
}

static bool shared_evenly(struct test *test)
{
    int first = 0;
    int second = 0;

    kafka_each_partition(test->consumer, count_partition, &first);
    kafka_each_partition(test->second, count_partition, &second);
    return first == PARTITIONS / 2 && second == PARTITIONS / 2;
}

static void full_consumer_still_hands_partitions_over(void **state)
{
    static struct test test;
    int gone = 0;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    produce(&test, 400, 0);
    run_until(&test, all_acked);
    test.keep = true;
    open_consumer(&test, &test.consumer, 400);
    run_until(&test, all_seen);
    assert_int_equal(kafka_in_flight(test.consumer), 400);
    /* The records that the first one holds are not done, so the second one gets those of its partitions
     * again. */
    test.keep = false;
    open_consumer(&test, &test.second, 400);
    run_until(&test, shared_evenly);
    assert_int_equal(test.revoked, PARTITIONS / 2);
    for (int i = 0; i < test.out_n; i++)
        gone += !kafka_still_owned(test.out[i]);
    assert_true(gone > 0 && gone < 400);
    /* What was revoked stays readable; finishing it commits nothing here. */
    for (int i = 0; i < test.out_n; i++)
        assert_int_equal(test.out[i]->key.p[0], 'k');
    finish_out(&test);
    run_a_while(&test);
    assert_int_equal(test.repeated, gone);
    assert_int_equal(committed(&test), 400);
    for (int i = 0; i < PARTITIONS; i++)
        test.last[i] = -1;
    produce(&test, 1000, 0);
    run_until(&test, all_seen);
    kafka_consumer_close(&test.consumer);
    produce(&test, 1000, 0);
    run_until(&test, all_seen);
    /* The mock cluster throws the second one out when the first one leaves ("generation id is not valid"),
     * and what is lost so may come again. */
    if (cluster == NULL)
        assert_int_equal(test.repeated, gone);
    test_done(&test);
}

static double lag_of(struct test *test)
{
    struct buf text;
    double sum = 0;

    buf_init(&text, 1 << 20);
    metrics_render(&text); /* calls the collectors */
    buf_done(&text);
    for (int i = 0; i < PARTITIONS; i++) {
        char label[12];
        snprintf(label, sizeof(label), "%d", i);
        sum += metric_value(metric_series(M_CONSUMER_LAG, test->topic, label));
    }
    return sum;
}

static bool hundred_seen(struct test *test)
{
    return test->seen_n >= 100;
}

static void lag_is_what_is_not_done_yet(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    produce(&test, 100, 0);
    run_until(&test, all_acked);
    test.keep = true;
    open_consumer(&test, &test.consumer, 1000);
    run_until(&test, hundred_seen);
    assert_int_equal(lag_of(&test), 100);
    finish_out(&test);
    assert_int_equal(lag_of(&test), 0);
    test_done(&test);
}

/* ---- promises of the producer ---- */

static void each_message_is_acknowledged_once_and_in_order(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    open_consumer(&test, &test.consumer, 1000);
    for (int i = 0; i < 10; i++) {
        produce(&test, 2000, 5000);
        run_until(&test, all_acked);
    }
    assert_int_equal(test.acked, 20000);
    run_until(&test, all_seen);
    assert_int_equal(test.repeated, 0);
    assert_int_equal(test.misordered, 0);
    kafka_produce(test.producer, test.topic, SPAN_NONE, SPAN_LIT("1"), NULL, 0, 0, NULL, NULL);
    run_until(&test, all_acked);
    test_done(&test);
}

static void full_queue_delays_messages_but_keeps_them_and_their_order(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, PARTITIONS);
    property(&test, "queue.buffering.max.messages", "10");
    open_producer(&test);
    produce(&test, 3000, 0);
    assert_true(kafka_producer_full(test.producer));
    assert_int_equal(kafka_producer_pending(test.producer), 3000);
    run_until(&test, all_acked);
    assert_int_equal(test.acked, 3000);
    assert_false(kafka_producer_full(test.producer));
    open_consumer(&test, &test.consumer, 1000);
    run_until(&test, all_seen);
    assert_int_equal(test.repeated, 0);
    assert_int_equal(test.misordered, 0);
    test_done(&test);
}

static void what_cannot_be_sent_fails_after_the_call_returned(void **state)
{
    static struct test test;
    char *large = mem_calloc(1, 2000000);
    char name[600];
    (void)state;

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    test.inside = true;
    kafka_produce(test.producer, test.topic, SPAN_NONE, span_of(large, 2000000), NULL, 0, 1000, on_ack,
                  &test);
    kafka_produce(test.producer, name, SPAN_NONE, SPAN_LIT("x"), NULL, 0, 0, on_ack, &test);
    test.inside = false;
    test.produced = 2;
    run_until(&test, all_acked);
    assert_int_equal(test.failed, 2);
    test_done(&test);
    free(large);
}

static void silent_brokers_fail_messages_in_time_and_once(void **state)
{
    static struct test test;
    int64_t start;
    (void)state;

    if (cluster == NULL)
        return;
    test_init(&test, PARTITIONS);
    open_producer(&test);
    kafka_producer_needs_topic(test.producer, test.topic);
    produce(&test, 10, 0);
    run_until(&test, all_acked);
    run_until(&test, producer_ready);
    rd_kafka_mock_broker_set_down(cluster, 1);
    start = clock_mono_ms();
    produce(&test, 1000, 600);
    run_until(&test, all_told);
    assert_in_range(clock_mono_ms() - start, 600, 1500);
    assert_int_equal(test.failed, 1000);
    assert_int_equal(kafka_producer_pending(test.producer), 1000);
    run_until(&test, producer_not_ready);
    rd_kafka_mock_broker_set_up(cluster, 1);
    run_until(&test, producer_ready);
    run_until(&test, all_acked);
    assert_int_equal(test.acked, 10);
    assert_int_equal(test.failed, 1000);
    test_done(&test);
}

static void closing_tells_everybody(void **state)
{
    static struct test test;
    (void)state;

    if (cluster == NULL)
        return;
    test_init(&test, PARTITIONS);
    property(&test, "queue.buffering.max.messages", "100");
    open_producer(&test);
    produce(&test, 10, 0);
    run_until(&test, all_acked);
    rd_kafka_mock_broker_set_down(cluster, 1);
    produce(&test, 300, 0);
    kafka_producer_close(&test.producer, 300);
    assert_int_equal(test.failed, 300);
    rd_kafka_mock_broker_set_up(cluster, 1);
    test_done(&test);
}

static bool names_missing_topic(struct test *test)
{
    return !producer_ready(test) && strstr(test->error, test->topic) != NULL;
}

static void missing_topic_is_named_until_it_exists(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, 0);
    if (cluster != NULL)
        rd_kafka_mock_topic_set_error(cluster, test.topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    open_producer(&test);
    kafka_producer_needs_topic(test.producer, test.topic);
    open_consumer(&test, &test.consumer, 10);
    assert_false(consumer_ready(&test));
    run_until(&test, names_missing_topic);
    assert_false(consumer_ready(&test));
    if (cluster != NULL)
        rd_kafka_mock_topic_set_error(cluster, test.topic, RD_KAFKA_RESP_ERR_NO_ERROR);
    else
        make_topic(test.topic, PARTITIONS);
    run_until(&test, producer_ready);
    run_until(&test, consumer_ready);
    produce(&test, 5, 0);
    run_until(&test, all_seen);
    test_done(&test);
}

/* Values of Kafka's own test of its Java partitioner. */
static void keys_map_to_partitions_as_in_java(void **state)
{
    (void)state;
    assert_int_equal(kafka_key_partition(SPAN_LIT("21"), 1000000), (-973932308 & 0x7fffffff) % 1000000);
    assert_int_equal(kafka_key_partition(SPAN_LIT("foobar"), 1000000), (-790332482 & 0x7fffffff) % 1000000);
    assert_int_equal(kafka_key_partition(SPAN_LIT("a-little-bit-long-string"), 97),
                     (-985981536 & 0x7fffffff) % 97);
}

/* ---- settings ---- */

static int check(struct test *test, const char *name, const char *value)
{
    struct err err = ERR_INIT;
    int rc;

    test->settings.kafka_n = 1; /* the address alone */
    if (name != NULL)
        property(test, name, value);
    rc = kafka_check_settings(&test->settings, &err);
    snprintf(test->error, sizeof(test->error), "%s", err.text);
    return rc;
}

static void wrong_properties_are_named_as_variables(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, 0);
    assert_int_equal(check(&test, NULL, NULL), 0);
    assert_int_equal(check(&test, "linger.ms", "20"), 0);
    assert_int_equal(check(&test, "session.timeout.ms", "10000"), 0);
    assert_int_equal(check(&test, "socket.timeout.ms", "10000"), 0);
    assert_int_equal(check(&test, "group.instance.id", "a"), 0);
    assert_int_equal(check(&test, "partition.assignment.strategy", "range"), 0);
    assert_int_equal(check(&test, "no.such", "1"), ERR_CONFIG);
    assert_non_null(strstr(test.error, "IVR_KAFKA_NO_SUCH"));
    assert_int_equal(check(&test, "linger", "1"), ERR_CONFIG);
    assert_int_equal(check(&test, "linger.ms", "soon"), ERR_CONFIG);
    assert_non_null(strstr(test.error, "IVR_KAFKA_LINGER_MS"));
    assert_int_equal(check(&test, "session.timeout.ms", "-1"), ERR_CONFIG);
    assert_non_null(strstr(test.error, "IVR_KAFKA_SESSION_TIMEOUT_MS"));
    assert_int_equal(check(&test, "group.id", "x"), ERR_CONFIG);
    assert_non_null(strstr(test.error, "IVR_GROUP_ID"));
    /* Each is fine by itself, together with what we promise they contradict. */
    assert_int_equal(check(&test, "max.in.flight.requests.per.connection", "100"), ERR_CONFIG);
    test_done(&test);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    if (cluster != NULL)
        rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_arrive_whole_and_their_offsets_are_committed),
        cmocka_unit_test(what_is_not_done_comes_again),
        cmocka_unit_test(no_more_than_max_in_flight_are_out),
        cmocka_unit_test(paused_consumer_takes_nothing_and_loses_nothing),
        cmocka_unit_test(full_consumer_still_hands_partitions_over),
        cmocka_unit_test(lag_is_what_is_not_done_yet),
        cmocka_unit_test(each_message_is_acknowledged_once_and_in_order),
        cmocka_unit_test(full_queue_delays_messages_but_keeps_them_and_their_order),
        cmocka_unit_test(what_cannot_be_sent_fails_after_the_call_returned),
        cmocka_unit_test(silent_brokers_fail_messages_in_time_and_once),
        cmocka_unit_test(closing_tells_everybody),
        cmocka_unit_test(missing_topic_is_named_until_it_exists),
        cmocka_unit_test(keys_map_to_partitions_as_in_java),
        cmocka_unit_test(wrong_properties_are_named_as_variables),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
