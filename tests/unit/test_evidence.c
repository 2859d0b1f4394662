#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/evidence.h"

static void new_evidence_says_nothing(void **state)
{
    struct evidence ev;
    (void)state;
    memset(&ev, 0xA5, sizeof ev);
    evidence_init(&ev);
    assert_int_equal(ev.status, STATUS_NONE);
    assert_false(ev.terminal);
    assert_int_equal(ev.hops, 0);
    assert_int_equal(ev.at_ms, 0);
    assert_int_equal(ev.ring_seconds, -1);
    assert_int_equal(ev.talk_seconds, -1);
    assert_int_equal(ev.cost_micros, -1);
    assert_int_equal(ev.reason_kind, REASON_NONE);
    assert_string_equal(ev.provider_call_id, "");
}

static void a_reason_is_cut_at_a_character(void **state)
{
    struct evidence ev;
    char code[80];
    (void)state;
    evidence_init(&ev);
    memset(code, 'x', sizeof code);
    memcpy(code + 63, "\xC3\xA9", 2); /* its second byte would be the 65th */
    evidence_set_reason(&ev, REASON_NAMED, span_of(code, sizeof code), SPAN_LIT("d"));
    assert_int_equal(strlen(ev.reason_code), 63);
    memcpy(code + 62, "\xC3\xA9xx", 4);
    evidence_set_reason(&ev, REASON_NAMED, span_of(code, sizeof code), SPAN_LIT("d"));
    assert_int_equal(strlen(ev.reason_code), 64);
    assert_string_equal(ev.reason_detail, "d");
}

static void stored_text_has_no_control_characters_and_is_utf8(void **state)
{
    struct evidence ev;
    (void)state;
    evidence_init(&ev);
    evidence_set_reason(&ev, REASON_TEXT, SPAN_LIT("a\nb\0c\x7F"),
                        SPAN_LIT("x\xFFy\xC2\x85z\xE2\x82\xAC\xE2\x82"));
    assert_string_equal(ev.reason_code, "a b c ");
    assert_string_equal(ev.reason_detail, "x?y z\xE2\x82\xAC??");
    evidence_set_hop_detail(&ev, SPAN_LIT("busy\tSIP 486"));
    assert_string_equal(ev.hop_detail, "busy SIP 486");
}

static void a_reason_without_words_is_none(void **state)
{
    struct evidence ev;
    (void)state;
    evidence_init(&ev);
    evidence_set_reason(&ev, REASON_SIP, SPAN_LIT("486"), SPAN_NONE);
    assert_int_equal(ev.reason_kind, REASON_SIP);
    evidence_set_reason(&ev, REASON_TEXT, SPAN_NONE, SPAN_NONE);
    assert_int_equal(ev.reason_kind, REASON_NONE);
    assert_string_equal(ev.reason_code, "");
}

static void only_visible_ascii_is_a_provider_call_id(void **state)
{
    struct evidence ev;
    char longest[EVIDENCE_ID_MAX + 1];
    (void)state;
    evidence_init(&ev);
    memset(longest, 'a', sizeof longest);
    assert_true(evidence_set_provider_call_id(&ev, SPAN_LIT("CA0123")));
    assert_false(evidence_set_provider_call_id(&ev, SPAN_NONE));
    assert_false(evidence_set_provider_call_id(&ev, SPAN_LIT("CA 1")));
    assert_false(evidence_set_provider_call_id(&ev, SPAN_LIT("CA\n1")));
    assert_false(evidence_set_provider_call_id(&ev, SPAN_LIT("CA\xC3\xA9")));
    assert_false(evidence_set_provider_call_id(&ev, span_of(longest, sizeof longest)));
    assert_string_equal(ev.provider_call_id, "CA0123");
    assert_true(evidence_set_provider_call_id(&ev, span_of(longest, EVIDENCE_ID_MAX)));
}

static void cost_is_kept_in_millionths(void **state)
{
    static const struct {
        const char *text;
        int64_t micros;
    } rows[] = {
        {"0.0065", 6500},       {"-0.0065", 6500}, {"1", 1000000},  {"-12.5", 12500000},
        {"0.12345678", 123456}, {".5", 500000},    {"5.", 5000000}, {"999999999.999999", 999999999999999}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct evidence ev;
        evidence_init(&ev);
        assert_true(evidence_set_cost(&ev, span_str(rows[i].text), SPAN_LIT("usd")));
        assert_int_equal(ev.cost_micros, rows[i].micros);
        assert_string_equal(ev.currency, "USD");
    }
}

static void what_is_no_amount_leaves_the_cost_alone(void **state)
{
    static const char *const bad[] = {"",   "-",  ".",   "-.",    "1e3",        "1,5", " 1",
                                      "1 ", "+1", "--1", "1.2.3", "1234567890", "NaN"};
    struct evidence ev;
    (void)state;
    evidence_init(&ev);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(evidence_set_cost(&ev, span_str(bad[i]), SPAN_LIT("USD")));
    assert_false(evidence_set_cost(&ev, SPAN_LIT("1"), SPAN_NONE));
    assert_false(evidence_set_cost(&ev, SPAN_LIT("1"), SPAN_LIT("DOLLARSX")));
    assert_false(evidence_set_cost(&ev, SPAN_LIT("1"), SPAN_LIT("US$")));
    assert_int_equal(ev.cost_micros, -1);
    assert_string_equal(ev.currency, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_evidence_says_nothing),
        cmocka_unit_test(a_reason_is_cut_at_a_character),
        cmocka_unit_test(stored_text_has_no_control_characters_and_is_utf8),
        cmocka_unit_test(a_reason_without_words_is_none),
        cmocka_unit_test(only_visible_ascii_is_a_provider_call_id),
        cmocka_unit_test(cost_is_kept_in_millionths),
        cmocka_unit_test(what_is_no_amount_leaves_the_cost_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
