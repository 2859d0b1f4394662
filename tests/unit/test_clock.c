#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

static void the_clocks_go_forward(void **state)
{
    (void)state;
    int64_t wall = clock_wall_ms(), us = clock_mono_us(), ms = clock_mono_ms();
    assert_true(wall > INT64_C(1600000000000));
    assert_true(clock_mono_us() >= us && clock_mono_ms() >= ms);
    assert_true(ms >= us / 1000 && ms - us / 1000 < 1000);
}

static void times_are_written_in_utc_with_milliseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(1795373450123), "2026-11-22T18:50:50.123Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_C(253402300800000), "9999-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(-62167219200001), "0000-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[CLOCK_RFC3339_LEN + 1];
        clock_rfc3339(cases[i].ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

/* A step of a little more than eleven days, with odd milliseconds, meets every month and every kind of year.
 */
static void every_date_agrees_with_the_system_and_reads_back(void **state)
{
    (void)state;
    for (int64_t ms = INT64_C(-62167219200000); ms < INT64_C(253402300800000); ms += 987654321) {
        time_t seconds = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
        struct tm tm;
        char expected[80], out[CLOCK_RFC3339_LEN + 1];
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)((ms % 1000 + 1000) % 1000));
        clock_rfc3339(ms, out);
        int64_t back;
        if (strcmp(out, expected) != 0 || !clock_parse_rfc3339(span_str(out), &back) || back != ms)
            fail_msg("%lld: %s, expected %s", (long long)ms, out, expected);
    }
}

static void a_time_is_appended_only_where_it_fits_whole(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 30);
    clock_add_rfc3339(&b, 0);
    assert_string_equal(b.p, "1970-01-01T00:00:00.000Z");
    clock_add_rfc3339(&b, 0);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, CLOCK_RFC3339_LEN);
    buf_done(&b);
}

struct time_case {
    const char *text;
    int64_t ms;
};

static void rfc3339_is_read_with_offsets_and_fractions(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"2026-11-22T18:50:50.123Z", INT64_C(1795373450123)},
        {"2026-11-22T21:50:50.1239999+03:00", INT64_C(1795373450123)},
        {"2026-11-22T13:20:50.123000000-05:30", INT64_C(1795373450123)},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.05-00:00", 50},
        {"1970-01-01T00:30:00+01:00", -1800000},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"2016-12-31T15:59:60-08:00", INT64_C(1483228800000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -99;
        if (!clock_parse_rfc3339(span_str(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
}

static void what_is_not_rfc3339_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11-22",
                                      "2026-11-22T18:50:50",
                                      "2026-11-22 18:50:50Z",
                                      "2026-11-22T18:50Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-04-31T00:00:00Z",
                                      "2026-04-00T00:00:00Z",
                                      "2026-11-22T24:00:00Z",
                                      "2026-11-22T18:60:00Z",
                                      "2026-11-22T18:50:61Z",
                                      "2026-11-22T18:50:60Z",
                                      "2026-11-22T18:50:50.Z",
                                      "2026-11-22T18:50:50.1234567890Z",
                                      "2026-11-22T18:50:50,1Z",
                                      "2026-11-22T18:50:50+0300",
                                      "2026-11-22T18:50:50+03",
                                      "2026-11-22T18:50:50+24:00",
                                      "2026-11-22T18:50:50+03:60",
                                      "2026-11-22T18:50:50Zx",
                                      " 2026-11-22T18:50:50Z",
                                      "2026-11-22T18:50:50Z ",
                                      "+026-11-22T18:50:50Z",
                                      "20261-11-22T18:50:50Z",
                                      "2026-1-22T18:50:50Z",
                                      "1795373450",
                                      "2026-11-22T18:50:50.123"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        if (clock_parse_rfc3339(span_str(bad[i]), &ms))
            fail_msg("accepted: %s", bad[i]);
    }
    int64_t ms;
    assert_false(clock_parse_rfc3339(SPAN_NONE, &ms));
}

static void a_span_is_never_read_past_its_end(void **state)
{
    (void)state;
    static const char text[] = "Sat, 07 May 2022 14:30:14 +0000 2026-11-22T18:50:50.123Z";
    for (size_t n = 0; n < 31; n++) {
        char *exact = test_malloc(n ? n : 1);
        int64_t ms;
        memcpy(exact, text, n);
        assert_false(clock_parse_rfc2822(span_of(exact, n), &ms));
        memcpy(exact, text + 32, n < 23 ? n : 23);
        assert_false(clock_parse_rfc3339(span_of(exact, n < 23 ? n : 23), &ms));
        test_free(exact);
    }
}

static void rfc2822_is_read_as_twilio_writes_it(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {"Sat, 07 May 2022 14:30:14 +0000", INT64_C(1651933814000)},
        {"07 May 2022 14:30:14 GMT", INT64_C(1651933814000)},
        {"7 May 2022 14:30:14 UT", INT64_C(1651933814000)},
        {"Sat, 07 May 2022 17:30:14 +0300", INT64_C(1651933814000)},
        {"sat, 07 MAY 2022 09:00:14 -0530", INT64_C(1651933814000)},
        {"Thu, 01 Jan 1970 00:00 +0000", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -99;
        if (!clock_parse_rfc2822(span_str(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
    static const char *const bad[] = {"",
                                      "Sat, 07 May 2022",
                                      "Sat 07 May 2022 14:30:14 +0000",
                                      "Xyz, 07 May 2022 14:30:14 +0000",
                                      "07 Mai 2022 14:30:14 GMT",
                                      "31 Apr 2022 14:30:14 GMT",
                                      "07 May 2022 25:30:14 GMT",
                                      "07 May 2022 14:30:14",
                                      "07 May 2022 14:30:14 PST",
                                      "07 May 22 14:30:14 GMT",
                                      "07 May 2022 14:30:14 +00:00",
                                      "07 May 2022 14:30:14 GMT!",
                                      "null"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        if (clock_parse_rfc2822(span_str(bad[i]), &ms))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void durations_need_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct time_case cases[] = {{"250ms", 250},
                                             {"10s", 10000},
                                             {"15m", 900000},
                                             {"24h", 86400000},
                                             {"7d", 604800000},
                                             {"0s", 0},
                                             {"3650d", INT64_C(315360000000)},
                                             {"007s", 7000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ms = -99;
        if (!clock_parse_duration(span_str(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
    static const char *const bad[] = {"",
                                      "10",
                                      "s",
                                      "ms",
                                      "-1s",
                                      "+1s",
                                      "1.5s",
                                      "1 s",
                                      " 1s",
                                      "1s ",
                                      "1S",
                                      "1w",
                                      "1sec",
                                      "1h30m",
                                      "3651d",
                                      "99999999999999999999999s",
                                      "0x1s",
                                      "1e3s",
                                      "315360000001ms"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        if (clock_parse_duration(span_str(bad[i]), &ms))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void durations_are_written_in_the_largest_exact_unit(void **state)
{
    (void)state;
    static const struct time_case cases[] = {{"90s", 90000},    {"15m", 900000},  {"1h", 3600000},
                                             {"7d", 604800000}, {"0s", 0},        {"1ms", 1},
                                             {"1500ms", 1500},  {"25h", 90000000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        clock_add_duration(&b, cases[i].ms);
        assert_string_equal(b.p, cases[i].text);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clocks_go_forward),
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(every_date_agrees_with_the_system_and_reads_back),
        cmocka_unit_test(a_time_is_appended_only_where_it_fits_whole),
        cmocka_unit_test(rfc3339_is_read_with_offsets_and_fractions),
        cmocka_unit_test(what_is_not_rfc3339_is_refused),
        cmocka_unit_test(a_span_is_never_read_past_its_end),
        cmocka_unit_test(rfc2822_is_read_as_twilio_writes_it),
        cmocka_unit_test(durations_need_a_number_and_a_unit),
        cmocka_unit_test(durations_are_written_in_the_largest_exact_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
