#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"

static void a_document_is_a_straight_run_of_calls(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    json_sep(&b);
    buf_addc(&b, '{');
    json_kstr(&b, "a", SPAN_LIT("x"));
    json_kstrz(&b, "b", NULL);
    json_kstrz(&b, "c", "");
    json_kint(&b, "d", -5);
    json_kbool(&b, "e", true);
    json_kbool(&b, "f", false);
    json_knull(&b, "g");
    json_ktime(&b, "h", INT64_C(1795373450123));
    json_ktime(&b, "i", 0);
    json_kraw(&b, "j", SPAN_LIT("{\"k\":1}"));
    json_key(&b, "l");
    buf_addc(&b, '[');
    for (int i = 0; i < 3; i++) {
        json_sep(&b);
        buf_addint(&b, i);
    }
    buf_adds(&b, "]}");
    assert_string_equal(b.p, "{\"a\":\"x\",\"b\":null,\"c\":\"\",\"d\":-5,\"e\":true,\"f\":false,\"g\":null,"
                             "\"h\":\"2026-11-22T18:50:50.123Z\",\"i\":null,\"j\":{\"k\":1},\"l\":[0,1,2]}");
    buf_done(&b);
}

static void check_string(struct span text, const char *expected)
{
    struct buf b;
    buf_init(&b, 1000);
    json_str(&b, text);
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void strings_are_escaped_where_json_asks_for_it(void **state)
{
    (void)state;
    check_string(SPAN_NONE, "\"\"");
    check_string(SPAN_LIT("plain text, longer than eight bytes"), "\"plain text, longer than eight bytes\"");
    check_string(SPAN_LIT("\"\\/"), "\"\\\"\\\\/\"");
    check_string(SPAN_LIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    check_string(SPAN_LIT("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\"");
    check_string(SPAN_LIT("habari za asubuhi \xE2\x82\xAC \xF0\x9F\x93\x9E"),
                 "\"habari za asubuhi \xE2\x82\xAC \xF0\x9F\x93\x9E\"");
}

static void bytes_that_are_no_text_become_replacement_characters(void **state)
{
    (void)state;
    check_string(SPAN_LIT("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
    check_string(SPAN_LIT("a\0z"), "\"a\xEF\xBF\xBDz\"");
    check_string(SPAN_LIT("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    check_string(SPAN_LIT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* Each byte at each place of the eight that are looked at together, and behind them. */
static void every_byte_at_every_place_reads_back(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < 19; at++) {
            char text[19], expected[32];
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            struct buf b;
            buf_init(&b, 1000);
            buf_addc(&b, '[');
            json_str(&b, span_of(text, sizeof text));
            buf_addc(&b, ']');
            struct err err = ERR_INIT;
            json_t *root = json_parse(buf_span(&b), 1000, &err);
            if (!root)
                fail_msg("byte %u at %zu: %s", c, at, err.text);
            int n = snprintf(expected, sizeof expected, "%.*s%s%.*s", (int)at, text,
                             c == 0 || c >= 0x80 ? "\xEF\xBF\xBD" : (char[]){(char)c, '\0'},
                             (int)(sizeof text - at - 1), text + at + 1);
            const json_t *string = json_array_get(root, 0);
            assert_int_equal(json_string_length(string), n);
            assert_memory_equal(json_string_value(string), expected, n);
            json_decref(root);
            buf_done(&b);
        }
    }
}

static void random_bytes_always_make_valid_json(void **state)
{
    (void)state;
    uint32_t random = 12345;
    for (int round = 0; round < 5000; round++) {
        char text[64];
        size_t n = (size_t)round % sizeof text;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525 + 1013904223;
            text[i] = (char)(random >> 24);
        }
        struct buf b;
        buf_init(&b, 1000);
        buf_addc(&b, '{');
        json_kstr(&b, "v", span_of(text, n));
        buf_addc(&b, '}');
        json_t *root = json_parse(buf_span(&b), 1000, NULL);
        assert_non_null(root);
        json_decref(root);
        buf_done(&b);
    }
}

static void a_string_that_does_not_fit_sets_overflow(void **state)
{
    (void)state;
    for (size_t max = 0; max < 13; max++) {
        struct buf b;
        buf_init(&b, max);
        json_kstr(&b, "k", SPAN_LIT("ab\ncd"));
        assert_int_equal(buf_ok(&b), max >= 12);
        assert_true(b.n <= max);
        buf_done(&b);
    }
}

static void millionths_are_decimal_strings_without_trailing_zeros(void **state)
{
    (void)state;
    static const struct {
        int64_t micros;
        const char *text;
    } cases[] = {{0, "0"},
                 {6500, "0.0065"},
                 {1, "0.000001"},
                 {-6500, "-0.0065"},
                 {1000000, "1"},
                 {8060000, "8.06"},
                 {-1, "-0.000001"},
                 {999999, "0.999999"},
                 {1234567890, "1234.56789"},
                 {INT64_MAX, "9223372036854.775807"},
                 {INT64_MIN, "-9223372036854.775808"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        char expected[64];
        buf_init(&b, 100);
        json_kmicros(&b, "c", cases[i].micros);
        snprintf(expected, sizeof expected, "\"c\":\"%s\"", cases[i].text);
        assert_string_equal(b.p, expected);
        buf_done(&b);
    }
}

static void a_document_is_parsed_and_its_strings_are_found(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    json_t *root = json_parse(SPAN_LIT(" {\"a\": \"x\\u00e9y\", \"n\": 1, \"e\": \"\"}\n"), 100, &err);
    assert_non_null(root);
    assert_true(span_is(json_get_span(root, "a"), "x\xC3\xA9y"));
    assert_null(json_get_span(root, "n").p);
    assert_null(json_get_span(root, "missing").p);
    assert_non_null(json_get_span(root, "e").p);
    assert_int_equal(json_get_span(root, "e").n, 0);
    assert_null(json_get_span(NULL, "a").p);
    json_decref(root);
}

/* From an allocation of exactly that size, so that a sanitizer sees a step past the end. */
static void check_refused(struct span text, enum err_code code, const char *part)
{
    struct err err = ERR_INIT;
    char *exact = test_malloc(text.n ? text.n : 1);
    if (text.n)
        memcpy(exact, text.p, text.n);
    json_t *root = json_parse(span_of(exact, text.n), 1000, &err);
    test_free(exact);
    if (root)
        fail_msg("accepted: %.*s", SPAN_ARG(text));
    assert_int_equal(err.code, code);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void every_cut_of_a_document_is_refused(void **state)
{
    (void)state;
    struct span whole = SPAN_LIT("{\"a\":[1,2.5,{\"b\":\"x\\u00e9\\n\"},true,null],\"c\":-1e5}");
    for (size_t n = 0; n < whole.n; n++)
        check_refused(span_of(whole.p, n), ERR_INVALID, "");
    json_t *root = json_parse(whole, 1000, NULL);
    assert_non_null(root);
    json_decref(root);
}

static void bad_documents_are_refused_with_their_reason(void **state)
{
    (void)state;
    check_refused(SPAN_LIT(""), ERR_INVALID, "nothing there");
    check_refused(SPAN_LIT("{\"a\":1"), ERR_INVALID, "ends too early");
    check_refused(SPAN_LIT("{\"a\":1} x"), ERR_INVALID, "follows the end");
    check_refused(SPAN_LIT("{}{}"), ERR_INVALID, "follows the end");
    check_refused(SPAN_LIT("{\"a\":1,\"a\":2}"), ERR_INVALID, "twice");
    check_refused(SPAN_LIT("{\"a\":\"\xFF\"}"), ERR_INVALID, "UTF-8");
    check_refused(SPAN_LIT("{\"a\":\"\xC0\x80\"}"), ERR_INVALID, "UTF-8");
    check_refused(SPAN_LIT("{\"a\":\"\xED\xA0\x80\"}"), ERR_INVALID, "UTF-8");
    check_refused(SPAN_LIT("{\"a\":\"\0\"}"), ERR_INVALID, "NUL byte at byte 6");
    check_refused(SPAN_LIT("{\"a\":1}\0"), ERR_INVALID, "NUL byte at byte 7");
    check_refused(SPAN_LIT("{\"a\":\"\\u0000\"}"), ERR_INVALID, "\\u0000");
    check_refused(SPAN_LIT("{\"a\\u0000\":1}"), ERR_INVALID, "\\u0000");
    check_refused(SPAN_LIT("{\"a\":\"\\ud800\"}"), ERR_INVALID, "line 1");
    check_refused(SPAN_LIT("{a:1}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("{'a':1}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("{\"a\":NaN}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("{\"a\":01}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("[1,]"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("{\"a\":\"\n\"}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("\xEF\xBB\xBF{}"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("\"text\""), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("null"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("]]]]"), ERR_INVALID, "not valid JSON");
    check_refused(SPAN_LIT("\"\\"), ERR_INVALID, "");
}

static void an_error_never_quotes_content(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(json_parse(SPAN_LIT("{\"to\": +254722000111}"), 1000, &err));
    assert_null(strstr(err.text, "254722000111"));
    assert_null(json_parse(SPAN_LIT("{\"+254722000111\":1,\"+254722000111\":2}"), 1000, &err));
    assert_null(strstr(err.text, "254722000111"));
}

static void nesting_is_taken_to_256_levels_and_no_further(void **state)
{
    (void)state;
    for (size_t depth = 255; depth <= 258; depth++) {
        char text[600];
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct err err = ERR_INIT;
        json_t *root = json_parse(span_of(text, 2 * depth), 1000, &err);
        assert_int_equal(root != NULL, depth <= 256);
        if (!root)
            assert_non_null(strstr(err.text, "nested deeper than 256 levels at line 1, column 257"));
        assert_int_equal(err.code, root ? ERR_NONE : ERR_LIMIT);
        json_decref(root);
    }
    size_t huge = 1000000;
    char *text = malloc(huge);
    assert_non_null(text);
    memset(text, '[', huge);
    assert_null(json_parse(span_of(text, huge), huge, NULL));
    for (size_t i = 0; i + 5 <= huge; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_null(json_parse(span_of(text, huge), huge, NULL));
    free(text);
}

static void brackets_within_strings_do_not_count_as_nesting(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_adds(&b, "[\"\\\"");
    for (int i = 0; i < 200; i++)
        buf_addc(&b, '[');
    buf_adds(&b, "\\\\\"]");
    json_t *root = json_parse(buf_span(&b), 1000, NULL);
    assert_non_null(root);
    json_decref(root);
    buf_done(&b);
}

static void what_is_too_large_is_told_apart_from_what_is_wrong(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(json_parse(SPAN_LIT("{\"a\":1}"), 6, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    json_t *root = json_parse(SPAN_LIT("{\"a\":1}"), 7, &err);
    assert_non_null(root);
    json_decref(root);
}

/* Documents with a few bytes changed: refused or parsed, never a crash, and what is parsed is clean. */
static void damaged_documents_never_crash_the_parser(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"call_id\":\"c-1\",\"to\":\"+254722000111\",\"m\":{\"x\":[1,2,{\"y\":\"\\u20ac\"}]}}";
    uint32_t random = 99;
    for (int round = 0; round < 20000; round++) {
        char *text = test_malloc(sizeof whole - 1);
        memcpy(text, whole, sizeof whole - 1);
        for (int change = 0; change < 1 + round % 4; change++) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % (sizeof whole - 1)] = (char)(random >> 24);
        }
        json_decref(json_parse(span_of(text, sizeof whole - 1), 1000, NULL));
        test_free(text);
    }
}

static bool whole_of(const char *text, int64_t *whole)
{
    char array[64];
    snprintf(array, sizeof array, "[%s]", text);
    json_t *root = json_parse(span_str(array), 1000, NULL);
    assert_non_null(root);
    bool is_whole = json_whole(json_array_get(root, 0), whole);
    json_decref(root);
    return is_whole;
}

static void a_whole_number_is_one_however_it_is_written(void **state)
{
    static const char *const same[] = {"40", "40.0", "4e1", "4.00E+1"};
    static const char *const others[] = {"40.5", "1e300", "-1e300", "1e-3", "\"40\"", "true", "null", "[]"};
    int64_t whole;
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(whole_of(same[i], &whole));
        assert_int_equal(whole, 40);
    }
    assert_true(whole_of("9223372036854775807", &whole) && whole == INT64_MAX);
    assert_true(whole_of("-0.0", &whole) && whole == 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(whole_of(others[i], &whole));
    assert_false(json_whole(NULL, &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_a_straight_run_of_calls),
        cmocka_unit_test(strings_are_escaped_where_json_asks_for_it),
        cmocka_unit_test(bytes_that_are_no_text_become_replacement_characters),
        cmocka_unit_test(every_byte_at_every_place_reads_back),
        cmocka_unit_test(random_bytes_always_make_valid_json),
        cmocka_unit_test(a_string_that_does_not_fit_sets_overflow),
        cmocka_unit_test(millionths_are_decimal_strings_without_trailing_zeros),
        cmocka_unit_test(a_document_is_parsed_and_its_strings_are_found),
        cmocka_unit_test(every_cut_of_a_document_is_refused),
        cmocka_unit_test(bad_documents_are_refused_with_their_reason),
        cmocka_unit_test(an_error_never_quotes_content),
        cmocka_unit_test(nesting_is_taken_to_256_levels_and_no_further),
        cmocka_unit_test(brackets_within_strings_do_not_count_as_nesting),
        cmocka_unit_test(what_is_too_large_is_told_apart_from_what_is_wrong),
        cmocka_unit_test(damaged_documents_never_crash_the_parser),
        cmocka_unit_test(a_whole_number_is_one_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
