/* common/kafka, consuming and its settings: what is not done comes again, what is done does not. */
#include "tests/unit/kafka_cluster.h"

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

static bool all_come_back(struct test *test)
{
    int owned = 0;
    kafka_each_partition(test->consumer, count_partition, &owned);
    return owned == PARTITIONS;
}

static void partitions_that_left_while_they_were_paused_are_read_when_they_come_back(void **state)
{
    static struct test test;
    (void)state;

    test_init(&test, PARTITIONS);
    open_producer(&test);
    open_consumer(&test, &test.consumer, 400);
    produce(&test, 100, 0);
    run_until(&test, all_seen);
    kafka_pause(test.consumer, 1);
    run_a_while(&test); /* long enough for the partitions to be paused at librdkafka */
    open_consumer(&test, &test.second, 400);
    run_until(&test, shared_evenly);
    kafka_resume(test.consumer, 1);
    run_a_while(&test);
    kafka_consumer_close(&test.second);
    run_until(&test, all_come_back);
    for (int i = 0; i < PARTITIONS; i++)
        test.last[i] = -1; /* what was read last may come again */
    produce(&test, 400, 0);
    run_until(&test, all_seen);
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
    /* Fine by itself, and it contradicts session.timeout.ms. */
    assert_int_equal(check(&test, "max.poll.interval.ms", "1000"), ERR_CONFIG);
    test_done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_arrive_whole_and_their_offsets_are_committed),
        cmocka_unit_test(what_is_not_done_comes_again),
        cmocka_unit_test(no_more_than_max_in_flight_are_out),
        cmocka_unit_test(paused_consumer_takes_nothing_and_loses_nothing),
        cmocka_unit_test(full_consumer_still_hands_partitions_over),
        cmocka_unit_test(partitions_that_left_while_they_were_paused_are_read_when_they_come_back),
        cmocka_unit_test(lag_is_what_is_not_done_yet),
        cmocka_unit_test(wrong_properties_are_named_as_variables),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
