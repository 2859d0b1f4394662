/* common/metrics: the text that Prometheus reads, and the bound on the number of series. Series live for
 * ever, so each test uses metrics that no other one touches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/run/metrics.h"

static struct buf text;

static const char *render(void)
{
    buf_done(&text);
    buf_init(&text, 1 << 24);
    metrics_render(&text);
    assert_true(buf_ok(&text));
    return text.p;
}

static int lines_starting(const char *page, const char *start)
{
    int n = 0;
    for (const char *line = page; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        n += strncmp(line, start, strlen(start)) == 0;
    }
    return n;
}

static void a_counter_without_labels_is_zero_before_it_counts(void **state)
{
    (void)state;
    assert_non_null(strstr(render(), "# TYPE ivr_summaries_total counter\nivr_summaries_total 0\n"));
    metric_count(M_SUMMARIES, NULL, NULL);
    metric_add(metric_series(M_SUMMARIES, NULL, NULL), 2);
    assert_non_null(strstr(render(), "\nivr_summaries_total 3\n"));
}

static void every_metric_has_its_help_and_type_once(void **state)
{
    (void)state;
    const char *page = render();
#define METRIC(id, name, type, labels, help)                                                                 \
    assert_int_equal(lines_starting(page, "# HELP " name " "), 1);                                           \
    assert_int_equal(lines_starting(page, "# TYPE " name " "), 1);
#include "common/run/metrics_table.h"
#undef METRIC
    assert_int_equal(lines_starting(page, "process_resident_memory_bytes "), 1);
    assert_int_equal(lines_starting(page, "process_cpu_seconds_total "), 1);
    assert_int_equal(lines_starting(page, "process_open_fds "), 1);
    assert_int_equal(lines_starting(page, "process_start_time_seconds "), 1);
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    metric_count(M_CALLBACKS, "a\"b\\c\nd", "x");
    assert_non_null(strstr(render(), "ivr_callbacks_total{provider=\"a\\\"b\\\\c\\nd\",result=\"x\"} 1\n"));
}

static void the_same_labels_are_the_same_series(void **state)
{
    (void)state;
    struct metric_series *a = metric_series(M_PLACEMENTS, "ke", "accepted");
    assert_ptr_equal(metric_series(M_PLACEMENTS, "ke", "accepted"), a);
    assert_ptr_not_equal(metric_series(M_PLACEMENTS, "k", "eaccepted"), a);
    assert_ptr_not_equal(metric_series(M_PLACEMENTS, "ke", NULL), a);
    metric_add(a, 1);
    assert_true(metric_value(a) == 1);
    assert_non_null(strstr(render(), "ivr_placements_total{channel=\"ke\",outcome=\"accepted\"} 1\n"));
}

static void histogram_buckets_are_cumulative_and_end_with_the_count(void **state)
{
    (void)state;
    struct metric_series *s = metric_series(M_PLACEMENT_SECONDS, "ke", NULL);
    metric_observe(s, 0.001);
    metric_observe(s, 0.07);
    metric_observe(s, 1000);
    const char *page = render();
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"0.05\"} 1\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"0.1\"} 2\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"300\"} 2\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_bucket{channel=\"ke\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_sum{channel=\"ke\"} 1000.071\n"));
    assert_non_null(strstr(page, "ivr_placement_seconds_count{channel=\"ke\"} 3\n"));
    assert_true(metric_value(s) == 3);
}

static void a_dropped_gauge_is_not_shown_until_it_is_set_again(void **state)
{
    (void)state;
    struct metric_series *s = metric_series(M_CONSUMER_LAG, "t", "7");
    metric_set(s, 12.5);
    assert_non_null(strstr(render(), "ivr_consumer_lag{topic=\"t\",partition=\"7\"} 12.5\n"));
    metric_drop(s);
    assert_null(strstr(render(), "ivr_consumer_lag{"));
    metric_set(s, 3);
    assert_non_null(strstr(render(), "ivr_consumer_lag{topic=\"t\",partition=\"7\"} 3\n"));
}

static void past_the_bound_everything_is_other(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 3 * METRICS_MAX_SERIES; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        metric_count(M_DEAD_LETTERS, name, NULL);
    }
    assert_int_equal(lines_starting(render(), "ivr_dead_letters_total{"), METRICS_MAX_SERIES);
    double rest = metric_value(metric_series(M_DEAD_LETTERS, "other", NULL));
    assert_true(rest == 2 * METRICS_MAX_SERIES + 1);
    assert_ptr_equal(metric_series(M_DEAD_LETTERS, "one more", NULL),
                     metric_series(M_DEAD_LETTERS, "other", NULL));
    assert_true(metric_value(metric_series(M_DEAD_LETTERS, "r0", NULL)) == 1);
}

static void set_waiting(void *arg)
{
    metric_set(metric_series(M_WAITING, "ke", NULL), *(int *)arg);
}

static void collectors_run_before_each_scrape(void **state)
{
    (void)state;
    static int waiting;
    waiting = 41;
    metric_on_collect(set_waiting, &waiting);
    assert_non_null(strstr(render(), "ivr_waiting{channel=\"ke\"} 41\n"));
    waiting = 42;
    assert_non_null(strstr(render(), "ivr_waiting{channel=\"ke\"} 42\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_without_labels_is_zero_before_it_counts),
        cmocka_unit_test(every_metric_has_its_help_and_type_once),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(the_same_labels_are_the_same_series),
        cmocka_unit_test(histogram_buckets_are_cumulative_and_end_with_the_count),
        cmocka_unit_test(a_dropped_gauge_is_not_shown_until_it_is_set_again),
        cmocka_unit_test(past_the_bound_everything_is_other),
        cmocka_unit_test(collectors_run_before_each_scrape),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&text);
    return failed;
}
