/* Windows and zones: a case for each rule. tests/hours holds all of them against another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/model/hours.h"

enum { MON = 1, FRI = 1 << 4, SAT = 1 << 5, SUN = 1 << 6, LATE = 22 * 60, EARLY = 6 * 60 };

static struct hours window(const char *zone, int from_min, int to_min, unsigned days)
{
    return (struct hours){zone_find(span_str(zone)), from_min, to_min, days};
}

static int64_t at(const char *time)
{
    int64_t wall_ms;
    assert_true(clock_parse_rfc3339(span_str(time), &wall_ms));
    return wall_ms;
}

/* Closed then, and when it opens; open where the two are the same. */
static void assert_opens(const struct hours *hours, const char *asked, const char *opens)
{
    char next[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(hours_next_open(hours, at(asked)), next);
    assert_int_equal(at(next), at(opens));
    assert_int_equal(hours_open(hours, at(asked)), at(asked) == at(opens));
}

static void a_window_is_open_from_its_first_to_before_its_last_minute(void **state)
{
    struct hours hours = window("Africa/Nairobi", 8 * 60, 19 * 60 + 30, HOURS_ALL_DAYS);
    (void)state;
    assert_opens(&hours, "2026-11-23T07:59:59.999+03:00", "2026-11-23T08:00:00+03:00");
    assert_opens(&hours, "2026-11-23T08:00:00+03:00", "2026-11-23T08:00:00+03:00");
    assert_opens(&hours, "2026-11-23T19:29:59.999+03:00", "2026-11-23T19:29:59.999+03:00");
    assert_opens(&hours, "2026-11-23T19:30:00+03:00", "2026-11-24T08:00:00+03:00");
}

static void over_midnight_the_day_is_the_one_on_which_it_began(void **state)
{
    struct hours hours = window("UTC", LATE, EARLY, FRI); /* the 27th is a Friday */
    (void)state;
    assert_opens(&hours, "2026-11-27T05:00:00Z", "2026-11-27T22:00:00Z");
    assert_opens(&hours, "2026-11-28T05:59:59.999Z", "2026-11-28T05:59:59.999Z");
    assert_opens(&hours, "2026-11-28T06:00:00Z", "2026-12-04T22:00:00Z");
    assert_opens(&hours, "2026-11-28T23:00:00Z", "2026-12-04T22:00:00Z");
}

static void a_window_may_end_with_its_day(void **state)
{
    struct hours day = window("UTC", 0, 24 * 60, SAT | SUN), evening = window("UTC", LATE, 24 * 60, MON);
    (void)state;
    assert_opens(&day, "2026-11-27T23:59:59.999Z", "2026-11-28T00:00:00Z");
    assert_opens(&day, "2026-11-29T23:59:59.999Z", "2026-11-29T23:59:59.999Z");
    assert_opens(&day, "2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z");
    assert_opens(&evening, "2026-12-01T00:00:00Z", "2026-12-07T22:00:00Z");
}

/* New York jumps from 02:00 to 03:00 on 8 March 2026. */
static void what_a_clock_jumps_over_does_not_exist(void **state)
{
    struct hours lost = window("America/New_York", 2 * 60, 3 * 60, SUN);
    struct hours cut = window("America/New_York", 2 * 60 + 30, 4 * 60, SUN);
    (void)state;
    assert_opens(&lost, "2026-03-08T01:59:59.999-05:00", "2026-03-15T02:00:00-04:00");
    assert_opens(&cut, "2026-03-08T01:59:59.999-05:00", "2026-03-08T03:00:00-04:00");
}

/* And back from 02:00 to 01:00 on 1 November 2026. */
static void what_comes_twice_is_open_twice(void **state)
{
    struct hours hours = window("America/New_York", 60, 60 + 30, SUN);
    (void)state;
    assert_opens(&hours, "2026-11-01T01:29:59-04:00", "2026-11-01T01:29:59-04:00");
    assert_opens(&hours, "2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00");
    assert_opens(&hours, "2026-11-01T01:30:00-05:00", "2026-11-08T01:00:00-05:00");
}

static void without_a_zone_it_is_always_open(void **state)
{
    struct hours none = {0};
    (void)state;
    assert_opens(&none, "2026-11-27T05:00:00Z", "2026-11-27T05:00:00Z");
}

static void a_zone_is_read_once(void **state)
{
    const struct zone *zone = zone_find(SPAN_LIT("Europe/London"));
    (void)state;
    assert_non_null(zone);
    assert_ptr_equal(zone_find(SPAN_LIT("Europe/London")), zone);
    assert_string_equal(zone_name(zone), "Europe/London");
    assert_null(zone_find(SPAN_LIT("Europe/Londinium")));
    assert_null(zone_find(SPAN_NONE));
}

static void a_change_is_found_to_the_second(void **state)
{
    const struct zone *zone = zone_find(SPAN_LIT("Europe/London"));
    int64_t change = at("2026-03-29T01:00:00Z");
    (void)state;
    assert_int_equal(zone_offset_ms(zone, change - 1), 0);
    assert_int_equal(zone_offset_ms(zone, change), 3600000);
    assert_int_equal(zone_change_ms(zone, change - 86400000, change), change);
    assert_int_equal(zone_change_ms(zone, change - 1, change + 86400000), change);
    assert_int_equal(zone_change_ms(zone, change - 86400000, change - 1), -1);
    assert_int_equal(zone_change_ms(zone, change, change + 86400000), -1);
}

static void a_window_is_written_for_machines_and_for_people(void **state)
{
    struct hours hours = window("Africa/Nairobi", 8 * 60, 24 * 60, MON | FRI);
    struct buf b;
    (void)state;
    buf_init(&b, 1024);
    hours_add_json(&b, &hours);
    assert_string_equal(b.p, "{\"timezone\":\"Africa/Nairobi\",\"from\":\"08:00\",\"to\":\"24:00\",\"days\":"
                             "[\"mon\",\"fri\"]}");
    buf_clear(&b);
    hours_add_text(&b, &hours);
    assert_string_equal(b.p, "08:00-24:00 Africa/Nairobi, mon fri");
    hours.days = HOURS_ALL_DAYS;
    buf_clear(&b);
    hours_add_text(&b, &hours);
    assert_string_equal(b.p, "08:00-24:00 Africa/Nairobi");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_open_from_its_first_to_before_its_last_minute),
        cmocka_unit_test(over_midnight_the_day_is_the_one_on_which_it_began),
        cmocka_unit_test(a_window_may_end_with_its_day),
        cmocka_unit_test(what_a_clock_jumps_over_does_not_exist),
        cmocka_unit_test(what_comes_twice_is_open_twice),
        cmocka_unit_test(without_a_zone_it_is_always_open),
        cmocka_unit_test(a_zone_is_read_once),
        cmocka_unit_test(a_change_is_found_to_the_second),
        cmocka_unit_test(a_window_is_written_for_machines_and_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
