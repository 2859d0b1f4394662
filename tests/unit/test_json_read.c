/* What is read of a text that is not quite JSON, or JSON of a kind that jansson does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"

enum { MAX = 100 * 1024 };

/* From an allocation of exactly that size, so that a sanitizer sees a step past the end. */
static json_t *read_as(enum json_manner manner, struct span text, struct err *err)
{
    char *exact = test_malloc(text.n ? text.n : 1);
    if (text.n)
        memcpy(exact, text.p, text.n);
    json_t *root = json_read(span_of(exact, text.n), MAX, manner, err);
    test_free(exact);
    return root;
}

static void assert_reads(enum json_manner manner, struct span text, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf b;
    json_t *root = read_as(manner, text, &err);
    if (!root)
        fail_msg("%.*s: %s", SPAN_ARG(text), err.text);
    buf_init(&b, MAX);
    json_value(&b, root, JSON_AS_READ);
    assert_string_equal(b.p, expected);
    buf_done(&b);
    json_decref(root);
}

static void assert_refuses(enum json_manner manner, struct span text)
{
    struct err err = ERR_INIT;
    json_t *root = read_as(manner, text, &err);
    if (root)
        fail_msg("accepted: %.*s", SPAN_ARG(text));
    assert_true(strlen(err.text) > 10);
}

/* ---- numbers ---- */

static void a_number_comes_out_as_it_went_in(void **state)
{
    static const char *const same[] = {"0",
                                       "-1",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "12345678901234567890",
                                       "100000000000000000000000000000000",
                                       "1e400",
                                       "-1E+400",
                                       "1e-400",
                                       "4.9e-324",
                                       "0.1",
                                       "0.30000000000000004",
                                       "3.14159265358979323846",
                                       "12345678901234.567",
                                       "1700000000.1234567",
                                       "1234567890.123456789012"};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        snprintf(text, sizeof text, "[%s]", same[i]);
        assert_reads(JSON_READ_STRICT, span_str(text), text);
        assert_reads(JSON_READ_LENIENT, span_str(text), text);
        assert_reads(JSON_READ_FOREIGN, span_str(text), text);
    }
    assert_reads(JSON_READ_STRICT, SPAN_LIT("[1.50,1e2,-0.0,0e9,0.00]"), "[1.5,100,0,0,0]");
}

static void a_big_number_is_neither_text_nor_number_nor_list(void **state)
{
    json_t *root = json_parse(SPAN_LIT("{\"n\":1e400,\"m\":12345678901234567890}"), MAX, NULL);
    const json_t *n = json_object_get(root, "n");
    int64_t whole = 7;
    (void)state;
    assert_int_equal(json_odd(n), JSON_BIG);
    assert_true(span_is(json_big_number(n), "1e400"));
    assert_null(json_text(n).p);
    assert_false(json_whole(n, &whole));
    assert_int_equal(whole, 7);
    assert_int_equal(json_array_size(n), 0);
    assert_int_equal(json_odd(root), JSON_PLAIN);
    assert_null(json_big_number(root).p);
    json_decref(root);
}

/* What is odd cannot be spelled: a key of ours is no UTF-8, and those of texts are cleaned. */
static void no_text_can_pass_for_a_big_number(void **state)
{
    (void)state;
    assert_reads(JSON_READ_FOREIGN,
                 SPAN_LIT("[{\"\xFF"
                          "big\":\"1}\"}]"),
                 "[{\"\xEF\xBF\xBD"
                 "big\":\"1}\"}]");
    assert_reads(JSON_READ_LENIENT, SPAN_LIT("[{\"\\ud800big\":\"1}\"}]"),
                 "[{\"\xEF\xBF\xBD"
                 "big\":\"1}\"}]");
    assert_reads(JSON_READ_LENIENT, SPAN_LIT("[{\"to\\u0000x\":1}]"), "[{\"to\xEF\xBF\xBDx\":1}]");
}

/* ---- strings ---- */

static void escapes_are_read(void **state)
{
    (void)state;
    assert_reads(JSON_READ_STRICT, SPAN_LIT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00x\"]"),
                 "[\"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x\"]");
}

static void what_json_admits_and_unicode_does_not_is_read_leniently(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"[\"a\\u0000b\"]", "[\"a\xEF\xBF\xBD"
                            "b\"]"},
        {"[\"a\\ud800\"]", "[\"a\xEF\xBF\xBD\"]"},
        {"[\"\\udc00b\"]", "[\"\xEF\xBF\xBD"
                           "b\"]"},
        {"[\"\\ud800\\ud800\\udc00\"]", "[\"\xEF\xBF\xBD\xF0\x90\x80\x80\"]"},
        {"[\"\\ud800\\u0041\"]", "[\"\xEF\xBF\xBD"
                                 "A\"]"},
        {"17", "17"},
        {"null", "null"},
        {"\xEF\xBB\xBF{}", "{}"},
        {"\xEF\xBB\xBF \"x\" ", "\"x\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_reads(JSON_READ_LENIENT, span_str(rows[i].text), rows[i].expected);
        assert_refuses(JSON_READ_STRICT, span_str(rows[i].text));
    }
}

static void bytes_that_are_no_utf8_are_left_to_who_needs_the_text(void **state)
{
    json_t *root = json_read(SPAN_LIT("{\"a\":\"caf\xE9\",\"b\":\"\\udc00\"}"), MAX, JSON_READ_LENIENT, NULL);
    (void)state;
    assert_true(span_is(json_get_span(root, "a"), "caf\xE9"));
    assert_false(span_utf8(json_get_span(root, "b")));
    json_decref(root);
    assert_reads(JSON_READ_LENIENT, SPAN_LIT("{\"\xC0\x80\":\"\xED\xA0\x80\"}"),
                 "{\"\xEF\xBF\xBD\xEF\xBF\xBD\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}");
    assert_refuses(JSON_READ_STRICT, SPAN_LIT("{\"\xC0\x80\":1}"));
}

/* ---- strangers ---- */

static void a_stranger_s_slips_cost_nothing(void **state)
{
    static const struct {
        struct span text;
        const char *expected;
    } rows[] = {
        {SPAN_LIT("{\"a\":\"x\0y\tz\",\"b\":1}"), "{\"a\":\"x\xEF\xBF\xBDy\\tz\",\"b\":1}"},
        {SPAN_LIT("{\"a\":\"C:\\x \\u12\",\"b\":1}"), "{\"a\":\"C:\\\\x \\\\u12\",\"b\":1}"},
        {SPAN_LIT("{\"a\":NaN,\"b\":-Infinity,\"c\":Infinity}"), "{\"a\":null,\"b\":null,\"c\":null}"},
        {SPAN_LIT("{\"a\":007,\"b\":+486,\"c\":.5,\"d\":1.}"),
         "{\"a\":\"007\",\"b\":\"+486\",\"c\":\".5\",\"d\":\"1.\"}"},
        {SPAN_LIT("{\"a\":1}\0\0"), "{\"a\":1}"},
        {SPAN_LIT("{\"a\":1}<!-- served by 7 -->"), "{\"a\":1}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_reads(JSON_READ_FOREIGN, rows[i].text, rows[i].expected);
        assert_refuses(JSON_READ_LENIENT, rows[i].text);
        assert_refuses(JSON_READ_STRICT, rows[i].text);
    }
}

static void what_is_cut_or_no_json_is_refused_of_strangers_too(void **state)
{
    static const char *const bad[] = {"",          " ",      "{",     "{\"a\"",       "{\"a\":", "{\"a\":1",
                                      "{\"a\":1,", "[1,]",   "{,}",   "{a:1}",        "[\"a",    "[\"a\\",
                                      "[tru]",     "<html>", "hello", "\xEF\xBB\xBF", "[1 2]",   "{\"a\":1]"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(JSON_READ_FOREIGN, span_str(bad[i]));
}

/* ---- doubled keys, and nesting ---- */

static void a_doubled_key_is_seen_where_its_values_differ(void **state)
{
    json_t *root = json_read(SPAN_LIT("{\"same\":[1],\"same\":[1],\"to\":1,\"to\":2,\"to\":1}"), MAX,
                             JSON_READ_LENIENT, NULL);
    const json_t *to = json_object_get(root, "to");
    (void)state;
    assert_int_equal(json_odd(json_object_get(root, "same")), JSON_PLAIN);
    assert_int_equal(json_odd(to), JSON_DOUBLED);
    assert_int_equal(json_integer_value(json_doubled(to)), 1);
    assert_ptr_equal(json_doubled(root), root);
    json_decref(root);
    assert_reads(JSON_READ_FOREIGN, SPAN_LIT("{\"a\":1,\"a\":{\"b\":2}}"), "{\"a\":{\"b\":2}}");
    assert_refuses(JSON_READ_STRICT, SPAN_LIT("{\"a\":1,\"a\":1}"));
}

static void add_nested(struct buf *b, int depth, const char *open, const char *close)
{
    for (int i = 0; i < depth; i++)
        buf_adds(b, open);
    buf_adds(b, "\"]}\"");
    for (int i = 0; i < depth; i++)
        buf_adds(b, close);
}

static void what_is_nested_too_deep_is_passed_over_whole(void **state)
{
    static const struct {
        const char *open, *close;
    } rows[] = {{"[", "]"}, {"{\"a\\\"[\":", "}"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int depth = 250; depth < 4000; depth += 1200) {
            struct buf b;
            buf_init(&b, MAX);
            buf_adds(&b, "{\"deep\":");
            add_nested(&b, depth, rows[i].open, rows[i].close);
            buf_adds(&b, ",\"b\":1}");
            json_t *root = read_as(JSON_READ_LENIENT, buf_span(&b), NULL);
            assert_int_equal(json_integer_value(json_object_get(root, "b")), 1);
            struct buf text;
            buf_init(&text, MAX);
            assert_int_equal(json_value(&text, root, JSON_AS_READ), depth == 250);
            buf_done(&text);
            json_decref(root);
            assert_refuses(JSON_READ_FOREIGN, span_of(b.p, b.n - 8 - (size_t)depth)); /* cut */
            buf_done(&b);
        }
    }
}

/* ---- beside jansson's own reader ---- */

static bool has_odd(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_odd(value) != JSON_PLAIN)
        return true;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (has_odd(member))
            return true;
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, member)
    {
        if (has_odd(member))
            return true;
    }
    return false;
}

/* Strictly we take what jansson takes, and read it the same; besides only numbers that it cannot hold. */
static void assert_as_jansson(struct span text)
{
    json_t *ours = read_as(JSON_READ_STRICT, text, NULL);
    json_t *theirs = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!(ours && has_odd(ours))) {
        if (!ours != !theirs)
            fail_msg("%s takes it alone: %.*s", ours ? "json_read" : "jansson", SPAN_ARG(text));
        assert_true(!ours || json_equal(ours, theirs));
    }
    json_decref(ours);
    json_decref(theirs);
}

static void damaged_documents_are_read_as_jansson_reads_them(void **state)
{
    static const char whole[] = "{\"call_id\":\"c-1\",\"to\":\"+254722000111\",\"m\":{\"x\":[1,-2.5e3,{\"y\":"
                                "\"\\u20ac\\ud83d\\ude00\xC3\xA9\"}],\"z\":[true,false,null,{},[]]}}";
    static const char alphabet[] = "{}[]\",:\\u0d8c-+.eE19 tfn\n\xC3\xA9\xFF\x01/";
    uint32_t random = 4711;
    (void)state;
    for (int round = 0; round < 60000; round++) {
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        for (int change = 0; change < 1 + round % 3; change++) {
            random = random * 1664525 + 1013904223;
            char *at = &text[(random >> 8) % (sizeof whole - 1)];
            unsigned char byte = (unsigned char)(random >> 24);
            memcpy(at, round % 2 ? &alphabet[(random >> 20) % (sizeof alphabet - 1)] : (char *)&byte, 1);
        }
        assert_as_jansson(span_of(text, sizeof whole - 1));
        for (int manner = JSON_READ_LENIENT; manner <= JSON_READ_FOREIGN; manner++)
            json_decref(read_as((enum json_manner)manner, span_of(text, sizeof whole - 1), NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_comes_out_as_it_went_in),
        cmocka_unit_test(a_big_number_is_neither_text_nor_number_nor_list),
        cmocka_unit_test(no_text_can_pass_for_a_big_number),
        cmocka_unit_test(escapes_are_read),
        cmocka_unit_test(what_json_admits_and_unicode_does_not_is_read_leniently),
        cmocka_unit_test(bytes_that_are_no_utf8_are_left_to_who_needs_the_text),
        cmocka_unit_test(a_stranger_s_slips_cost_nothing),
        cmocka_unit_test(what_is_cut_or_no_json_is_refused_of_strangers_too),
        cmocka_unit_test(a_doubled_key_is_seen_where_its_values_differ),
        cmocka_unit_test(what_is_nested_too_deep_is_passed_over_whole),
        cmocka_unit_test(damaged_documents_are_read_as_jansson_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
