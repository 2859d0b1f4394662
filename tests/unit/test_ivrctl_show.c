#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tools/ivrctl/args.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show.h"
#include "tools/ivrctl/show_call.h"
#include "tools/ivrctl/show_line.h"
#include "tools/ivrctl/show_summary.h"

/* ---- records of topics ---- */

/* One that came without headers. */
static void expect_line(bool json,
                        void (*show)(struct buf *, const struct ivrctl *, const struct topic_record *),
                        struct span key, struct span value, const char *expected)
{
    const struct ivrctl ctl = {.json = json};
    const struct topic_record record = {.key = key, .value = value, .partition = 1, .offset = 7};
    struct buf b;
    buf_init(&b, 65536);
    show(&b, &ctl, &record);
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void what_cannot_be_read_stands_on_one_line_with_its_numbers_masked(void **state)
{
    (void)state;
    const struct span value = SPAN_LIT("no JSON \x1b[2J\n+254 722 000 111");
    expect_line(false, show_event_line, SPAN_NONE, value,
                "1@7 unreadable: no JSON \\u001b[2J\\u000a+2547****0111\n");
    expect_line(true, show_event_line, SPAN_NONE, value,
                "{\"unreadable\":\"no JSON \\u001b[2J\\n+2547****0111\",\"partition\":1,\"offset\":7}\n");
}

static void no_value_of_a_record_begins_a_line_of_its_own(void **state)
{
    (void)state;
    expect_line(false, show_event_line, SPAN_NONE,
                SPAN_LIT("{\"id\":\"a\\nCompleted\",\"type\":\"call.\\u001b[2J\",\"status\":\"\\r\\u009b\","
                         "\"to\":\"\\u202e\",\"reason\":{\"code\":\"x\\ny\",\"detail\":\"\"}}"),
                "--:--:--.--- \\u001b[2J \\u000d\\u009b          -                 a\\u000aCompleted \\u202e "
                "(x\\u000ay)\n");
    expect_line(false, show_summary_line, SPAN_LIT("campaign:a\nb"),
                SPAN_LIT("{\"by_status\":{\"x\\ny\":3}}"),
                "--:--:--.--- campaign:a\\u000ab calls 0 waiting 0 retrying 0 x\\u000ay 3\n");
}

static void a_record_of_a_call_is_a_line(void **state)
{
    (void)state;
    expect_line(
        false, show_record_line, SPAN_NONE,
        SPAN_LIT("{\"tenant\":\"acme\",\"campaign\":\"maize\",\"call_id\":\"c-1\",\"to\":\"+254722000111\","
                 "\"status\":\"No_answer\",\"drop_reason\":\"expired\",\"in_doubt\":false,\"attempts\":2,"
                 "\"reason_code\":\"NO_ANSWER\",\"reason_detail\":\"of +254722000111\",\"channel\":\"ke\","
                 "\"final_at\":\"2026-11-22T18:51:02.311Z\",\"ring_seconds\":40,\"talk_seconds\":null,"
                 "\"cost_amount\":\"0.5\",\"cost_currency\":\"USD\",\"costs\":null,\"erased\":false}"),
        "2026-11-22 18:51:02.311 No_answer             acme/c-1 maize attempts 2 +2547****0111 on ke ring "
        "40 s cost 0.5 USD reason NO_ANSWER: of +2547****0111 expired\n");
    expect_line(false, show_record_line, SPAN_NONE,
                SPAN_LIT("{\"status\":null,\"drop_reason\":\"cancelled\"}"),
                "- cancelled             ?/? ? attempts 0\n");
    expect_line(false, show_record_line, SPAN_NONE,
                SPAN_LIT("{\"status\":\"x\\ny\",\"costs\":{\"U\\nD\":\"1\",\"KES\":7},\"erased\":true}"),
                "- x\\u000ay              ?/? ? attempts 0 cost 1 U\\u000aD erased\n");
}

static void what_somebody_did_is_a_line(void **state)
{
    (void)state;
    expect_line(
        false, show_audit_line, SPAN_NONE,
        SPAN_LIT(
            "{\"at\":\"2026-11-22T18:51:02.311Z\",\"action\":\"dnc.add\",\"result\":\"done\","
            "\"target\":\"+254722000111\",\"affected\":1,\"from\":\"http\","
            "\"actor\":{\"kind\":\"token\",\"name\":\"crm\"},\"reason\":\"+254722000111 asked\\nfor it\"}"),
        "2026-11-22 18:51:02.311 dnc.add     done    +2547****0111 affected 1 by crm (token, http): "
        "+2547****0111 asked\\u000afor it\n");
    expect_line(false, show_audit_line, SPAN_NONE, SPAN_LIT("{\"actor\":7}"),
                "- ?           ?       - (?, ?)\n");
}

static void json_of_a_topic_stays_json_on_one_line(void **state)
{
    (void)state;
    expect_line(true, show_event_line, SPAN_NONE, SPAN_LIT("{ \"a\":1.50 }"), "{ \"a\":1.50 }\n");
    expect_line(true, show_event_line, SPAN_NONE, SPAN_LIT("{\r\n\t\"a\": \"b\"}"), "{\"a\":\"b\"}\n");
}

/* ---- pieces ---- */

static void expect_piece(struct buf *b, const char *expected)
{
    assert_string_equal(b->p, expected);
    buf_clear(b);
}

static void times_and_counts_read_well(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    show_add_time(&b, "2026-11-22T18:50:50.123Z");
    expect_piece(&b, "2026-11-22 18:50:50.123");
    show_add_time(&b, NULL);
    expect_piece(&b, "-");
    show_add_span_of_time(&b, 850);
    expect_piece(&b, "850 ms");
    show_add_span_of_time(&b, 12340);
    expect_piece(&b, "12.3 s");
    show_add_span_of_time(&b, 250000);
    expect_piece(&b, "4 min 10 s");
    show_add_span_of_time(&b, 7500000);
    expect_piece(&b, "2 h 5 min");
    show_add_span_of_time(&b, 273600000);
    expect_piece(&b, "3 d 4 h");
    show_add_count(&b, 1234567);
    expect_piece(&b, "1,234,567");
    show_add_count(&b, -1234);
    expect_piece(&b, "-1,234");
    show_add_count(&b, 999);
    expect_piece(&b, "999");
    show_add_column(&b,
                    "\xC3\xA4"
                    "b",
                    4);
    expect_piece(&b, "\xC3\xA4"
                     "b  ");
    show_add_column(&b, "longer", 4);
    expect_piece(&b, "longer ");
    buf_done(&b);
}

/* ---- whole ---- */

static void has(const struct buf *b, const char *text)
{
    if (strstr(b->p, text) == NULL)
        fail_msg("\"%s\" is not in:\n%s", text, b->p);
}

static void a_call_shows_its_attempts_and_hops(void **state)
{
    (void)state;
    struct buf b;
    json_t *call = json_loads("{\"tenant\":\"acme\",\"call_id\":\"c1\",\"campaign\":\"maize\",\"to\":\"+2547*"
                              "***0111\",\"phase\":\"done\","
                              "\"status\":\"Completed\",\"final\":true,\"drop_reason\":null,\"created_at\":"
                              "\"2026-11-22T18:50:50.123Z\","
                              "\"updated_at\":\"2026-11-22T18:50:59.123Z\",\"attempts\":[{\"attempt\":1,"
                              "\"channel\":\"ke-main\",\"provider\":"
                              "\"twilio\",\"provider_call_id\":\"CA1\",\"status\":\"Completed\",\"reason\":{"
                              "\"code\":\"486\",\"detail\":\"busy\"},"
                              "\"ring_seconds\":4,\"talk_seconds\":31,\"cost\":{\"amount\":\"0.0065\","
                              "\"currency\":\"USD\"},\"hops\":["
                              "{\"hop\":\"dialing\",\"at\":\"2026-11-22T18:50:51.000Z\",\"recorded_at\":"
                              "\"2026-11-22T18:50:51.200Z\","
                              "\"detail\":\"ringing\"},{\"hop\":\"message_out\",\"at\":null,\"recorded_at\":"
                              "\"2026-11-22T18:50:50.300Z\","
                              "\"detail\":null}]}]}",
                              0, NULL);
    assert_non_null(call);
    buf_init(&b, 64 * 1024);
    show_call(&b, call);
    has(&b, "acme/c1\n");
    has(&b, "Completed (final)");
    has(&b, "to          +2547****0111");
    has(&b, "attempt 1   Completed over ke-main (twilio CA1)");
    has(&b, "rang 4 s, talked 31 s, cost 0.0065 USD");
    has(&b, "reason: 486, busy");
    has(&b, "dialing             2026-11-22 18:50:51.000   +200 ms       ringing\n");
    has(&b, "message_out         (2026-11-22 18:50:50.300)\n");
    buf_done(&b);
    json_decref(call);
}

static void a_call_without_attempt_or_with_odd_values_is_shown_as_far_as_it_goes(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "{\"tenant\":\"acme\",\"call_id\":\"c1\",\"phase\":\"waiting\",\"status\":null,\"attempts\":[]}",
        "{\"status\":1,\"attempts\":[{\"hops\":[{}]},7,null],\"drop_reason\":\"expired\"}",
        "{\"attempts\":{}}",
        "{}",
    };
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        json_t *call = json_loads(calls[i], 0, NULL);
        assert_non_null(call);
        buf_clear(&b);
        show_call(&b, call);
        show_summary(&b, call);
        assert_true(b.n > 0);
        json_decref(call);
    }
    buf_done(&b);
}

static void a_summary_shows_counts_that_add_up(void **state)
{
    (void)state;
    struct buf b;
    json_t *summary =
        json_loads("{\"tenant\":\"acme\",\"campaign\":\"maize\",\"revision\":42,\"as_of\":"
                   "\"2026-11-22T18:50:50.123Z\",\"complete\":"
                   "false,\"calls\":1015,\"waiting\":12,\"dropped\":{\"expired\":3},"
                   "\"retrying\":40,\"by_status\":{\"Completed\":700,"
                   "\"No_answer\":300},\"attempts\":1240,\"answer_rate\":0.7,\"by_channel\":{"
                   "\"ke-main\":{\"calls\":1015}},"
                   "\"by_reason\":{\"487\":9,\"NO_ANSWER\":150},\"hops\":{\"message_out\":1240},\"ring_"
                   "seconds\":{\"p50\":14,\"p95\":31,"
                   "\"sum\":600},\"talk_seconds\":{\"p50\":null},\"cost\":{\"USD\":\"8.06\"}}",
                   0, NULL);
    assert_non_null(summary);
    buf_init(&b, 64 * 1024);
    show_summary(&b, summary);
    has(&b, "revision 42, under way");
    has(&b, "1,015 = 12 waiting + 3 dropped + 1,000 with a status, 40 of them to be tried again");
    has(&b, "Completed                      700   70.0 %  #####################\n");
    has(&b, "1,240, answer rate 70.0 %");
    has(&b, "p50 14 s, p95 31 s, together 10 min 0 s");
    has(&b, "USD 8.06");
    has(&b, "ke-main 1,015");
    has(&b, "NO_ANSWER 150, 487 9\n");
    has(&b, "expired 3");
    assert_null(strstr(b.p, "talking"));
    buf_done(&b);
    json_decref(summary);
}

static json_t *channel_counts(int completed, int pending, int waiting, int dropped)
{
    return json_pack("{s:i, s:i, s:{s:i}, s:{s:i, s:i}}", "calls", completed + pending + waiting + dropped,
                     "waiting", waiting, "dropped", "expired", dropped, "by_status", "Completed", completed,
                     "Pending", pending);
}

static void channels_stand_side_by_side(void **state)
{
    (void)state;
    struct buf b;
    json_t *summary = channel_counts(1503, 1, 2, 0);
    json_object_set_new(summary, "by_channel",
                        json_pack("{s:o, s:o}", "ke-africastalking", channel_counts(1503, 0, 2, 0), "us",
                                  channel_counts(0, 1, 0, 0)));
    buf_init(&b, 64 * 1024);
    show_summary(&b, summary);
    has(&b, "                            ke-africastalking       us      all\n");
    has(&b, "  Completed                             1,503        0    1,503   99.9 %\n");
    has(&b, "  Pending                                   0        1        1    0.1 %\n");
    has(&b, "  waiting                                   2        0        2\n");
    has(&b, "  calls                                 1,505        1    1,506\n");
    has(&b, "  answer rate                         100.0 %        -  100.0 %\n");
    assert_null(strstr(b.p, "  dropped"));
    assert_null(strstr(b.p, "  channels"));
    buf_done(&b);
    json_decref(summary);
}

static void many_channels_are_folded_and_still_add_up(void **state)
{
    (void)state;
    struct buf b;
    char name[16];
    json_t *summary = channel_counts(36, 0, 0, 9), *channels = json_object();
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof(name), "ch-%d", i);
        json_object_set_new(channels, name, channel_counts(i, 0, 0, 1));
    }
    json_object_set_new(summary, "by_channel", channels);
    buf_init(&b, 64 * 1024);
    show_summary(&b, summary);
    has(&b, "     ch-8     ch-7     ch-6     ch-5     ch-4   others      all\n");
    has(&b, "  Completed                       8        7        6        5        4        6       36  "
            "100.0 %\n");
    has(&b, "  dropped                         1        1        1        1        1        4        9\n");
    has(&b, "  calls                           9        8        7        6        5       10       45\n");
    buf_done(&b);
    json_decref(summary);
}

/* ---- command lines ---- */

static const struct args_option table[] = {
    {"--json", NULL, ""}, {"-n", "N", ""}, {"--campaign", "C", ""}, {NULL, NULL, NULL}};

static int read_line(struct args *args, const char *const *words, struct err *err)
{
    int argc = 0;
    while (words[argc] != NULL)
        argc++;
    return args_read(args, table, NULL, argc, (char **)(uintptr_t)words, err);
}

#define LINE(...) ((const char *const[]){__VA_ARGS__, NULL})

static void options_and_words_come_in_any_order(void **state)
{
    (void)state;
    struct args args;
    struct err err = ERR_INIT;
    int64_t n = 0;
    assert_int_equal(
        read_line(&args, LINE("-n", "5", "word", "--campaign=a/b", "-", "--json", "--", "--x"), &err), 0);
    assert_true(args_has(&args, "--json"));
    assert_string_equal(args_get(&args, "--campaign"), "a/b");
    assert_int_equal(args_number(&args, "-n", 1, 0, &n, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(args.words_n, 3);
    assert_string_equal(args.words[1], "-");
    assert_string_equal(args.words[2], "--x");
}

static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    struct args args;
    struct err err = ERR_INIT;
    int64_t n;
    assert_int_equal(read_line(&args, LINE("--what"), &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, "--what"));
    assert_int_equal(read_line(&args, LINE("--json=1"), &err), ERR_CONFIG);
    assert_int_equal(read_line(&args, LINE("--campaign"), &err), ERR_CONFIG);
    static const char *const numbers[] = {"0", "-1", "x", "1x", "", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(read_line(&args, LINE("-n", numbers[i]), &err), 0);
        assert_int_equal(args_number(&args, "-n", 1, 0, &n, &err), ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read_stands_on_one_line_with_its_numbers_masked),
        cmocka_unit_test(no_value_of_a_record_begins_a_line_of_its_own),
        cmocka_unit_test(a_record_of_a_call_is_a_line),
        cmocka_unit_test(what_somebody_did_is_a_line),
        cmocka_unit_test(json_of_a_topic_stays_json_on_one_line),
        cmocka_unit_test(times_and_counts_read_well),
        cmocka_unit_test(a_call_shows_its_attempts_and_hops),
        cmocka_unit_test(a_call_without_attempt_or_with_odd_values_is_shown_as_far_as_it_goes),
        cmocka_unit_test(a_summary_shows_counts_that_add_up),
        cmocka_unit_test(channels_stand_side_by_side),
        cmocka_unit_test(many_channels_are_folded_and_still_add_up),
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(wrong_command_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
