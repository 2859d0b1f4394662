/* Calling hours in a call request. */
#include "tests/unit/request_fixture.h"

/* Both are kept as "long past"; that they are equal there says nothing about their order. */
static void a_window_that_closed_before_1970_is_one_that_closed(void **state)
{
    struct parsed_request out =
        accept(BASIC ", \"not_before\": \"1238-06-27T00:00:00Z\", \"expires_at\": \"1969-12-31T23:59:59Z\"");
    (void)state;
    assert_int_equal(out.request.expires_at_ms, 1);
    request_done(&out.request);
}

static void assert_hours_refused(const char *zone, const char *from, const char *to, const char *days,
                                 const char *field)
{
    char text[512];
    snprintf(text, sizeof text,
             "\"calling_hours\": {\"timezone\": %s, \"from\": %s, \"to\": %s, \"days\": %s}", zone, from, to,
             days);
    assert_option_refused(text, field);
}

static void a_window_that_cannot_open_is_refused(void **state)
{
    static const char *const times[] = {"\"25:00\"", "\"24:01\"", "\"08:60\"", "\"8:00\"", "\"08.00\"",
                                        "\"0800\"",  "480",       "\"\"",      "\"-1:00\""};
    static const char *const zones[] = {"\"\"",
                                        "\"/UTC\"",
                                        "\"Africa/\"",
                                        "\"Africa//Nairobi\"",
                                        "\"../etc/passwd\"",
                                        "\"+03:00\"",
                                        "\"Africa/Nai robi\"",
                                        "3",
                                        "\"Africa/Nairobi\\n\"",
                                        "\"Africa/Nairobbi\"",
                                        "\"africa/nairobi\"",
                                        "\"EST5EDT4\""};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_hours_refused("\"UTC\"", times[i], "\"19:00\"", "null", "calling_hours.from");
        assert_hours_refused("\"UTC\"", "\"08:00\"", times[i], "null", "calling_hours.to");
    }
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        assert_hours_refused(zones[i], "\"08:00\"", "\"19:00\"", "null", "calling_hours.timezone");
    assert_hours_refused("\"UTC\"", "\"24:00\"", "\"19:00\"", "null", "calling_hours.from");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"08:00\"", "null", "calling_hours.to");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[]", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "\"mon\"", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[\"someday\"]", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[1]", "calling_hours.days");
    assert_option_refused("\"calling_hours\": {\"from\": \"08:00\", \"to\": \"19:00\"}",
                          "calling_hours.timezone");
    assert_option_refused("\"calling_hours\": {\"timezone\": \"UTC\", \"to\": \"19:00\"}",
                          "calling_hours.from");
    assert_option_refused("\"calling_hours\": \"08:00-19:00\"", "calling_hours");
}

static void a_window_may_reach_over_midnight(void **state)
{
    struct parsed_request out = accept(
        BASIC ", \"calling_hours\": {\"timezone\": \"Etc/GMT+3\", \"from\": \"22:00\", \"to\": \"00:00\"}");
    (void)state;
    assert_int_equal(out.request.calling_hours.from_min, 1320);
    assert_int_equal(out.request.calling_hours.to_min, 0);
    assert_int_equal(out.request.calling_hours.days, 0x7F);
    request_done(&out.request);
}

static void a_window_may_be_the_whole_day(void **state)
{
    struct parsed_request out =
        accept(BASIC ", \"calling_hours\": {\"timezone\": \"UTC\", \"from\": \"00:00\", \"to\": \"24:00\"}");
    struct buf json;
    (void)state;
    assert_int_equal(out.request.calling_hours.to_min, 1440);
    assert_true(hours_open(&out.request.calling_hours, 0));
    buf_init(&json, 4096);
    request_add_json(&json, &out.request);
    assert_non_null(strstr(json.p, "\"from\":\"00:00\",\"to\":\"24:00\"}"));
    buf_done(&json);
    request_done(&out.request);
}

/* 2026-11-27 is a Friday. */
static void a_window_that_does_not_open_in_time_is_refused(void **state)
{
    static const struct {
        const char *not_before, *expires_at;
        bool fits;
    } rows[] = {
        {"2026-11-27T19:00:00Z", "2026-11-30T07:59:59.999Z", false},
        {"2026-11-27T19:00:00Z", "2026-11-30T08:00:00Z", false},
        {"2026-11-27T19:00:00Z", "2026-11-30T08:00:00.001Z", true},
        {"2026-11-27T18:59:59.999Z", "2026-11-27T19:00:00Z", true},
        {"2026-11-27T20:00:00+01:00", "2026-11-28T08:00:00-12:00", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "\"not_before\": \"%s\", \"expires_at\": \"%s\", \"calling_hours\": {\"timezone\": \"UTC\", "
                 "\"from\": \"08:00\", \"to\": \"19:00\", \"days\": [\"mon\", \"fri\"]}",
                 rows[i].not_before, rows[i].expires_at);
        if (!rows[i].fits) {
            assert_option_refused(text, "calling_hours");
            continue;
        }
        char whole[1024];
        snprintf(whole, sizeof whole, BASIC ", %s", text);
        struct parsed_request out = accept(whole);
        request_done(&out.request);
    }
}

/* What is read later must not be refused for being late: it waits for its hours, and expires. */
static void a_window_that_opens_after_expires_at_alone_is_no_contradiction(void **state)
{
    struct parsed_request out =
        accept(BASIC ", \"expires_at\": \"2026-11-28T08:00:00Z\", \"calling_hours\": {"
                     "\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"19:00\", "
                     "\"days\": [\"mon\"]}");
    (void)state;
    request_done(&out.request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_that_closed_before_1970_is_one_that_closed),
        cmocka_unit_test(a_window_that_cannot_open_is_refused),
        cmocka_unit_test(a_window_may_reach_over_midnight),
        cmocka_unit_test(a_window_may_be_the_whole_day),
        cmocka_unit_test(a_window_that_does_not_open_in_time_is_refused),
        cmocka_unit_test(a_window_that_opens_after_expires_at_alone_is_no_contradiction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
