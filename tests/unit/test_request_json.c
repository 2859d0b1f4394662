/* A call request as a JSON document: what is no JSON, what is there twice, and what nobody needs. */
#include "common/base/pii.h"
#include "tests/unit/request_fixture.h"

static void what_is_no_json_is_told_from_what_does_not_fit(void **state)
{
    static const struct {
        struct span text;
        bool not_json;
    } rows[] = {
        {SPAN_LIT(""), true},
        {SPAN_LIT("call me maybe"), true},
        {SPAN_LIT("{" BASIC), true},
        {SPAN_LIT("{\"call_id\": \"c"), true},
        {SPAN_LIT("{" BASIC "}}"), true},
        {SPAN_LIT("{" BASIC "}{" BASIC "}"), true},
        {SPAN_LIT("{" BASIC ", \"call_id\": \"c-2\"}"), false},
        {SPAN_LIT("{" IDS ", \"message\": {\"say\": \"Hel\0lo\"}}"), true},
        {SPAN_LIT("{" BASIC "}\0"), true},
        {SPAN_LIT("\0"), true},
        {SPAN_LIT("{" IDS ", \"message\": {\"say\": \"Hel\\u0000lo\"}}"), false},
        {SPAN_LIT("{" IDS ", \"message\": {\"say\": \"\\ud800\"}}"), false},
        {SPAN_LIT("{" IDS ", \"message\": {\"say\": \"Hell\xFF\xFE\"}}"), true},
        {SPAN_LIT("{" IDS ", \"message\": {\"say\": \"Hell\xC3\"}}"), true},
        {SPAN_LIT("{" BASIC ", \"ring_timeout\": 1000000000000000000000000000000}"), false},
        {SPAN_LIT("17"), false},
        {SPAN_LIT("null"), false},
        {SPAN_LIT("1e400"), false},
        {SPAN_LIT("{\"x\": \"\xFF\", \"call_id\": 17}"), false},
        {SPAN_LIT("[{" BASIC "}]"), false},
        {SPAN_LIT("[]"), false},
        {SPAN_LIT("{}"), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed_request out = parse(rows[i].text);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_int_equal(out.err.code, ERR_INVALID);
        assert_int_equal(out.not_json, rows[i].not_json);
        assert_true(strlen(out.err.text) > 10);
        request_done(&out.request);
    }
}

static const char *const beside_the_point[] = {
    "12345678901234567890", "-1e400",        "\"\\u0000\"",
    "\"\\ud800\"",          "\"caf\xE9\"",   "\"\xC0\x80\"",
    "{\"a\": 1, \"a\": 2}", "{\"\xFF\": 1}", "{\"to\": \"1\", \"to\": \"2\"}"};

/* Nobody reads it: that it cannot be read says nothing of the request. */
static void what_an_unknown_field_holds_is_beside_the_point(void **state)
{
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof beside_the_point / sizeof beside_the_point[0]; i++) {
        snprintf(text, sizeof text, BASIC ", \"trace\": %s", beside_the_point[i]);
        struct parsed_request out = accept(text);
        assert_int_equal(out.request.unknown_n, 1);
        request_done(&out.request);
    }
    struct parsed_request twice = accept(BASIC ", \"trace\": 1, \"trace\": 2");
    request_done(&twice.request);
    struct parsed_request key = accept(BASIC ", \"\xE9t\xE9\": 1");
    assert_true(span_utf8(key.request.unknown[0]));
    request_done(&key.request);
}

static void an_unknown_field_may_be_nested_as_deep_as_it_likes(void **state)
{
    struct buf text;
    (void)state;
    for (int depth = 70; depth < 8000; depth *= 10) {
        buf_init(&text, 1 << 20);
        buf_adds(&text, BASIC ", \"trace\": ");
        for (int i = 0; i < depth; i++)
            buf_addc(&text, '[');
        for (int i = 0; i < depth; i++)
            buf_addc(&text, ']');
        struct parsed_request out = accept(text.p);
        request_done(&out.request);
        buf_done(&text);
    }
}

static void a_byte_order_mark_is_no_part_of_a_request(void **state)
{
    struct parsed_request out = parse(SPAN_LIT("\xEF\xBB\xBF{" BASIC "}"));
    (void)state;
    assert_int_equal(out.rc, 0);
    request_done(&out.request);
}

/* Nobody is dialled for one of two numbers. */
static void a_field_that_is_there_twice_with_different_values_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *members, *field;
    } rows[] = {
        {BASIC ", \"to\": \"+254722000112\"", "to"},
        {BASIC ", \"to\": \"+254722000112\", \"to\": \"+254722000111\"", "to"},
        {BASIC ", \"to\": null", "to"},
        {BASIC ", \"message\": {\"say\": \"Bye\"}", "message"},
        {IDS ", \"message\": {\"say\": \"a\", \"say\": \"b\"}", "message.say"},
        {IDS ", \"message\": {\"say\": \"a\", \"language\": \"sw\", \"language\": \"en\"}",
         "message.language"},
        {BASIC ", \"expires_at\": \"2026-11-22T18:50:50Z\", \"expires_at\": null", "expires_at"},
        {BASIC ", \"calling_hours\": {\"timezone\": \"UTC\", \"timezone\": \"Africa/Nairobi\", \"from\": "
               "\"08:00\", "
               "\"to\": \"19:30\"}",
         "calling_hours.timezone"},
        {BASIC ", \"retry\": {\"max_attempts\": 2, \"max_attempts\": 3}", "retry.max_attempts"},
        {BASIC ", \"metadata\": {\"a\": 1}, \"metadata\": {}", "metadata"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed_request out = parse_members(rows[i].members);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_string_equal(out.field, rows[i].field);
        assert_non_null(strstr(out.err.text, "is there twice, with different values"));
        assert_false(out.not_json);
        request_done(&out.request);
    }
    struct parsed_request same = accept(BASIC ", \"to\": \"+254722000111\", " SAY);
    request_done(&same.request);
}

static void a_needed_text_that_cannot_be_read_is_refused_by_its_name(void **state)
{
    static const char *const rows[][2] = {
        {IDS ", \"message\": {\"say\": \"caf\xE9\"}", "message.say"},
        {IDS ", \"message\": {\"play\": \"https://a.test/\xFF\"}", "message.play"},
        {BASIC ", \"channel\": \"ke\xFF\"", "channel"},
        {"\"call_id\": \"c\\u0000\", \"tenant\": \"acme\"", "call_id"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed_request out = parse_members(rows[i][0]);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_string_equal(out.field, rows[i][1]);
        assert_non_null(strstr(out.err.text, "expected UTF-8"));
        assert_int_equal(out.not_json, i < 3); /* RFC 8259: JSON is UTF-8 */
        request_done(&out.request);
    }
}

static void numbers_in_metadata_come_out_as_they_went_in(void **state)
{
    struct parsed_request out =
        accept(BASIC ", \"metadata\": {\"id\": 12345678901234567890, \"x\": [1e400, 1e-400, "
                     "3.14159265358979323846], \"bad\": \"caf\xE9\", \"a\": 1, \"a\": 2}");
    (void)state;
    ASSERT_SPAN(out.request.metadata,
                "{\"a\":2,\"bad\":\"caf\xEF\xBF\xBD\",\"id\":12345678901234567890,\"x\":[1e400,1e-400,"
                "3.14159265358979323846]}");
    request_done(&out.request);
    assert_refused(BASIC ", \"metadata\": 1e400", "metadata");
    assert_refused(BASIC ", \"retry\": 1e400", "retry");
    assert_refused(BASIC ", \"ring_timeout\": 1e400", "ring_timeout");
    assert_refused("\"call_id\": 12345678901234567890", "call_id");
}

static void a_cut_request_is_never_accepted(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    buf_addf(&text, "{%s}", everything);
    for (size_t n = 0; n < text.n; n++) {
        char *part = malloc(n + 1); /* of its own, so that a read past the end is seen */
        memcpy(part, text.p, n);
        struct parsed_request out = parse(span_of(part, n));
        assert_int_equal(out.rc, ERR_INVALID);
        assert_true(out.not_json);
        request_done(&out.request);
        free(part);
    }
    buf_done(&text);
}

static void deep_and_huge_documents_are_refused(void **state)
{
    size_t n = 60000;
    char *text = malloc(n);
    struct parsed_request out;
    (void)state;
    memset(text, '[', n);
    out = parse(span_of(text, n));
    assert_int_equal(out.rc, ERR_INVALID);
    request_done(&out.request);
    free(text);
    struct buf deep;
    buf_init(&deep, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_adds(&deep, "{\"call_id\":");
    buf_adds(&deep, "1");
    for (int i = 0; i < 5000; i++)
        buf_adds(&deep, "}");
    out = parse(buf_span(&deep));
    assert_int_equal(out.rc, ERR_INVALID);
    request_done(&out.request);
    buf_done(&deep);
    n = 900000;
    text = malloc(n);
    memset(text, ' ', n);
    out = parse(span_of(text, n));
    assert_int_equal(out.rc, ERR_INVALID);
    assert_false(out.not_json);
    request_done(&out.request);
    free(text);
}

static void unknown_fields_are_listed_and_left_out(void **state)
{
    struct parsed_request out =
        accept(IDS ", \"color\": \"blue\", \"message\": {\"play\": \"https://a.test/x\", "
                   "\"language\": \"sw\", \"voice\": 1},"
                   "\"retry\": {\"onn\": []}, " HOURS
                   ", \"zone\": 1}, \"b\": 1, \"c\": 1, \"d\": 1, \"e\": 1, \"f\": 1");
    static const char *const names[] = {"color",           "b", "c", "d", "e", "f", "message.voice",
                                        "message.language"};
    (void)state;
    assert_int_equal(out.request.unknown_n, REQUEST_MAX_UNKNOWN);
    for (size_t i = 0; i < REQUEST_MAX_UNKNOWN; i++)
        ASSERT_SPAN(out.request.unknown[i], names[i]);
    assert_null(out.request.language.p);
    request_done(&out.request);
}

static void a_long_unknown_name_is_cut_at_a_character(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    buf_adds(&text, BASIC ", \"");
    for (int i = 0; i < 50; i++)
        buf_adds(&text, "\xE2\x82\xAC");
    buf_adds(&text, "\": 1");
    struct parsed_request out = accept(text.p);
    assert_int_equal(out.request.unknown_n, 1);
    assert_true(span_utf8(out.request.unknown[0]));
    assert_int_equal(out.request.unknown[0].n, 63);
    request_done(&out.request);
    buf_done(&text);
}

static void metadata_keeps_numbers_as_people_wrote_them(void **state)
{
    struct parsed_request out = accept(
        BASIC
        ", \"metadata\": {\"n\": [0.1, 1.5, 1e300, -0.25, 3.141592653589793, 12345678901234567, 1.0, -0.0],"
        "\"s\": \"a\\\"b\\\\c\\n\", \"t\": true, \"f\": false, \"z\": null, \"o\": {}, \"l\": []}");
    (void)state;
    ASSERT_SPAN(out.request.metadata,
                "{\"f\":false,\"l\":[],\"n\":[0.1,1.5,1e+300,-0.25,3.141592653589793,12345678901234567,1,0],"
                "\"o\":{},\"s\":\"a\\\"b\\\\c\\n\",\"t\":true,\"z\":null}");
    request_done(&out.request);
}

static void a_parsed_value_is_read_like_a_text(void **state)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64];
    json_t *good = json_parse(SPAN_LIT("{" BASIC "}"), 4096, NULL), *bad = json_integer(17);
    (void)state;
    assert_int_equal(request_from_json(&request, good, &err, field), 0);
    json_decref(good);
    ASSERT_SPAN(request.message, "Habari");
    request_done(&request);
    assert_int_equal(request_from_json(&request, bad, &err, field), ERR_INVALID);
    assert_string_equal(field, "");
    request_done(&request);
    json_decref(bad);
}

static void metadata_that_is_not_kept_is_three_stars(void **state)
{
    (void)state;
    static const char text[] =
        "{\"call_id\":\"c\",\"tenant\":\"t\",\"campaign\":\"m\",\"to\":\"+254722000111\","
        "\"message\":{\"say\":\"x\"},\"metadata\":{\"name\":\"Jane\",\"order\":{\"b\":1,\"a\":2}}}";
    struct request request;
    struct err err = ERR_INIT;
    struct buf b;
    char field[64];
    bool not_json;
    buf_init(&b, 4096);
    assert_int_equal(request_parse(&request, span_str(text), &err, field, &not_json), 0);
    request_add_shown_metadata(&b, &request);
    assert_string_equal(b.p, "{\"name\":\"Jane\",\"order\":{\"a\":2,\"b\":1}}");
    pii_setup_metadata(SPAN_LIT("order"));
    buf_clear(&b);
    request_add_shown_metadata(&b, &request);
    assert_string_equal(b.p, "{\"name\":\"***\",\"order\":{\"a\":2,\"b\":1}}");
    pii_setup_metadata(SPAN_LIT("*"));
    request_done(&request);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_is_told_from_what_does_not_fit),
        cmocka_unit_test(what_an_unknown_field_holds_is_beside_the_point),
        cmocka_unit_test(an_unknown_field_may_be_nested_as_deep_as_it_likes),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_a_request),
        cmocka_unit_test(a_field_that_is_there_twice_with_different_values_is_refused_by_its_name),
        cmocka_unit_test(a_needed_text_that_cannot_be_read_is_refused_by_its_name),
        cmocka_unit_test(numbers_in_metadata_come_out_as_they_went_in),
        cmocka_unit_test(a_cut_request_is_never_accepted),
        cmocka_unit_test(deep_and_huge_documents_are_refused),
        cmocka_unit_test(unknown_fields_are_listed_and_left_out),
        cmocka_unit_test(a_long_unknown_name_is_cut_at_a_character),
        cmocka_unit_test(metadata_keeps_numbers_as_people_wrote_them),
        cmocka_unit_test(metadata_that_is_not_kept_is_three_stars),
        cmocka_unit_test(a_parsed_value_is_read_like_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
