/* common/base/number.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/number.h"

static void decimals_are_read_within_their_bounds(void **state)
{
    int64_t value = -1;
    (void)state;
    assert_true(number_read(SPAN_LIT("0"), 0, 9, &value));
    assert_int_equal(value, 0);
    assert_true(number_read(SPAN_LIT("65535"), 1, 65535, &value));
    assert_int_equal(value, 65535);
    assert_true(number_read(SPAN_LIT("007"), 0, 9, &value));
    assert_int_equal(value, 7);
    assert_false(number_read(SPAN_LIT("0"), 1, 65535, &value));
    assert_false(number_read(SPAN_LIT("65536"), 1, 65535, &value));
    assert_int_equal(value, 7);
}

static void what_is_not_all_digits_is_no_decimal(void **state)
{
    static const struct span bad[] = {SPAN_LIT(""),   SPAN_LIT("-1"),  SPAN_LIT("+1"),     SPAN_LIT(" 1"),
                                      SPAN_LIT("1 "), SPAN_LIT("1.0"), SPAN_LIT("1e"),     SPAN_LIT("0x1"),
                                      SPAN_LIT("/"),  SPAN_LIT(":"),   SPAN_LIT("1\0002"), SPAN_LIT("\xb2")};
    int64_t value = 5;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(number_read(bad[i], INT64_MIN, INT64_MAX, &value));
    assert_false(number_read(SPAN_NONE, INT64_MIN, INT64_MAX, &value));
    assert_int_equal(value, 5);
}

static void the_largest_is_read_and_one_more_is_not(void **state)
{
    int64_t value = 0;
    int small = 0;
    (void)state;
    assert_true(number_read(SPAN_LIT("9223372036854775807"), 0, INT64_MAX, &value));
    assert_true(value == INT64_MAX);
    assert_false(number_read(SPAN_LIT("9223372036854775808"), 0, INT64_MAX, &value));
    assert_false(number_read(SPAN_LIT("92233720368547758070"), 0, INT64_MAX, &value));
    assert_true(number_read_int(SPAN_LIT("2147483647"), 0, INT32_MAX, &small));
    assert_int_equal(small, INT32_MAX);
    assert_false(number_read_int(SPAN_LIT("2147483648"), 0, INT32_MAX, &small));
}

static void only_what_the_span_has_is_read(void **state)
{
    int64_t value = 0;
    (void)state;
    assert_true(number_read(span_of("123x", 3), 0, 999, &value));
    assert_int_equal(value, 123);
}

static void numbers_are_written_as_decimals(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {{0, "0"},
                 {7, "7"},
                 {-1, "-1"},
                 {10, "10"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    char room[NUMBER_LEN];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(span_is(number_write(room, cases[i].value), cases[i].text));
}

static void hex_digits_have_values_in_both_cases(void **state)
{
    static const char small[] = "0123456789abcdef", large[] = "0123456789ABCDEF";
    int values = 0;
    (void)state;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(number_hex_digit(small[i]), i);
        assert_int_equal(number_hex_digit(large[i]), i);
    }
    for (int c = -128; c < 128; c++)
        values += number_hex_digit((char)c) >= 0;
    assert_int_equal(values, 10 + 6 + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_read_within_their_bounds),
        cmocka_unit_test(what_is_not_all_digits_is_no_decimal),
        cmocka_unit_test(the_largest_is_read_and_one_more_is_not),
        cmocka_unit_test(only_what_the_span_has_is_read),
        cmocka_unit_test(numbers_are_written_as_decimals),
        cmocka_unit_test(hex_digits_have_values_in_both_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
