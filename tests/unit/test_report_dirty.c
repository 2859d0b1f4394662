#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "workers/report/change.h"
#include "workers/report/dirty.h"
#include "workers/report/due.h"

enum { RECORDS = 64 };

/* Records of two partitions; `done` counts what kafka_done() would have got. */
struct dirty_fixture {
    struct dirty *dirty;
    struct kafka_record records[RECORDS];
    int done[RECORDS];
    size_t next;
};

static char partitions[2]; /* only their addresses matter */

static void on_done(struct kafka_record *record, void *arg)
{
    struct dirty_fixture *f = arg;
    f->done[record - f->records]++;
}

static int setup(void **state)
{
    static struct dirty_fixture f;
    memset(&f, 0, sizeof(f));
    f.dirty = dirty_new(on_done, &f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct dirty_fixture *f = *state;
    dirty_free(&f->dirty);
    assert_null(f->dirty);
    return 0;
}

static struct summary_key campaign(const char *name)
{
    return (struct summary_key){.tenant = SPAN_LIT("acme"), .campaign = span_str(name)};
}

static struct summary_key window(const char *name, int64_t minute_ms)
{
    return (struct summary_key){true, SPAN_LIT("acme"), span_str(name), SPAN_LIT("main"), minute_ms};
}

/* An event of the partition that changes the key, as ivr-report takes it. */
static struct kafka_record *event(struct dirty_fixture *f, int partition, struct summary_key key, int64_t due)
{
    struct kafka_record *record = &f->records[f->next++];
    record->offset = (int64_t)f->next;
    record->partition = (struct kafka_partition *)(void *)&partitions[partition];
    dirty_mark(f->dirty, &key, due, record, true);
    if (!dirty_holds(record))
        on_done(record, f);
    return record;
}

static int is_done(const struct dirty_fixture *f, const struct kafka_record *record)
{
    return f->done[record - f->records];
}

static void a_change_is_due_at_its_time_and_not_before(void **state)
{
    struct dirty_fixture *f = *state;
    event(f, 0, campaign("a"), 100);
    assert_null(dirty_take(f->dirty, 99));
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    assert_non_null(entry);
    assert_true(span_is(dirty_key(entry)->campaign, "a"));
    assert_null(dirty_take(f->dirty, 1000));
    dirty_published(f->dirty, &entry);
    assert_null(entry);
    assert_int_equal(dirty_count(f->dirty), 0);
}

static void more_changes_neither_hurry_nor_delay_it(void **state)
{
    struct dirty_fixture *f = *state;
    event(f, 0, campaign("a"), 100);
    event(f, 0, campaign("a"), 50);
    event(f, 0, campaign("a"), 500);
    assert_int_equal(dirty_count(f->dirty), 1);
    assert_null(dirty_take(f->dirty, 99));
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    dirty_published(f->dirty, &entry);
    assert_null(dirty_take(f->dirty, 1000));
}

static void the_first_record_is_held_until_it_is_published_and_the_others_are_not(void **state)
{
    struct dirty_fixture *f = *state;
    struct kafka_record *first = event(f, 0, campaign("a"), 100);
    struct kafka_record *second = event(f, 0, campaign("a"), 110);
    assert_false(is_done(f, first));
    assert_true(is_done(f, second));
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    assert_false(is_done(f, first));
    dirty_published(f->dirty, &entry);
    assert_int_equal(is_done(f, first), 1);
}

static void what_comes_while_it_is_read_waits_for_the_next_round(void **state)
{
    struct dirty_fixture *f = *state;
    struct kafka_record *before = event(f, 0, campaign("a"), 100);
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    struct kafka_record *during = event(f, 0, campaign("a"), 205);
    struct kafka_record *later = event(f, 0, campaign("a"), 209);
    dirty_published(f->dirty, &entry);
    assert_true(is_done(f, before));
    assert_false(is_done(f, during));
    assert_true(is_done(f, later));
    assert_null(dirty_take(f->dirty, 204));
    entry = dirty_take(f->dirty, 205);
    assert_non_null(entry);
    dirty_published(f->dirty, &entry);
    assert_true(is_done(f, during));
    assert_int_equal(dirty_count(f->dirty), 0);
}

static void what_failed_is_still_held_and_tried_again(void **state)
{
    struct dirty_fixture *f = *state;
    struct kafka_record *before = event(f, 0, campaign("a"), 100);
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    struct kafka_record *during = event(f, 0, campaign("a"), 900);
    dirty_failed(f->dirty, &entry, 300);
    assert_false(is_done(f, before) || is_done(f, during));
    assert_true(dirty_behind(f->dirty, 300, 1000));
    assert_null(dirty_take(f->dirty, 299));
    entry = dirty_take(f->dirty, 300);
    dirty_published(f->dirty, &entry);
    assert_int_equal(is_done(f, before), 1);
    assert_int_equal(is_done(f, during), 1);
    assert_int_equal(dirty_count(f->dirty), 0);
    assert_false(dirty_behind(f->dirty, 300, 1000));
}

static void what_is_due_for_long_is_behind(void **state)
{
    struct dirty_fixture *f = *state;
    assert_false(dirty_behind(f->dirty, 5000, 1000));
    event(f, 0, campaign("a"), 4000);
    assert_false(dirty_behind(f->dirty, 5000, 1000));
    assert_true(dirty_behind(f->dirty, 5001, 1000));
}

static void each_partition_has_its_own_first_record(void **state)
{
    struct dirty_fixture *f = *state;
    struct kafka_record *one = event(f, 0, campaign("a"), 100);
    struct kafka_record *other = event(f, 1, campaign("a"), 100);
    struct kafka_record *again = event(f, 1, campaign("a"), 100);
    assert_false(is_done(f, one) || is_done(f, other));
    assert_true(is_done(f, again));
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    dirty_published(f->dirty, &entry);
    assert_true(is_done(f, one) && is_done(f, other));
}

static void a_record_that_two_hold_is_done_when_both_are_published(void **state)
{
    struct dirty_fixture *f = *state;
    struct summary_key minute = window("a", 60000);
    struct kafka_record *record = event(f, 0, campaign("a"), 100);
    dirty_mark(f->dirty, &minute, 200, record, true);
    struct dirty_entry *entry = dirty_take(f->dirty, 100);
    dirty_published(f->dirty, &entry);
    assert_false(is_done(f, record));
    entry = dirty_take(f->dirty, 200);
    assert_true(dirty_key(entry)->window);
    assert_int_equal(dirty_key(entry)->minute_ms, 60000);
    dirty_published(f->dirty, &entry);
    assert_int_equal(is_done(f, record), 1);
}

static void windows_and_campaigns_of_one_name_are_apart(void **state)
{
    struct dirty_fixture *f = *state;
    struct summary_key keys[] = {campaign("a"), window("a", 60000), window("a", 120000), window("b", 60000)};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 4; i++)
            dirty_mark(f->dirty, &keys[i], 10, NULL, false);
    assert_int_equal(dirty_count(f->dirty), 4);
}

static void many_come_out_in_the_order_of_their_times(void **state)
{
    struct dirty_fixture *f = *state;
    char name[32];
    enum { MANY = 3000 };
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        struct summary_key key = campaign(name);
        dirty_mark(f->dirty, &key, (i * 7919) % MANY, NULL, false);
    }
    assert_int_equal(dirty_count(f->dirty), MANY);
    for (int i = 0; i < MANY; i++) {
        struct dirty_entry *entry = dirty_take(f->dirty, i);
        assert_non_null(entry);
        assert_null(dirty_take(f->dirty, i));
        if (i % 3 == 0)
            dirty_failed(f->dirty, &entry, MANY + i);
        else
            dirty_published(f->dirty, &entry);
    }
    assert_int_equal(dirty_count(f->dirty), MANY / 3);
}

/* ---- when ---- */

static void a_campaign_waits_an_interval_and_a_window_until_it_is_closed(void **state)
{
    (void)state;
    struct summary_key a = campaign("a"), minute = window("a", 600000);
    assert_int_equal(due_in_ms(&a, 5000, 610000), 5000);
    assert_int_equal(due_in_ms(&minute, 5000, 610000), 50000 + DUE_GRACE_MS);
    assert_int_equal(due_in_ms(&minute, 5000, 660000), 5000);
    assert_int_equal(due_in_ms(&minute, 300, 661000), DUE_GRACE_MS - 1000);
    assert_int_equal(due_in_ms(&minute, 5000, 9000000), 5000);
    assert_int_equal(due_in_ms(&minute, 5000, 0), 60000 + DUE_GRACE_MS);
}

/* ---- events ---- */

static void an_event_names_its_campaign_and_its_attempt_s_window(void **state)
{
    (void)state;
    struct event_change change;
    struct err err = ERR_INIT;
    assert_int_equal(
        change_read(&change,
                    SPAN_LIT("{\"v\":1,\"tenant\":\"acme\",\"campaign\":\"maize\",\"channel\":\"main\","
                             "\"placed_at\":\"2026-11-22T18:50:50.123Z\",\"more\":[1]}"),
                    &err),
        0);
    assert_true(span_is(change.campaign.tenant, "acme") && span_is(change.campaign.campaign, "maize"));
    assert_true(change.has_window);
    assert_true(span_is(change.window.channel, "main"));
    assert_int_equal(change.window.minute_ms, 1795373400000);
    change_done(&change);
}

static void an_event_of_a_call_that_waits_has_no_window(void **state)
{
    (void)state;
    struct event_change change;
    struct err err = ERR_INIT;
    assert_int_equal(change_read(&change,
                                 SPAN_LIT("{\"tenant\":\"acme\",\"campaign\":\"maize\",\"channel\":\"main\","
                                          "\"placed_at\":null}"),
                                 &err),
                     0);
    assert_false(change.has_window);
    change_done(&change);
}

static void what_is_no_event_says_why(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "x",
                                        "[]",
                                        "{}",
                                        "{\"tenant\":\"acme\"}",
                                        "{\"tenant\":\"a/b\",\"campaign\":\"c\"}",
                                        "{\"tenant\":\"a\",\"campaign\":7}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct event_change change;
        struct err err = ERR_INIT;
        assert_int_equal(change_read(&change, span_str(texts[i]), &err), ERR_INVALID);
        assert_true(strlen(err.text) > 10);
        change_done(&change);
    }
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(a_change_is_due_at_its_time_and_not_before),
        WITH(more_changes_neither_hurry_nor_delay_it),
        WITH(the_first_record_is_held_until_it_is_published_and_the_others_are_not),
        WITH(what_comes_while_it_is_read_waits_for_the_next_round),
        WITH(what_failed_is_still_held_and_tried_again),
        WITH(what_is_due_for_long_is_behind),
        WITH(each_partition_has_its_own_first_record),
        WITH(a_record_that_two_hold_is_done_when_both_are_published),
        WITH(windows_and_campaigns_of_one_name_are_apart),
        WITH(many_come_out_in_the_order_of_their_times),
        cmocka_unit_test(a_campaign_waits_an_interval_and_a_window_until_it_is_closed),
        cmocka_unit_test(an_event_names_its_campaign_and_its_attempt_s_window),
        cmocka_unit_test(an_event_of_a_call_that_waits_has_no_window),
        cmocka_unit_test(what_is_no_event_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
