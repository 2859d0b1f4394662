#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/phone.h"

static void e164_numbers_are_plus_and_7_to_15_digits(void **state)
{
    (void)state;
    static const char *const good[] = {"+254722000111", "+1234567", "+123456789012345"};
    static const char *const bad[] = {"",
                                      "+",
                                      "254722000111",
                                      "+123456",
                                      "+1234567890123456",
                                      "+0722000111",
                                      "+25472200011a",
                                      "+254 722000111",
                                      "++254722000111",
                                      " +254722000111",
                                      "+254722000111 ",
                                      "tel:+254722000111",
                                      "+\xD9\xA1\xD9\xA2\xD9\xA3\xD9\xA4"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(phone_valid(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(phone_valid(span_str(bad[i])));
    assert_false(phone_valid(SPAN_NONE));
    assert_false(phone_valid(SPAN_LIT("+25472200\0"
                                      "111")));
}

static void check_shown(const char *number, enum phone_shown shown, const char *expected)
{
    struct buf b;
    buf_init(&b, 1000);
    phone_add_shown(&b, span_str(number), shown, SPAN_LIT("key"));
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void a_masked_number_shows_its_first_five_and_last_four_characters(void **state)
{
    (void)state;
    check_shown("+254722001234", PHONE_MASK, "+2547****1234");
    check_shown("+1234567890", PHONE_MASK, "+1234****7890");
    check_shown("0722001234", PHONE_MASK, "07220****1234");
}

static void a_short_number_shows_its_last_two_digits_only(void **state)
{
    (void)state;
    check_shown("+123456789", PHONE_MASK, "****89");
    check_shown("+1234567", PHONE_MASK, "****67");
}

static void text_that_is_no_number_is_masked_without_giving_it_away(void **state)
{
    (void)state;
    check_shown("", PHONE_MASK, "****");
    check_shown("7", PHONE_MASK, "****");
    check_shown("12", PHONE_MASK, "****");
    check_shown("hello", PHONE_MASK, "****lo");
    check_shown("h\xC3\xA9\xC3\xA9", PHONE_MASK, "****\xC3\xA9");
    check_shown("1234\xE2\x82\xAC"
                "567890\xE2\x82\xAC",
                PHONE_MASK, "1234****0\xE2\x82\xAC");
}

static void a_hashed_number_is_the_same_text_under_the_same_key_only(void **state)
{
    (void)state;
    struct buf a, b;
    buf_init(&a, 100);
    buf_init(&b, 100);
    phone_add_shown(&a, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("key"));
    assert_int_equal(a.n, 2 + 32);
    assert_int_equal(strspn(a.p + 2, "0123456789abcdef"), 32);
    assert_memory_equal(a.p, "h:", 2);
    phone_add_shown(&b, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("key"));
    assert_string_equal(a.p, b.p);
    buf_clear(&b);
    phone_add_shown(&b, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("other"));
    assert_string_not_equal(a.p, b.p);
    buf_done(&a);
    buf_done(&b);
    check_shown("+254722000111", PHONE_PLAIN, "+254722000111");
}

static void numbers_within_a_sentence_are_masked_and_the_rest_is_kept(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"to is \"+254722001234\", expected E.164", "to is \"+2547****1234\", expected E.164"},
        {"0722001234", "07220****1234"},
        {"code 21211, +1234567 and 123456", "code 21211, ****67 and 123456"},
        {"a+b ++254722001234+", "a+b ++2547****1234+"},
        {"\xC3\xA9 9", "\xC3\xA9 9"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 1000);
        phone_add_masked_text(&b, span_str(cases[i][0]), PHONE_MASK, SPAN_NONE);
        assert_string_equal(b.p, cases[i][1]);
        buf_clear(&b);
        phone_add_masked_text(&b, span_str(cases[i][0]), PHONE_PLAIN, SPAN_NONE);
        assert_string_equal(b.p, cases[i][0]);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(e164_numbers_are_plus_and_7_to_15_digits),
        cmocka_unit_test(a_masked_number_shows_its_first_five_and_last_four_characters),
        cmocka_unit_test(a_short_number_shows_its_last_two_digits_only),
        cmocka_unit_test(text_that_is_no_number_is_masked_without_giving_it_away),
        cmocka_unit_test(a_hashed_number_is_the_same_text_under_the_same_key_only),
        cmocka_unit_test(numbers_within_a_sentence_are_masked_and_the_rest_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
