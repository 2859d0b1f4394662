#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"
#include "workers/calls/counters.h"
#include "workers/calls/summary.h"

/* ---- a summary's counters as a JSON object ---- */

struct field {
    const char *name;
    const char *value;
};

static json_t *json_of(bool window, const struct field *fields, size_t n)
{
    struct counters *counters = counters_new(window);
    struct buf b;
    for (size_t i = 0; i < n; i++)
        counters_add(counters, span_str(fields[i].name), span_str(fields[i].value));
    counters_sum(counters);
    buf_init(&b, 1024 * 1024);
    buf_addc(&b, '{');
    counters_add_json(&b, counters);
    buf_addc(&b, '}');
    json_t *json = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buf_done(&b);
    counters_free(&counters);
    return json;
}

#define CAMPAIGN(...)                                                                                        \
    json_of(false, (const struct field[]){__VA_ARGS__},                                                      \
            sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field))
#define WINDOW(...)                                                                                          \
    json_of(true, (const struct field[]){__VA_ARGS__},                                                       \
            sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field))

static int64_t int_at(const json_t *json, const char *a, const char *b)
{
    const json_t *value = json_object_get(json, a);
    if (b != NULL)
        value = json_object_get(value, b);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* ---- adding up ---- */

static void shards_and_channels_add_up(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|calls", "5"}, {"ke|waiting", "1"}, {"ke|s:7", "3"}, {"ke|d:expired", "1"},
                            {"ug|calls", "2"}, {"ug|s:1", "2"}, {"ke|calls", "4"}, {"ke|s:7", "4"});
    assert_int_equal(int_at(json, "calls", NULL), 11);
    assert_int_equal(int_at(json, "waiting", NULL), 1);
    assert_int_equal(int_at(json, "by_status", "Completed"), 7);
    assert_int_equal(int_at(json, "by_status", "Pending"), 2);
    assert_int_equal(int_at(json, "dropped", "expired"), 1);
    const json_t *ke = json_object_get(json_object_get(json, "by_channel"), "ke");
    assert_int_equal(int_at(ke, "calls", NULL), 9);
    assert_int_equal(int_at(ke, "by_status", "Completed"), 7);
    assert_int_equal(int_at(ke, "by_status", "Pending"), 0);
    json_decref(json);
}

static void every_status_hop_and_usual_drop_is_listed_even_at_zero(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|calls", "1"}, {"ke|waiting", "1"});
    assert_int_equal(json_object_size(json_object_get(json, "by_status")), 7);
    assert_int_equal(json_object_size(json_object_get(json, "hops")), 5);
    assert_int_equal(json_object_size(json_object_get(json, "dropped")), 2);
    assert_int_equal(json_object_size(json_object_get(json, "by_reason")), 0);
    assert_int_equal(json_object_size(json_object_get(json, "cost")), 0);
    assert_true(json_is_null(json_object_get(json_object_get(json, "ring_seconds"), "p50")));
    assert_int_equal(int_at(json, "talk_seconds", "sum"), 0);
    json_decref(json);
}

static void what_went_back_to_zero_is_left_out(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|calls", "1"}, {"ke|r:busy", "1"}, {"ke|r:busy", "-1"}, {"ke|r:21211", "1"},
                            {"ke|d:do_not_call", "0"}, {"old|calls", "0"}, {"ke|cost:USD", "0"});
    assert_int_equal(json_object_size(json_object_get(json, "by_reason")), 1);
    assert_int_equal(int_at(json, "by_reason", "21211"), 1);
    assert_int_equal(json_object_size(json_object_get(json, "dropped")), 2);
    assert_int_equal(json_object_size(json_object_get(json, "by_channel")), 1);
    assert_int_equal(json_object_size(json_object_get(json, "cost")), 0);
    json_decref(json);
}

static void other_drop_reasons_are_listed(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|d:do_not_call", "3"}, {"ke|d:cancelled", "2"});
    assert_int_equal(int_at(json, "dropped", "do_not_call"), 3);
    assert_int_equal(int_at(json, "dropped", "cancelled"), 2);
    assert_int_equal(int_at(json, "dropped", "expired"), 0);
    json_decref(json);
}

static void reasons_may_hold_any_text(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|r:a|b \"c\":d", "2"});
    assert_int_equal(int_at(json, "by_reason", "a|b \"c\":d"), 2);
    json_decref(json);
    json = WINDOW({"r:a|b", "2"}, {"attempts", "2"}, {"s:3", "2"});
    assert_int_equal(int_at(json, "by_reason", "a|b"), 2);
    assert_int_equal(int_at(json, "attempts", NULL), 2);
    assert_null(json_object_get(json, "by_channel"));
    assert_null(json_object_get(json, "calls"));
    json_decref(json);
}

static void what_is_no_counter_is_left_out(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"nonsense", "7"}, {"ke|calls", "x"}, {"ke|calls", ""}, {"ke|calls", "-"},
                            {"ke|calls", "2"}, {"", "3"}, {"ke|calls", "99999999999999999999"});
    assert_int_equal(int_at(json, "calls", NULL), 2);
    json_decref(json);
}

static void the_first_call_is_the_earliest_of_the_shards(void **state)
{
    (void)state;
    struct counters *counters = counters_new(false);
    assert_true(counters_empty(counters));
    counters_add(counters, SPAN_LIT("first"), SPAN_LIT("1763848250123"));
    counters_add(counters, SPAN_LIT("first"), SPAN_LIT("1763848250100"));
    counters_add(counters, SPAN_LIT("first"), SPAN_LIT("1763848250999"));
    counters_sum(counters);
    assert_false(counters_empty(counters));
    assert_int_equal(counters_first_ms(counters), 1763848250100);
    assert_int_equal(counters_get(counters, "calls"), 0);
    counters_free(&counters);
}

/* ---- rates and money ---- */

static void assert_rate(const char *completed, const char *busy, const char *pending, double expected)
{
    json_t *json = CAMPAIGN({"ke|s:7", completed}, {"ke|s:6", busy}, {"ke|s:1", pending});
    const json_t *rate = json_object_get(json, "answer_rate");
    assert_true(json_is_number(rate));
    assert_true(json_number_value(rate) == expected);
    json_decref(json);
}

static void the_answer_rate_is_of_those_that_ended(void **state)
{
    (void)state;
    assert_rate("1", "5", "0", 0.166667);
    assert_rate("2", "1", "9", 0.666667);
    assert_rate("700", "278", "7", 0.715746);
    assert_rate("5", "0", "0", 1);
    assert_rate("0", "5", "3", 0);
    assert_rate("1", "1", "0", 0.5);
    assert_rate("1", "1999999", "0", 0.000001); /* half a millionth is rounded up */
    json_t *json = CAMPAIGN({"ke|s:1", "4"}, {"ke|waiting", "3"});
    assert_true(json_is_null(json_object_get(json, "answer_rate")));
    json_decref(json);
}

static void cost_is_exact_decimal_text(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|cost:USD", "8060000"}, {"ug|cost:USD", "6500"}, {"ug|cost:KES", "1"},
                            {"ug|cost:EUR", "3000000"});
    const json_t *cost = json_object_get(json, "cost");
    assert_string_equal(json_string_value(json_object_get(cost, "USD")), "8.0665");
    assert_string_equal(json_string_value(json_object_get(cost, "KES")), "0.000001");
    assert_string_equal(json_string_value(json_object_get(cost, "EUR")), "3");
    json_decref(json);
}

/* ---- reasons ---- */

static json_t *many_reasons(int n, const char *extra)
{
    struct counters *counters = counters_new(true);
    struct buf b;
    char name[32], value[32];
    for (int i = 0; i < n; i++) {
        int reason = (i * 37) % n; /* in no order */
        snprintf(name, sizeof(name), "r:code%03d", reason);
        snprintf(value, sizeof(value), "%d", reason / 2 + 1);
        counters_add(counters, span_str(name), span_str(value));
    }
    if (extra != NULL)
        counters_add(counters, span_str(extra), SPAN_LIT("1000"));
    counters_sum(counters);
    buf_init(&b, 1024 * 1024);
    buf_addc(&b, '{');
    counters_add_json(&b, counters);
    buf_addc(&b, '}');
    json_t *json = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buf_done(&b);
    counters_free(&counters);
    return json;
}

static int64_t sum_of(const json_t *object)
{
    int64_t sum = 0;
    void *i;
    for (i = json_object_iter((json_t *)(uintptr_t)object); i != NULL;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i))
        sum += json_integer_value(json_object_iter_value(i));
    return sum;
}

static void at_most_64_reasons_and_the_smallest_are_the_others(void **state)
{
    (void)state;
    json_t *json = many_reasons(64, NULL);
    assert_int_equal(json_object_size(json_object_get(json, "by_reason")), 64);
    assert_null(json_object_get(json_object_get(json, "by_reason"), "other"));
    json_decref(json);

    json = many_reasons(100, NULL);
    const json_t *reasons = json_object_get(json, "by_reason");
    assert_int_equal(json_object_size(reasons), 64);
    assert_int_equal(int_at(json, "by_reason", "code099"), 50);
    assert_null(json_object_get(reasons, "code000"));
    /* 63 are named: 099 to 038 and, of the two that have 19, the lesser. */
    assert_int_equal(int_at(json, "by_reason", "code038"), 20);
    assert_int_equal(int_at(json, "by_reason", "code036"), 19);
    assert_null(json_object_get(reasons, "code037"));
    assert_int_equal(sum_of(reasons), 2 * (50 * 51 / 2));
    json_decref(json);
}

static void a_reason_named_other_joins_the_others(void **state)
{
    (void)state;
    json_t *json = many_reasons(80, "r:other");
    const json_t *reasons = json_object_get(json, "by_reason");
    assert_int_equal(json_object_size(reasons), 64);
    assert_true(int_at(json, "by_reason", "other") > 1000);
    assert_int_equal(sum_of(reasons), 2 * (40 * 41 / 2) + 1000);
    json_decref(json);
}

/* ---- percentiles ---- */

/* lib/counters.lua's, in C. */
static size_t bucket_of(int64_t seconds)
{
    size_t b = 60;
    double edge = 60;
    if (seconds <= 60)
        return (size_t)seconds;
    while (edge * (1 + 1e-9) < (double)seconds) {
        edge *= 1.05;
        b++;
    }
    return b;
}

static void a_bucket_is_exact_to_a_minute_and_within_five_percent_above(void **state)
{
    (void)state;
    for (int64_t seconds = 0; seconds <= 90000; seconds++) {
        int64_t shown = counters_bucket_seconds(bucket_of(seconds));
        if (seconds <= 60)
            assert_int_equal(shown, seconds);
        assert_true(shown >= seconds);
        assert_true((double)shown <= (double)seconds * 1.05 + 1e-6);
    }
}

static int compare_int64(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void percentiles_are_those_of_the_nearest_rank(void **state)
{
    (void)state;
    static const int percents[] = {50, 95};
    srand(7);
    for (int n = 1; n <= 120; n++) {
        int64_t values[120], histogram[COUNTERS_BUCKETS] = {0};
        for (int i = 0; i < n; i++) {
            values[i] = rand() % 61;
            histogram[bucket_of(values[i])]++;
        }
        qsort(values, (size_t)n, sizeof(*values), compare_int64);
        for (size_t p = 0; p < 2; p++) {
            int rank = (n * percents[p] + 99) / 100;
            assert_int_equal(counters_percentile(histogram, percents[p]), values[rank - 1]);
        }
    }
    int64_t none[COUNTERS_BUCKETS] = {0};
    assert_int_equal(counters_percentile(none, 50), -1);
}

static void seconds_of_all_channels_make_one_distribution(void **state)
{
    (void)state;
    json_t *json = CAMPAIGN({"ke|ring:3", "1"}, {"ke|ring:20", "1"}, {"ug|ring:20", "1"}, {"ug|ring:31", "1"},
                            {"ke|ringsum", "23"}, {"ug|ringsum", "51"}, {"ke|talk:100", "1"},
                            {"ke|talksum", "420"}, {"ke|ring:9", "1"}, {"ke|ring:9", "-1"});
    assert_int_equal(int_at(json, "ring_seconds", "p50"), 20);
    assert_int_equal(int_at(json, "ring_seconds", "p95"), 31);
    assert_int_equal(int_at(json, "ring_seconds", "sum"), 74);
    assert_int_equal(int_at(json, "talk_seconds", "p50"), counters_bucket_seconds(100));
    assert_int_equal(int_at(json, "talk_seconds", "sum"), 420);
    json_decref(json);
}

/* ---- keys ---- */

static void a_key_s_name_in_the_shards_reads_back(void **state)
{
    (void)state;
    struct summary_key key, read;
    struct buf b;
    buf_init(&b, 1000);
    key = (struct summary_key){false, SPAN_LIT("acme"), SPAN_LIT("maize"), SPAN_NONE, 0};
    summary_key_add_name(&b, &key);
    assert_string_equal(b.p, "acme/maize");
    assert_true(summary_key_of_name(&read, false, buf_span(&b)));
    assert_true(span_is(read.tenant, "acme") && span_is(read.campaign, "maize") && !read.window);

    buf_clear(&b);
    key = (struct summary_key){true, SPAN_LIT("acme"), SPAN_LIT("maize"), SPAN_LIT("ke-main"), 1795373400000};
    summary_key_add_name(&b, &key);
    assert_string_equal(b.p, "acme/maize|ke-main|1795373400000");
    assert_true(summary_key_of_name(&read, true, buf_span(&b)));
    assert_true(span_is(read.campaign, "maize") && span_is(read.channel, "ke-main"));
    assert_int_equal(read.minute_ms, 1795373400000);
    struct buf text;
    buf_init(&text, 1000);
    summary_key_add(&text, &read);
    assert_string_equal(text.p, "window:acme/maize/ke-main/2026-11-22T18:50:00.000Z");
    buf_done(&text);
    buf_done(&b);
}

static void what_is_no_name_is_no_key(void **state)
{
    (void)state;
    struct summary_key key;
    assert_false(summary_key_of_name(&key, false, SPAN_LIT("acme")));
    assert_false(summary_key_of_name(&key, false, SPAN_LIT("acme/")));
    assert_false(summary_key_of_name(&key, false, SPAN_NONE));
    assert_false(summary_key_of_name(&key, true, SPAN_LIT("acme/maize")));
    assert_false(summary_key_of_name(&key, true, SPAN_LIT("acme/maize|ke")));
    assert_false(summary_key_of_name(&key, true, SPAN_LIT("acme/maize|ke|12x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_and_channels_add_up),
        cmocka_unit_test(every_status_hop_and_usual_drop_is_listed_even_at_zero),
        cmocka_unit_test(what_went_back_to_zero_is_left_out),
        cmocka_unit_test(other_drop_reasons_are_listed),
        cmocka_unit_test(reasons_may_hold_any_text),
        cmocka_unit_test(what_is_no_counter_is_left_out),
        cmocka_unit_test(the_first_call_is_the_earliest_of_the_shards),
        cmocka_unit_test(the_answer_rate_is_of_those_that_ended),
        cmocka_unit_test(cost_is_exact_decimal_text),
        cmocka_unit_test(at_most_64_reasons_and_the_smallest_are_the_others),
        cmocka_unit_test(a_reason_named_other_joins_the_others),
        cmocka_unit_test(a_bucket_is_exact_to_a_minute_and_within_five_percent_above),
        cmocka_unit_test(percentiles_are_those_of_the_nearest_rank),
        cmocka_unit_test(seconds_of_all_channels_make_one_distribution),
        cmocka_unit_test(a_key_s_name_in_the_shards_reads_back),
        cmocka_unit_test(what_is_no_name_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
