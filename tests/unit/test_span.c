#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/span.h"

static void spans_compare_by_content_and_length(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN_LIT("abc"), span_of("abcd", 3)));
    assert_false(span_eq(SPAN_LIT("abc"), SPAN_LIT("abd")));
    assert_false(span_eq(SPAN_LIT("abc"), SPAN_LIT("ab")));
    assert_true(span_is(SPAN_LIT("abc"), "abc"));
    assert_true(span_eq(SPAN_LIT("a\0b"), span_of("a\0b", 3)));
    assert_false(span_eq(SPAN_LIT("a\0b"), span_of("a\0c", 3)));
}

static void an_absent_span_equals_an_empty_one(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN_NONE, SPAN_LIT("")));
    assert_true(span_is(SPAN_NONE, ""));
    assert_int_equal(span_str(NULL).n, 0);
}

static void every_scalar_value_is_utf8_in_its_shortest_form(void **state)
{
    (void)state;
    for (unsigned c = 0; c <= 0x10FFFF; c++) {
        char out[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
        unsigned rest = c;
        for (size_t i = n - 1; i > 0; i--, rest >>= 6)
            out[i] = (char)(0x80 | (rest & 0x3F));
        out[0] = (char)(leads[n] | rest);
        bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        if (span_utf8_char(span_of(out, n)) != (surrogate ? 0 : n))
            fail_msg("U+%04X", c);
        if (n > 1 && span_utf8_char(span_of(out, n - 1)) != 0)
            fail_msg("U+%04X without its last byte", c);
    }
}

static void what_is_not_utf8_is_told_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xC3(",
                                      "\xE2\x82(",
                                      "abc\xE2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(span_utf8(span_str(bad[i])));
    assert_true(span_utf8(SPAN_NONE));
    assert_true(span_utf8(SPAN_LIT("Ndugu, bei ya mahindi: \xE2\x82\xAC 5 \xF0\x9F\x8C\xBD")));
    assert_true(span_utf8(SPAN_LIT("a\0b")));
    assert_int_equal(span_utf8_char(SPAN_NONE), 0);
}

static void words_compare_in_any_case(void **state)
{
    (void)state;
    assert_true(span_is_any_case(SPAN_LIT("User_BUSY"), "USER_busy"));
    assert_true(span_is_any_case(SPAN_NONE, ""));
    assert_false(span_is_any_case(SPAN_LIT("busy"), "busyy"));
    assert_false(span_is_any_case(SPAN_LIT("busyy"), "busy"));
    assert_false(span_is_any_case(SPAN_LIT("[@"), "{`")); /* 32 apart, and no letters */
    assert_false(span_is_any_case(SPAN_LIT("bus\0"), "bus"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare_by_content_and_length),
        cmocka_unit_test(an_absent_span_equals_an_empty_one),
        cmocka_unit_test(words_compare_in_any_case),
        cmocka_unit_test(every_scalar_value_is_utf8_in_its_shortest_form),
        cmocka_unit_test(what_is_not_utf8_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
