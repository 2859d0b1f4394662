#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/simulator/simulator.h"
#include "tests/simulator/twilio_sign.h"

/* ---- signatures: the vectors of Twilio's own client libraries ---- */

#define URL "https://mycompany.com/myapp.php?foo=1&bar=2"

static void assert_signature(const char *url, const struct form_field *fields, size_t n, const char *expected)
{
    struct form_field copy[8];
    struct buf out, scratch;
    assert_true(n <= 8);
    if (n > 0)
        memcpy(copy, fields, n * sizeof *fields);
    buf_init(&out, 1024);
    buf_init(&scratch, 4096);
    sim_twilio_sign(&out, SPAN_LIT("12345"), span_str(url), copy, n, &scratch);
    assert_string_equal(out.p, expected);
    buf_done(&out);
    buf_done(&scratch);
}

#define FIELD(name, value)                                                                                   \
    {                                                                                                        \
        {(name), sizeof(name) - 1},                                                                          \
        {                                                                                                    \
            (value), sizeof(value) - 1                                                                       \
        }                                                                                                    \
    }

static void a_form_is_signed_as_twilio_signs_it(void **state)
{
    (void)state;
    const struct form_field fields[] = {
        FIELD("Digits", "1234"),       FIELD("CallSid", "CA1234567890ABCDE"), FIELD("To", "+18005551212"),
        FIELD("From", "+14158675309"), FIELD("Caller", "+14158675309"),
    };
    assert_signature(URL, fields, 5, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert_signature("https://mycompany.com:443/myapp.php?foo=1&bar=2", fields, 5,
                     "kvajT1Ptam85bY51eRf/AJRuM3w=");
    assert_signature("http://mycompany.com:1234/myapp.php?foo=1&bar=2", fields, 5,
                     "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=");
    assert_signature("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", fields, 5,
                     "CukzLTc1tT5dXEDIHm/tKBanW10=");
}

static void repeated_parameters_are_signed_once_each_in_order(void **state)
{
    (void)state;
    const struct form_field fields[] = {
        FIELD("Sid", "CA123"),   FIELD("SidAccount", "AC123"), FIELD("Digits", "5678"),
        FIELD("Digits", "1234"), FIELD("Digits", "1234"),
    };
    assert_signature(URL, fields, 5, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
}

static void a_body_that_is_no_form_is_signed_by_its_url_alone(void **state)
{
    (void)state;
    assert_signature(URL "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620", NULL,
                     0, "a9nBmqA0ju/hNViExpshrM61xv4=");
}

static void times_are_written_as_in_twilios_callbacks(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    sim_add_rfc2822(&out, INT64_C(1651933814999));
    assert_string_equal(out.p, "Sat, 07 May 2022 14:30:14 +0000");
    buf_done(&out);
}

/* ---- the retry rule ---- */

static struct http_reply reply_of(enum http_outcome outcome, int status)
{
    return (struct http_reply){.outcome = outcome, .status = status, .error = ""};
}

static bool is_tried_again(const struct sim_retry_rule *rule, enum http_outcome outcome, int status,
                           int tries, int64_t since_ms)
{
    int64_t wait_ms;
    struct http_reply reply = reply_of(outcome, status);
    return sim_retry_again(rule, sim_retry_class(&reply), tries, since_ms, &wait_ms);
}

static void without_overrides_only_a_failed_connection_is_tried_once_more(void **state)
{
    (void)state;
    const struct sim_retry_rule rule = sim_retry_parse(SPAN_NONE);
    assert_int_equal(rule.connect_ms, 5000);
    assert_int_equal(rule.read_ms, 15000);
    assert_int_equal(rule.total_ms, 15000);
    assert_true(is_tried_again(&rule, HTTP_NOT_SENT, 0, 1, 0));
    assert_false(is_tried_again(&rule, HTTP_NOT_SENT, 0, 2, 0));
    assert_false(is_tried_again(&rule, HTTP_IN_DOUBT, 0, 1, 0));
    assert_false(is_tried_again(&rule, HTTP_REPLY, 503, 1, 0));
    assert_false(is_tried_again(&rule, HTTP_REPLY, 404, 1, 0));
}

static void the_fragment_overrides_the_rule(void **state)
{
    (void)state;
    const struct sim_retry_rule all = sim_retry_parse(SPAN_LIT("rc=5&rp=all"));
    assert_int_equal(all.retries, 5);
    for (int tries = 1; tries <= 5; tries++)
        assert_true(is_tried_again(&all, HTTP_REPLY, 503, tries, 0));
    assert_false(is_tried_again(&all, HTTP_REPLY, 503, 6, 0));
    assert_true(is_tried_again(&all, HTTP_REPLY, 403, 1, 0));
    assert_true(is_tried_again(&all, HTTP_IN_DOUBT, 0, 1, 0));
    const struct sim_retry_rule some = sim_retry_parse(SPAN_LIT("ct=200&rt=50&tt=99999&rp=5xx,rt&x=y"));
    assert_int_equal(some.connect_ms, 200);
    assert_int_equal(some.read_ms, 100);
    assert_int_equal(some.total_ms, 15000);
    assert_true(is_tried_again(&some, HTTP_REPLY, 500, 1, 0));
    assert_false(is_tried_again(&some, HTTP_REPLY, 400, 1, 0));
    assert_false(is_tried_again(&some, HTTP_NOT_SENT, 0, 1, 0));
}

static void nothing_is_tried_again_after_fifteen_seconds(void **state)
{
    (void)state;
    const struct sim_retry_rule rule = sim_retry_parse(SPAN_LIT("rc=5&rp=all"));
    assert_true(is_tried_again(&rule, HTTP_REPLY, 503, 1, 14000));
    assert_false(is_tried_again(&rule, HTTP_REPLY, 503, 1, 14800));
}

static void any_2xx_acknowledges(void **state)
{
    (void)state;
    for (int status = 200; status < 300; status += 4) {
        struct http_reply reply = reply_of(HTTP_REPLY, status);
        assert_int_equal(sim_retry_class(&reply), 0);
    }
    struct http_reply redirect = reply_of(HTTP_REPLY, 302);
    assert_int_not_equal(sim_retry_class(&redirect), 0);
}

/* ---- outcomes and faults ---- */

static struct sim_fate fate_of(const struct sim_switches *switches, uint64_t seed, const char *to,
                               const char *attempt, uint32_t nth)
{
    const struct sim_asked asked = {seed, span_str(to), span_str(attempt), nth, nth};
    return sim_decide(switches, &asked);
}

static struct sim_fate numbered_fate(const struct sim_switches *switches, uint64_t seed, int number)
{
    char to[24], attempt[64];
    snprintf(to, sizeof to, "+2547%08d", number);
    snprintf(attempt, sizeof attempt, "http://h/callbacks/twilio/ke/acme/c%d/1", number);
    return fate_of(switches, seed, to, attempt, 0);
}

static void the_same_seed_and_call_have_the_same_fate_in_any_order(void **state)
{
    (void)state;
    struct sim_switches switches;
    struct sim_fate forward[200];
    int differ = 0;
    sim_switches_init(&switches);
    switches.fault[SIM_DUPLICATE] = 0.3;
    for (int i = 0; i < 200; i++)
        forward[i] = numbered_fate(&switches, 7, i);
    for (int i = 199; i >= 0; i--) {
        struct sim_fate again = numbered_fate(&switches, 7, i), other = numbered_fate(&switches, 8, i);
        assert_int_equal(again.outcome, forward[i].outcome);
        assert_int_equal(again.sip, forward[i].sip);
        assert_int_equal(again.faults, forward[i].faults);
        assert_int_equal(again.ring_ms, forward[i].ring_ms);
        assert_int_equal(again.talk_ms, forward[i].talk_ms);
        differ += other.outcome != forward[i].outcome || other.faults != forward[i].faults;
    }
    assert_true(differ > 20);
}

static void outcomes_come_by_their_weights(void **state)
{
    (void)state;
    enum { CALLS = 20000 };
    struct sim_switches switches;
    int seen[SIM_OUTCOMES] = {0};
    sim_switches_init(&switches);
    for (int i = 0; i < CALLS; i++)
        seen[numbered_fate(&switches, 1, i * 7).outcome]++;
    for (int i = 0; i < SIM_OUTCOMES; i++) {
        int expected = CALLS / 100 * (int)switches.weights[i];
        assert_in_range(seen[i], expected * 8 / 10, expected * 12 / 10);
    }
}

static void durations_stay_in_their_ranges(void **state)
{
    (void)state;
    struct sim_switches switches;
    sim_switches_init(&switches);
    assert_int_equal(sim_switch_set(&switches, SPAN_LIT("ring_ms"), SPAN_LIT("100-102"), NULL), 0);
    for (int i = 0; i < 1000; i++) {
        struct sim_fate fate = numbered_fate(&switches, 1, i);
        assert_in_range(fate.ring_ms, 100, 102);
        assert_in_range(fate.talk_ms, 5000, 60000);
        assert_int_equal(fate.latency_ms, 0);
    }
}

static void the_last_digits_force_an_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        enum sim_outcome outcome;
        int sip;
    } cases[] = {
        {"+254722990000", SIM_COMPLETED, 200}, {"+254722990001", SIM_BUSY, 486},
        {"+254722990002", SIM_NO_ANSWER, 487}, {"+254722990003", SIM_ABSENT, 480},
        {"+254722990004", SIM_FAILED, 404},    {"+254722990005", SIM_CANCELED, 487},
        {"+14155990006", SIM_FAILED, 503},     {"+14155990007", SIM_BUSY, 603},
        {"+14155990008", SIM_FAILED, 0},
    };
    struct sim_switches switches;
    sim_switches_init(&switches);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sim_fate fate = fate_of(&switches, i, cases[i].to, "x", 0);
        assert_int_equal(fate.outcome, cases[i].outcome);
        assert_int_equal(fate.sip, cases[i].sip);
        assert_int_equal(fate.faults, 0);
        assert_true(fate.exists);
    }
}

static void a_forced_fault_can_end_after_some_placements(void **state)
{
    (void)state;
    struct sim_switches switches;
    sim_switches_init(&switches);
    assert_int_equal(sim_pattern_set(&switches, SPAN_LIT("0042"), SPAN_LIT("busy,429:2"), NULL), 0);
    for (uint32_t nth = 0; nth < 4; nth++) {
        struct sim_fate fate = fate_of(&switches, 1, "+254700000042", "x", nth);
        assert_int_equal(sim_reply_fault(&fate), nth < 2 ? SIM_429 : SIM_FAULTS);
        assert_int_equal(fate.exists, nth >= 2);
        assert_int_equal(fate.outcome, SIM_BUSY);
    }
}

static void a_lost_response_leaves_a_call_as_often_as_was_asked(void **state)
{
    (void)state;
    static const char *const lost[] = {"+254722990020", "+254722990021", "+254722990022", "+254722990023",
                                       "+254722990024"};
    struct sim_switches switches;
    sim_switches_init(&switches);
    for (int i = 0; i < 5; i++)
        assert_true(fate_of(&switches, 1, lost[i], "x", 0).exists);
    switches.place_lost = 0;
    for (int i = 0; i < 5; i++)
        assert_false(fate_of(&switches, 1, lost[i], "x", 0).exists);
}

static void a_fault_by_probability_is_thrown_anew_for_each_placement(void **state)
{
    (void)state;
    struct sim_switches switches;
    int hits = 0;
    sim_switches_init(&switches);
    switches.fault[SIM_429] = 0.5;
    for (uint32_t nth = 0; nth < 1000; nth++) {
        struct sim_fate fate = fate_of(&switches, 1, "+254722000001", "x", nth);
        hits += sim_has(&fate, SIM_429);
    }
    assert_in_range(hits, 430, 570);
}

static void of_several_faults_of_the_response_one_applies(void **state)
{
    (void)state;
    struct sim_switches switches;
    sim_switches_init(&switches);
    switches.fault[SIM_429] = switches.fault[SIM_RESET] = switches.fault[SIM_LATE] = 1;
    struct sim_fate fate = numbered_fate(&switches, 1, 1);
    assert_int_equal(fate.faults, SIM_BIT(SIM_RESET) | SIM_BIT(SIM_LATE));
    switches.fault[SIM_RESET] = 0;
    fate = numbered_fate(&switches, 1, 1);
    assert_int_equal(fate.faults, SIM_BIT(SIM_429)); /* no call, so no callback to be late with */
}

/* ---- switches ---- */

static void switches_read_back_what_was_put(void **state)
{
    (void)state;
    struct sim_switches one, two;
    struct buf shown, again;
    buf_init(&shown, 65536);
    buf_init(&again, 65536);
    sim_switches_init(&one);
    sim_switches_init(&two);
    assert_int_equal(
        sim_switches_apply(&one,
                           SPAN_LIT("{\"429\": 0.25, \"late_ms\": 5, \"latency_ms\": \"20-80\", "
                                    "\"callbacks\": false, \"outcomes\": {\"busy\": 3}, "
                                    "\"numbers\": {\"0042\": \"busy/603,429:2,late\", \"990001\": \"\"}}"),
                           NULL),
        0);
    sim_switches_show(&one, &shown);
    assert_int_equal(sim_switches_apply(&two, buf_span(&shown), NULL), 0);
    assert_int_equal(sim_pattern_set(&two, SPAN_LIT("990001"), SPAN_NONE, NULL), 0);
    sim_switches_show(&two, &again);
    assert_string_equal(shown.p, again.p);
    assert_non_null(strstr(shown.p, "\"0042\":\"busy/603,429:2,late\""));
    buf_done(&shown);
    buf_done(&again);
}

static void a_wrong_switch_changes_nothing_and_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"late_ms\": 7, \"bogus\": 1}",
        "{\"late_ms\": 7, \"429\": 1.5}",
        "{\"late_ms\": 7, \"speed\": 0}",
        "{\"late_ms\": 7, \"ring_ms\": \"9-3\"}",
        "{\"late_ms\": 7, \"outcomes\": {}}",
        "{\"late_ms\": 7, \"numbers\": {\"12\": \"nothing\"}}",
        "{\"late_ms\": 7, \"numbers\": {\"abc\": \"busy\"}}",
        "{\"late_ms\": 7, \"429\": null}",
        "[1]",
        "{\"late_ms\": 7",
    };
    struct sim_switches switches;
    sim_switches_init(&switches);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = ERR_INIT;
        assert_int_not_equal(sim_switches_apply(&switches, span_str(wrong[i]), &err), 0);
        assert_int_not_equal(err.text[0], 0);
        assert_int_equal(switches.late_ms, 30000);
    }
}

/* ---- counting ---- */

static void each_key_has_its_own_row_however_many_there_are(void **state)
{
    (void)state;
    struct sim_tally tally = {0};
    for (int round = 0; round < 2; round++) {
        for (uint64_t key = 0; key < 5000; key++)
            sim_tally_at(&tally, sim_mix(key, 1))->asked++;
    }
    assert_int_equal(tally.n, 5000);
    for (uint64_t key = 0; key < 5000; key++)
        assert_int_equal(sim_tally_find(&tally, sim_mix(key, 1))->asked, 2);
    assert_null(sim_tally_find(&tally, sim_mix(5000, 1)));
    sim_tally_done(&tally);
}

static void the_most_in_any_second_is_found_across_second_borders(void **state)
{
    (void)state;
    struct sim_window window = {0};
    for (int i = 0; i < 3000; i++) /* 1,000 a second from 0 s to 3 s */
        sim_window_add(&window, i * INT64_C(1000));
    assert_int_equal(window.most, 1000);
    for (int i = 0; i < 700; i++) /* a burst across the border of a second, after a pause */
        sim_window_add(&window, INT64_C(4800000) + i * INT64_C(500));
    assert_int_equal(window.most, 1000);
    for (int i = 0; i < 700; i++)
        sim_window_add(&window, INT64_C(5150000) + i * INT64_C(500));
    assert_int_equal(window.most, 1400);
    sim_window_done(&window);
}

/* ---- the short URL ---- */

static void the_short_url_keeps_what_stands_before_our_reference(void **state)
{
    (void)state;
    static const struct {
        const char *url, *expected;
    } cases[] = {
        {"https://h/callbacks/twilio/ke/acme/c1/1", "https://h/callbacks/twilio/ke"},
        {"https://h/a/callbacks/twilio/ke/acme/c1/1?token=x", "https://h/a/callbacks/twilio/ke"},
        {"https://h/callbacks/twilio/ke", "https://h/callbacks/twilio/ke"},
        {"https://h/elsewhere/x", "https://h/elsewhere/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span got = sim_short_url(span_str(cases[i].url));
        assert_int_equal(got.n, strlen(cases[i].expected));
        assert_memory_equal(got.p, cases[i].expected, got.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_signed_as_twilio_signs_it),
        cmocka_unit_test(repeated_parameters_are_signed_once_each_in_order),
        cmocka_unit_test(a_body_that_is_no_form_is_signed_by_its_url_alone),
        cmocka_unit_test(times_are_written_as_in_twilios_callbacks),
        cmocka_unit_test(without_overrides_only_a_failed_connection_is_tried_once_more),
        cmocka_unit_test(the_fragment_overrides_the_rule),
        cmocka_unit_test(nothing_is_tried_again_after_fifteen_seconds),
        cmocka_unit_test(any_2xx_acknowledges),
        cmocka_unit_test(the_same_seed_and_call_have_the_same_fate_in_any_order),
        cmocka_unit_test(outcomes_come_by_their_weights),
        cmocka_unit_test(durations_stay_in_their_ranges),
        cmocka_unit_test(the_last_digits_force_an_outcome),
        cmocka_unit_test(a_forced_fault_can_end_after_some_placements),
        cmocka_unit_test(a_lost_response_leaves_a_call_as_often_as_was_asked),
        cmocka_unit_test(a_fault_by_probability_is_thrown_anew_for_each_placement),
        cmocka_unit_test(of_several_faults_of_the_response_one_applies),
        cmocka_unit_test(switches_read_back_what_was_put),
        cmocka_unit_test(a_wrong_switch_changes_nothing_and_is_named),
        cmocka_unit_test(each_key_has_its_own_row_however_many_there_are),
        cmocka_unit_test(the_most_in_any_second_is_found_across_second_borders),
        cmocka_unit_test(the_short_url_keeps_what_stands_before_our_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
