#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/phone.h"

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

static void check_text(const char *text, enum phone_shown shown, const char *expected)
{
    struct buf b, again;
    buf_init(&b, 1000);
    buf_init(&again, 1000);
    phone_add_masked_text(&b, span_str(text), shown, SPAN_LIT("key"));
    assert_string_equal(b.p, expected);
    phone_add_masked_text(&again, buf_span(&b), shown, SPAN_LIT("key"));
    assert_string_equal(again.p, expected); /* once is enough, twice does no harm */
    buf_done(&b);
    buf_done(&again);
}

static void numbers_within_a_sentence_are_masked_and_the_rest_is_kept(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"to is \"+254722001234\", expected E.164", "to is \"+2547****1234\", expected E.164"},
        {"code 21211, +1234567 and 123456", "code 21211, ****67 and 123456"},
        {"a+b ++254722001234+", "a+b ++2547****1234+"},
        {"254722000111 480 +254722000111, 21211", "25472****0111 480 +2547****0111, 21211"},
        {"0722 000 111. 30003 follows", "****11. 30003 follows"},
        {"sip:+254722000111@host;x=1", "sip:+2547****0111@host;x=1"},
        {"{\"to\":\"+254722000111\",\"n\":[1,2,3,4,5,6,7,8,9]}",
         "{\"to\":\"+2547****0111\",\"n\":[1,2,3,4,5,6,7,8,9]}"},
        {"{\"to\":254722000111}", "{\"to\":25472****0111}"},
        {"To=%2B254722000111&From=0722+000+111&x=1", "To=+2547****0111&From=****11&x=1"},
        {"REJECTED_+254722000111", "REJECTED_+2547****0111"},
        {"REJECTED_254722000111", "REJECTED_25472****0111"},
        {"REJECTED-0722-000-111-BUSY", "REJECTED-****11-BUSY"},
        {"+254722000111x", "+2547****0111x"},
        {"\xC3\xA9 9", "\xC3\xA9 9"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_text(cases[i][0], PHONE_MASK, cases[i][1]);
        check_text(cases[i][0], PHONE_PLAIN, cases[i][0]);
    }
}

/* The same number, as people, forms and careless programs write it. */
static const char *const abroad[] = {
    "+254722000111", "+254 722 000 111", "+254  722 000 111", "+254-722-000-111", "+254.722.000.111",
    "+254_722_000_111", "+254/722/000/111", "+254,722,000,111", "+(254) 722-000-111", "+ 254 722 000111",
    "+2 5 4 7 2 2 0 0 0 1 1 1", "+254 - 722 - 000 - 111", "+254\t722\n000\r\n111", "00254722000111",
    "00 254 722 000 111", "%2B254722000111", "%2b254%20722%20000%20111", "\\u002b254\\u00a0722\\n000111",
    "+254\302\240722\342\200\257000\342\200\211111",                 /* blanks that do not break */
    "+254\342\200\220722\342\200\221000\342\200\223111",             /* hyphens, a dash */
    "+254\342\210\222722\302\267000\357\274\215111",                 /* minus, middle dot, fullwidth */
    "+254\342\200\213722\302\255000\342\201\240111",                 /* zero width, soft hyphen, joiner */
    "+\342\200\252254722\357\273\277000111\342\200\254",             /* bidi, byte order mark */
    "+2\357\270\217\342\203\2435\357\270\217\342\203\2434722000111", /* keycaps */
    /* fullwidth */
    "\357\274\213\357\274\222\357\274\225\357\274\224\357\274\227\357\274\222\357\274\222000111",
    "+\331\242\331\245\331\244\331\247\331\242\331\242\331\240\331\240\331\240\331\241\331\241\331\241",
    "+%D9%A2%D9%A5%D9%A4%D9%A7%D9%A2%D9%A2%D9%A0%D9%A0%D9%A0%D9%A1%D9%A1%D9%A1",
    "+\\u0662\\u0665\\u0664\\u0667\\u0662\\u0662\\u0660\\u0660\\u0660\\u0661\\u0661\\u0661",
    "+\333\262\333\265\333\264722000111",                         /* Persian */
    "+\340\245\250\340\245\253\340\245\252722000111",             /* Devanagari */
    "+\360\235\237\220\360\235\237\223\360\235\237\222722000111", /* mathematical bold */
    "+\\ud835\\udfd0\\ud835\\udfd34722000111", "+\302\262\342\201\265\342\201\264722000111", /* superscript */
    "+\342\221\241\342\221\244\342\221\243722000111",                                        /* circled */
};

static const char *const national[] = {
    "0722000111",
    "0722 000111",
    "0722 000 111",
    "(0722) 000 111",
    "[0722] 000-111",
    "0722-000-111",
    "0722.000.111",
    "0722/000111",
    "0 7 2 2 0 0 0 1 1 1",
    "722 000 111",
    "722-000-111",
    "722.000.111",
    "722000111",
    "0722\342\200\213000\302\255111",
    "\331\240\331\247\331\242\331\242 \331\240\331\240\331\240 \331\241\331\241\331\241",
};

static void every_spelling_of_a_number_is_found(void **state)
{
    (void)state;
    struct buf hashed;
    char text[400], expected[400];
    buf_init(&hashed, 100);
    phone_add_shown(&hashed, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("key"));
    for (size_t i = 0; i < sizeof abroad / sizeof abroad[0]; i++) {
        const char *rest = i == 22 ? "\xE2\x80\xAC" : ""; /* what nobody sees behind it stays */
        snprintf(text, sizeof text, "REJECTED %s (480)", abroad[i]);
        snprintf(expected, sizeof expected, "REJECTED +2547****0111%s (480)", rest);
        check_text(text, PHONE_MASK, expected);
        snprintf(expected, sizeof expected, "REJECTED %s%s (480)", hashed.p, rest);
        check_text(text, PHONE_HASH, expected);
        check_text(text, PHONE_PLAIN, text);
    }
    buf_done(&hashed);
}

/* What would be left of it: the first five and last four characters are nearly all of a number without its
 * country. */
static void of_a_number_in_national_form_only_the_last_two_digits_are_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof national / sizeof national[0]; i++) {
        char text[400];
        struct buf b;
        buf_init(&b, 1000);
        snprintf(text, sizeof text, "no answer from %s: busy", national[i]);
        phone_add_masked_text(&b, span_str(text), PHONE_MASK, SPAN_NONE);
        assert_non_null(strstr(b.p, "****11"));
        assert_null(strpbrk(b.p, "023456789"));
        assert_memory_equal(b.p + b.n - 6, ": busy", 6);
        buf_done(&b);
    }
}

static void what_is_no_number_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "call-1234567",
        "order-20261122-0001",
        "0192f1c4-7a3b-7000-8000-123456789012",
        "12345678-1234-4234-8234-123456789012",
        "CON-0192f1c4-7a3b-7000-8000-123456789012",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "CA1234567890abcdef1234567890abcdef",
        "ATVId_1234567f8a9b0c1d2e3f4a5b6c7d8e9f",
        "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg",
        "2250be2d4219-3af1-78856-aabe-1362af1edfd2",
        "2026-11-22T18:50:50.123Z",
        "2026-11-22 18:50:50",
        "at 2026-11-22T18:50:50.123456+03:00, 22.11.2026 or 11/22/2026",
        "Sun, 22 Nov 2026 18:50:50 +0000",
        "20261122T185050Z",
        "20261122185050",
        "1764529850123",
        "SIP 480, Q.850 18, error 30003 (HTTP 404)",
        "SIP_480_30003",
        "10.244.129.17:9092/1001",
        "0.00650000 USD",
        "1234567.89 KES",
        "1,234,567,890.00 KES",
        "12 345 678 KES",
        "36.8219462, -1.2920659",
        "rang 14 s, talked 31 s",
        "1/1 brokers are down",
        "123456",
        "",
        "+",
        "%",
        "%2B",
        "\\u",
        "\\u00",
        "\xEF\xBC\x8B",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_text(texts[i], PHONE_MASK, texts[i]);
}

static void bytes_that_are_no_text_are_copied(void **state)
{
    (void)state;
    check_text("\xFF\xFE+254722000111\xC3", PHONE_MASK, "\xFF\xFE+2547****0111\xC3");
    check_text("+254722\xFF"
               "000111",
               PHONE_MASK,
               "+254722\xFF"
               "000111");
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
        cmocka_unit_test(every_spelling_of_a_number_is_found),
        cmocka_unit_test(of_a_number_in_national_form_only_the_last_two_digits_are_left),
        cmocka_unit_test(what_is_no_number_stays_as_it_is),
        cmocka_unit_test(bytes_that_are_no_text_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
