/* common/kafka, producing: each message is told about once, whatever the brokers do. */
#include "tests/unit/kafka_cluster.h"

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
    const size_t large_n = 11 * 1024 * 1024; /* message.max.bytes of ours is 10 MiB */
    char *large = mem_calloc(1, large_n);
    char name[600];
    (void)state;

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    test.inside = true;
    kafka_produce(test.producer, test.topic, SPAN_NONE, span_of(large, large_n), NULL, 0, 1000, on_ack,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_is_acknowledged_once_and_in_order),
        cmocka_unit_test(full_queue_delays_messages_but_keeps_them_and_their_order),
        cmocka_unit_test(what_cannot_be_sent_fails_after_the_call_returned),
        cmocka_unit_test(silent_brokers_fail_messages_in_time_and_once),
        cmocka_unit_test(closing_tells_everybody),
        cmocka_unit_test(missing_topic_is_named_until_it_exists),
        cmocka_unit_test(keys_map_to_partitions_as_in_java),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
