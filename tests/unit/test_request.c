#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/pii.h"
#include "common/json/json.h"
#include "common/model/request.h"

#define IDS   "\"call_id\": \"c-1\", \"tenant\": \"acme\", \"campaign\": \"maize\", \"to\": \"+254722000111\""
#define SAY   "\"message\": {\"say\": \"Habari\"}"
#define BASIC IDS ", " SAY
#define HOURS "\"calling_hours\": {\"timezone\": \"Africa/Nairobi\", \"from\": \"08:00\", \"to\": \"19:30\""

struct outcome {
    struct request request;
    struct err err;
    char field[64];
    bool not_json;
    int rc;
};

static struct outcome parse(struct span text)
{
    struct outcome out = {.err = ERR_INIT};
    memset(&out.request, 0xA5, sizeof out.request);
    out.rc = request_parse(&out.request, text, &out.err, out.field, &out.not_json);
    return out;
}

/* The text lives only during the call: what the request points to must be its own. */
static struct outcome parse_members(const char *members)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_addc(&text, '{');
    buf_adds(&text, members);
    buf_addc(&text, '}');
    struct outcome out = parse(buf_span(&text));
    buf_done(&text);
    return out;
}

static struct outcome accept(const char *members)
{
    struct outcome out = parse_members(members);
    if (out.rc)
        fail_msg("%s: %s", members, out.err.text);
    return out;
}

static void assert_refused(const char *members, const char *field)
{
    struct outcome out = parse_members(members);
    if (out.rc != ERR_INVALID || strcmp(out.field, field) != 0 ||
        strncmp(out.err.text, field, strlen(field)) != 0)
        fail_msg("%s: %d, field \"%s\", \"%s\"", members, out.rc, out.field, out.err.text);
    assert_int_equal(out.err.code, ERR_INVALID);
    assert_false(out.not_json);
    assert_true(strlen(out.err.text) > 10);
    request_done(&out.request);
}

/* Refused for `field` when `members` stand beside everything that is required. */
static void assert_option_refused(const char *members, const char *field)
{
    char text[1024];
    snprintf(text, sizeof text, BASIC ", %s", members);
    assert_refused(text, field);
}

#define ASSERT_SPAN(span, text) assert_true(span_is(span, text))

static void the_smallest_request_has_the_contract_s_defaults(void **state)
{
    struct outcome out = accept(BASIC);
    struct request *r = &out.request;
    (void)state;
    ASSERT_SPAN(r->call_id, "c-1");
    ASSERT_SPAN(r->tenant, "acme");
    ASSERT_SPAN(r->campaign, "maize");
    ASSERT_SPAN(r->to, "+254722000111");
    assert_null(r->channel.p);
    assert_null(r->from.p);
    assert_int_equal(r->message_kind, MESSAGE_SAY);
    ASSERT_SPAN(r->message, "Habari");
    assert_null(r->language.p);
    assert_int_equal(r->ring_timeout_s, 40);
    assert_int_equal(r->time_limit_s, 3600);
    assert_int_equal(r->not_before_ms, 0);
    assert_int_equal(r->expires_at_ms, 0);
    assert_null(r->calling_hours.zone);
    assert_int_equal(r->max_attempts, 1);
    assert_int_equal(r->retry_on,
                     1 << STATUS_NO_ANSWER | 1 << STATUS_USER_BUSY | 1 << STATUS_SUBSCRIBER_ABSENT);
    assert_int_equal(r->delays_n, 2);
    assert_int_equal(r->delays_s[0], 300);
    assert_int_equal(r->delays_s[1], 1800);
    assert_false(r->redial_in_doubt);
    assert_int_equal(r->priority, 5);
    assert_null(r->metadata.p);
    assert_int_equal(r->unknown_n, 0);
    request_done(r);
}

static const char everything[] =
    IDS ", \"channel\": \"ke-main\", \"from\": \"+254711082000\", \"message\": {\"say\": \"Bei\", "
        "\"language\": \"sw-KE\"},"
        "\"ring_timeout\": 30, \"time_limit\": 600, \"not_before\": \"2026-11-22T18:50:50.5Z\","
        "\"expires_at\": \"2026-11-23T23:50:50+03:00\"," HOURS ", \"days\": [\"tue\", \"mon\"]},"
        "\"retry\": {\"max_attempts\": 3, \"on\": [\"Gateway_unavailable\", \"No_answer\"], \"delays\": [1, "
        "2, 3]},"
        "\"redial_in_doubt\": true, \"priority\": 0, \"metadata\": {\"b\": [1, null], \"a\": {\"y\": 0.1, "
        "\"x\": \"\\u20ac\"}}";

static void every_field_is_read(void **state)
{
    struct outcome out = accept(everything);
    struct request *r = &out.request;
    (void)state;
    ASSERT_SPAN(r->channel, "ke-main");
    ASSERT_SPAN(r->from, "+254711082000");
    ASSERT_SPAN(r->language, "sw-KE");
    assert_int_equal(r->ring_timeout_s, 30);
    assert_int_equal(r->time_limit_s, 600);
    assert_int_equal(r->not_before_ms, INT64_C(1795373450500));
    assert_int_equal(r->expires_at_ms, INT64_C(1795467050000));
    assert_string_equal(zone_name(r->calling_hours.zone), "Africa/Nairobi");
    assert_int_equal(r->calling_hours.from_min, 480);
    assert_int_equal(r->calling_hours.to_min, 1170);
    assert_int_equal(r->calling_hours.days, 3);
    assert_int_equal(r->max_attempts, 3);
    assert_int_equal(r->retry_on, 1 << STATUS_GATEWAY_UNAVAILABLE | 1 << STATUS_NO_ANSWER);
    assert_int_equal(r->delays_n, 3);
    assert_int_equal(r->delays_s[2], 3);
    assert_true(r->redial_in_doubt);
    assert_int_equal(r->priority, 0);
    ASSERT_SPAN(r->metadata, "{\"a\":{\"x\":\"\xE2\x82\xAC\",\"y\":0.1},\"b\":[1,null]}");
    request_done(r);
}

static void what_is_written_reads_back_the_same(void **state)
{
    static const char *const requests[] = {BASIC, everything, IDS ", \"message\": {\"say\": \"a \\\"b\\\"\"}",
                                           BASIC ", \"retry\": {\"on\": []}",
                                           BASIC ", \"retry\": {\"delays\": [300]}"};
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct outcome first = accept(requests[i]);
        struct buf json, again;
        buf_init(&json, 1 << 20);
        buf_init(&again, 1 << 20);
        request_add_json(&json, &first.request);
        struct outcome second = parse(buf_span(&json));
        assert_int_equal(second.rc, 0);
        request_add_json(&again, &second.request);
        assert_string_equal(json.p, again.p);
        assert_memory_equal(first.request.fingerprint, second.request.fingerprint, REQUEST_FINGERPRINT_LEN);
        request_done(&first.request);
        request_done(&second.request);
        buf_done(&json);
        buf_done(&again);
    }
}

static void a_default_is_not_written(void **state)
{
    struct outcome out = accept(BASIC);
    struct buf json;
    (void)state;
    buf_init(&json, 4096);
    request_add_json(&json, &out.request);
    assert_string_equal(
        json.p, "{\"call_id\":\"c-1\",\"tenant\":\"acme\",\"campaign\":\"maize\",\"to\":\"+254722000111\","
                "\"message\":{\"say\":\"Habari\"}}");
    buf_done(&json);
    request_done(&out.request);
}

static bool same(const char *a, const char *b)
{
    struct outcome left = accept(a), right = accept(b);
    bool equal = memcmp(left.request.fingerprint, right.request.fingerprint, REQUEST_FINGERPRINT_LEN) == 0;
    request_done(&left.request);
    request_done(&right.request);
    return equal;
}

static void requests_that_mean_the_same_have_one_fingerprint(void **state)
{
    static const char *const rows[][2] = {
        {BASIC, SAY ", " IDS},
        {BASIC,
         BASIC ", \"ring_timeout\": 40, \"time_limit\": 3600, \"priority\": 5, \"redial_in_doubt\": false"},
        {BASIC, BASIC ", \"metadata\": {}, \"retry\": {}, \"channel\": null, \"not_before\": null"},
        {BASIC, BASIC
         ", \"retry\": {\"max_attempts\": 1, \"on\": [\"User_busy\", \"Subscriber_absent\", \"No_answer\", "
         "\"No_answer\"], \"delays\": [300, 1800]}"},
        {BASIC, BASIC ", \"colour\": \"blue\""},
        {BASIC ", \"not_before\": \"2026-11-22T18:50:50Z\"",
         BASIC ", \"not_before\": \"2026-11-22T21:50:50.000+03:00\""},
        {BASIC ", \"metadata\": {\"a\": 1, \"b\": {\"c\": 2, \"d\": 3}}",
         BASIC ", \"metadata\": {\"b\": {\"d\": 3.0, \"c\": 2}, \"a\": 1}"},
        {BASIC ", " HOURS ", \"days\": [\"mon\", \"fri\"]}",
         BASIC ", " HOURS ", \"days\": [\"fri\", \"mon\", \"fri\"]}"},
        {BASIC ", " HOURS "}",
         BASIC ", " HOURS ", \"days\": [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!same(rows[i][0], rows[i][1]))
            fail_msg("differ: %s", rows[i][1]);
    }
}

static void requests_that_differ_in_any_field_have_other_fingerprints(void **state)
{
    static const char *const rows[] = {
        BASIC,
        "\"call_id\": \"c-2\", \"tenant\": \"acme\", \"campaign\": \"maize\", \"to\": "
        "\"+254722000111\", " SAY,
        "\"call_id\": \"c-1\", \"tenant\": \"acm\", \"campaign\": \"maize\", \"to\": \"+254722000111\", " SAY,
        "\"call_id\": \"c-1\", \"tenant\": \"acme\", \"campaign\": \"maiz\", \"to\": \"+254722000111\", " SAY,
        "\"call_id\": \"c-1\", \"tenant\": \"acme\", \"campaign\": \"maize\", \"to\": "
        "\"+254722000112\", " SAY,
        IDS ", \"message\": {\"say\": \"habari\"}",
        IDS ", \"message\": {\"say\": \"https://a.test/\"}",
        IDS ", \"message\": {\"play\": \"https://a.test/\"}",
        IDS ", \"message\": {\"answer_url\": \"https://a.test/\"}",
        IDS ", \"message\": {\"say\": \"Habari\", \"language\": \"sw\"}",
        BASIC ", \"channel\": \"ke-main\"",
        BASIC ", \"from\": \"+254711082000\"",
        BASIC ", \"ring_timeout\": 41",
        BASIC ", \"time_limit\": 41",
        BASIC ", \"not_before\": \"2026-11-22T18:50:50Z\"",
        BASIC ", \"expires_at\": \"2026-11-22T18:50:50Z\"",
        BASIC ", \"expires_at\": \"1926-11-22T18:50:50Z\"",
        BASIC ", " HOURS "}",
        BASIC ", " HOURS ", \"days\": [\"sun\"]}",
        BASIC ", \"calling_hours\": {\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"19:30\"}",
        BASIC ", \"retry\": {\"max_attempts\": 2}",
        BASIC ", \"retry\": {\"on\": []}",
        BASIC ", \"retry\": {\"delays\": [300]}",
        BASIC ", \"retry\": {\"delays\": [1800, 300]}",
        BASIC ", \"redial_in_doubt\": true",
        BASIC ", \"priority\": 4",
        BASIC ", \"metadata\": {\"a\": 1}",
        BASIC ", \"metadata\": {\"a\": \"1\"}",
        BASIC ", \"metadata\": {\"a\": [1]}",
        BASIC ", \"metadata\": {\"a\": null}",
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < i; j++) {
            if (same(rows[i], rows[j]))
                fail_msg("the same: %s and %s", rows[i], rows[j]);
        }
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("", "call_id");
    assert_refused("\"call_id\": null, \"tenant\": \"a\"", "call_id");
    assert_refused("\"call_id\": \"c\"", "tenant");
    assert_refused("\"call_id\": \"c\", \"tenant\": \"a\"", "campaign");
    assert_refused("\"call_id\": \"c\", \"tenant\": \"a\", \"campaign\": \"b\"", "to");
    assert_refused(IDS, "message");
}

static void assert_id_refused(const char *field, const char *json)
{
    char text[512];
    snprintf(text, sizeof text, "\"call_id\": %s, \"tenant\": %s, \"campaign\": %s, \"to\": %s, " SAY,
             strcmp(field, "call_id") == 0 ? json : "\"c\"", strcmp(field, "tenant") == 0 ? json : "\"a\"",
             strcmp(field, "campaign") == 0 ? json : "\"b\"",
             strcmp(field, "to") == 0 ? json : "\"+254722000111\"");
    assert_refused(text, field);
}

static void ids_are_of_the_contract_s_alphabet(void **state)
{
    static const char *const bad[] = {"\"\"",         "\".\"", "\"..\"", "\"a/b\"", "\"a b\"", "\"a\\n\"",
                                      "\"\xC3\xA9\"", "17",    "true",   "{}",      "[\"c\"]"};
    static const char *const fields[] = {"call_id", "tenant", "campaign"};
    char id[132];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t f = 0; f < 3; f++)
            assert_id_refused(fields[f], bad[i]);
    }
    assert_id_refused("tenant", "\"a:b\"");
    assert_id_refused("campaign", "\"a:b\"");
    memset(id, 'x', sizeof id);
    assert_true(request_valid_call_id(span_of(id, 64)));
    assert_false(request_valid_call_id(span_of(id, 65)));
    assert_true(request_valid_tenant(span_of(id, 64)));
    assert_false(request_valid_tenant(span_of(id, 65)));
    assert_true(request_valid_campaign(span_of(id, 128)));
    assert_false(request_valid_campaign(span_of(id, 129)));
    assert_true(request_valid_call_id(SPAN_LIT("A.z_0:9-...")));
    assert_false(request_valid_call_id(SPAN_LIT("a\0b")));
}

static void a_number_that_is_not_e164_is_refused_and_not_given_away(void **state)
{
    static const char *const bad[] = {"254733000111",
                                      "\"254733000111\"",
                                      "\"0733000111\"",
                                      "\"+254 733 000 111\"",
                                      "\"+254733OOO111\"",
                                      "\"+2547330001112223\"",
                                      "\"+254\"",
                                      "\"+0733000111\"",
                                      "\"tel:+254733000111\"",
                                      "\"\xD9\xA2\xD9\xA5\xD9\xA4\"",
                                      "[254733000111]",
                                      "\"\"",
                                      "25473300011.5"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        assert_id_refused("to", bad[i]);
        snprintf(text, sizeof text, "\"from\": %s", bad[i]);
        assert_option_refused(text, "from");
        snprintf(text, sizeof text, BASIC ", \"from\": %s", bad[i]);
        struct outcome out = parse_members(text);
        assert_null(strstr(out.err.text, "733000111"));
        assert_null(strstr(out.err.text, "733 000"));
        request_done(&out.request);
    }
}

static void a_number_in_another_field_is_masked_in_the_sentence(void **state)
{
    struct outcome out = parse_members(BASIC ", \"channel\": 254733000111");
    (void)state;
    assert_int_equal(out.rc, ERR_INVALID);
    assert_null(strstr(out.err.text, "254733000111"));
    assert_non_null(strstr(out.err.text, "****"));
    request_done(&out.request);
}

static void of_a_url_that_does_not_fit_only_scheme_and_host_are_quoted(void **state)
{
    static const char *const urls[] = {"ftp://user:hush@media.example/hush?hush#hush",
                                       "https://user:hu/sh@media.example",
                                       "https://user:hush@media.example/a b", "user:hush@media.example",
                                       "https://user:hush@a.example,b.example/hush"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[300];
        snprintf(text, sizeof text, IDS ", \"message\": {\"%s\": \"%s\"}", i % 2 ? "answer_url" : "play",
                 urls[i]);
        struct outcome out = parse_members(text);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_null(strstr(out.err.text, "hu"));
        assert_null(strstr(out.err.text, "user"));
        request_done(&out.request);
    }
}

static void a_message_is_exactly_one_thing_to_hear(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "message"},
        {"\"Hello\"", "message"},
        {"[]", "message"},
        {"{\"language\": \"sw\"}", "message"},
        {"{\"say\": null}", "message"},
        {"{\"say\": \"x\", \"play\": \"https://a.test/x.mp3\"}", "message"},
        {"{\"play\": \"https://a.test/x.mp3\", \"answer_url\": \"https://a.test/x\"}", "message"},
        {"{\"say\": \"\"}", "message.say"},
        {"{\"say\": 17}", "message.say"},
        {"{\"say\": \"x\", \"language\": \"sw KE\"}", "message.language"},
        {"{\"say\": \"x\", \"language\": \"\"}", "message.language"},
        {"{\"say\": \"x\", \"language\": 1}", "message.language"},
        {"{\"play\": \"prompt.mp3\"}", "message.play"},
        {"{\"play\": \"file:///etc/passwd\"}", "message.play"},
        {"{\"play\": \"https://\"}", "message.play"},
        {"{\"play\": \"https://a.test,b.test/x\"}", "message.play"},
        {"{\"play\": \"javascript:alert(1)\"}", "message.play"},
        {"{\"play\": 1}", "message.play"},
        {"{\"answer_url\": \"ftp://a.test/\"}", "message.answer_url"},
        {"{\"answer_url\": {}}", "message.answer_url"},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, IDS ", \"message\": %s", rows[i][0]);
        assert_refused(text, rows[i][1]);
    }
}

static int parse_sized(const char *before, char fill, size_t n, const char *after)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_adds(&text, before);
    memset(buf_room(&text, n), fill, n);
    buf_grew(&text, n);
    buf_adds(&text, after);
    struct outcome out = parse_members(text.p);
    int rc = out.rc;
    request_done(&out.request);
    buf_done(&text);
    return rc;
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_sized(IDS ", \"message\": {\"say\": \"", 'x', 4000, "\"}"), 0);
    assert_int_equal(parse_sized(IDS ", \"message\": {\"say\": \"", 'x', 4001, "\"}"), ERR_INVALID);
    assert_int_equal(parse_sized(IDS ", \"message\": {\"play\": \"https://a.test/", 'x', 2000 - 15, "\"}"),
                     0);
    assert_int_equal(parse_sized(IDS ", \"message\": {\"play\": \"https://a.test/", 'x', 2001 - 15, "\"}"),
                     ERR_INVALID);
    assert_int_equal(parse_sized(BASIC ", \"metadata\": {\"x\": \"", 'y', 2048 - 8, "\"}"), 0);
    assert_int_equal(parse_sized(BASIC ", \"metadata\": {\"x\": \"", 'y', 2049 - 8, "\"}"), ERR_INVALID);
    assert_int_equal(parse_sized(BASIC ", \"metadata\": {\"x\": \"", 'y', 50000, "\"}"), ERR_INVALID);
    assert_int_equal(parse_sized(BASIC ", \"other\": \"", 'y', 60000, "\""), 0);
    assert_int_equal(parse_sized(BASIC ", \"other\": \"", 'y', 66000, "\""), ERR_INVALID);
}

static void options_are_typed_and_bounded(void **state)
{
    static const char *const rows[][2] = {
        {"\"channel\": 1", "channel"},
        {"\"channel\": \"\"", "channel"},
        {"\"from\": \"SHOP\"", "from"},
        {"\"ring_timeout\": \"40\"", "ring_timeout"},
        {"\"ring_timeout\": 4", "ring_timeout"},
        {"\"ring_timeout\": 601", "ring_timeout"},
        {"\"ring_timeout\": -1", "ring_timeout"},
        {"\"ring_timeout\": 40.5", "ring_timeout"},
        {"\"ring_timeout\": 9223372036854775807", "ring_timeout"},
        {"\"time_limit\": 0", "time_limit"},
        {"\"time_limit\": 86401", "time_limit"},
        {"\"time_limit\": \"60\"", "time_limit"},
        {"\"not_before\": \"tomorrow\"", "not_before"},
        {"\"not_before\": 1764000000", "not_before"},
        {"\"not_before\": \"2027-02-30T00:00:00Z\"", "not_before"},
        {"\"expires_at\": \"2031-05-01T12:00:00\"", "expires_at"},
        {"\"expires_at\": \"\"", "expires_at"},
        {"\"not_before\": \"2026-11-22T18:50:50Z\", \"expires_at\": \"2026-11-22T18:50:50Z\"", "expires_at"},
        {"\"retry\": 3", "retry"},
        {"\"retry\": []", "retry"},
        {"\"retry\": {\"max_attempts\": \"3\"}", "retry.max_attempts"},
        {"\"retry\": {\"max_attempts\": 0}", "retry.max_attempts"},
        {"\"retry\": {\"max_attempts\": 21}", "retry.max_attempts"},
        {"\"retry\": {\"on\": \"No_answer\"}", "retry.on"},
        {"\"retry\": {\"on\": [\"Sad\"]}", "retry.on"},
        {"\"retry\": {\"on\": [\"Completed\"]}", "retry.on"},
        {"\"retry\": {\"on\": [\"Pending\"]}", "retry.on"},
        {"\"retry\": {\"on\": [3]}", "retry.on"},
        {"\"retry\": {\"delays\": []}", "retry.delays"},
        {"\"retry\": {\"delays\": 5}", "retry.delays"},
        {"\"retry\": {\"delays\": [-5]}", "retry.delays"},
        {"\"retry\": {\"delays\": [1, \"2\"]}", "retry.delays"},
        {"\"retry\": {\"delays\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "retry.delays"},
        {"\"redial_in_doubt\": \"no\"", "redial_in_doubt"},
        {"\"redial_in_doubt\": 0", "redial_in_doubt"},
        {"\"priority\": 10", "priority"},
        {"\"priority\": -1", "priority"},
        {"\"priority\": \"5\"", "priority"},
        {"\"priority\": true", "priority"},
        {"\"metadata\": [1]", "metadata"},
        {"\"metadata\": \"{}\"", "metadata"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_option_refused(rows[i][0], rows[i][1]);
}

/* Both are kept as "long past"; that they are equal there says nothing about their order. */
static void a_window_that_closed_before_1970_is_one_that_closed(void **state)
{
    struct outcome out =
        accept(BASIC ", \"not_before\": \"1238-06-27T00:00:00Z\", \"expires_at\": \"1969-12-31T23:59:59Z\"");
    (void)state;
    assert_int_equal(out.request.expires_at_ms, 1);
    request_done(&out.request);
}

static void a_whole_number_may_be_written_with_a_fraction_of_zero(void **state)
{
    static const char *const same[] = {BASIC ", \"ring_timeout\": 60", BASIC ", \"ring_timeout\": 60.0",
                                       BASIC ", \"ring_timeout\": 6e1"};
    uint8_t first[REQUEST_FINGERPRINT_LEN];
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct outcome out = accept(same[i]);
        assert_int_equal(out.request.ring_timeout_s, 60);
        if (i == 0)
            memcpy(first, out.request.fingerprint, sizeof first);
        assert_memory_equal(out.request.fingerprint, first, sizeof first);
        request_done(&out.request);
    }
    assert_option_refused("\"ring_timeout\": 6e40", "ring_timeout");
}

static void assert_hours_refused(const char *zone, const char *from, const char *to, const char *days,
                                 const char *field)
{
    char text[512];
    snprintf(text, sizeof text,
             "\"calling_hours\": {\"timezone\": %s, \"from\": %s, \"to\": %s, \"days\": %s}", zone, from, to,
             days);
    assert_option_refused(text, field);
}

static void a_window_that_cannot_open_is_refused(void **state)
{
    static const char *const times[] = {"\"25:00\"", "\"24:01\"", "\"08:60\"", "\"8:00\"", "\"08.00\"",
                                        "\"0800\"",  "480",       "\"\"",      "\"-1:00\""};
    static const char *const zones[] = {"\"\"",
                                        "\"/UTC\"",
                                        "\"Africa/\"",
                                        "\"Africa//Nairobi\"",
                                        "\"../etc/passwd\"",
                                        "\"+03:00\"",
                                        "\"Africa/Nai robi\"",
                                        "3",
                                        "\"Africa/Nairobi\\n\"",
                                        "\"Africa/Nairobbi\"",
                                        "\"africa/nairobi\"",
                                        "\"EST5EDT4\""};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_hours_refused("\"UTC\"", times[i], "\"19:00\"", "null", "calling_hours.from");
        assert_hours_refused("\"UTC\"", "\"08:00\"", times[i], "null", "calling_hours.to");
    }
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        assert_hours_refused(zones[i], "\"08:00\"", "\"19:00\"", "null", "calling_hours.timezone");
    assert_hours_refused("\"UTC\"", "\"24:00\"", "\"19:00\"", "null", "calling_hours.from");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"08:00\"", "null", "calling_hours.to");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[]", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "\"mon\"", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[\"someday\"]", "calling_hours.days");
    assert_hours_refused("\"UTC\"", "\"08:00\"", "\"09:00\"", "[1]", "calling_hours.days");
    assert_option_refused("\"calling_hours\": {\"from\": \"08:00\", \"to\": \"19:00\"}",
                          "calling_hours.timezone");
    assert_option_refused("\"calling_hours\": {\"timezone\": \"UTC\", \"to\": \"19:00\"}",
                          "calling_hours.from");
    assert_option_refused("\"calling_hours\": \"08:00-19:00\"", "calling_hours");
}

static void a_window_may_reach_over_midnight(void **state)
{
    struct outcome out = accept(
        BASIC ", \"calling_hours\": {\"timezone\": \"Etc/GMT+3\", \"from\": \"22:00\", \"to\": \"00:00\"}");
    (void)state;
    assert_int_equal(out.request.calling_hours.from_min, 1320);
    assert_int_equal(out.request.calling_hours.to_min, 0);
    assert_int_equal(out.request.calling_hours.days, 0x7F);
    request_done(&out.request);
}

static void a_window_may_be_the_whole_day(void **state)
{
    struct outcome out =
        accept(BASIC ", \"calling_hours\": {\"timezone\": \"UTC\", \"from\": \"00:00\", \"to\": \"24:00\"}");
    struct buf json;
    (void)state;
    assert_int_equal(out.request.calling_hours.to_min, 1440);
    assert_true(hours_open(&out.request.calling_hours, 0));
    buf_init(&json, 4096);
    request_add_json(&json, &out.request);
    assert_non_null(strstr(json.p, "\"from\":\"00:00\",\"to\":\"24:00\"}"));
    buf_done(&json);
    request_done(&out.request);
}

/* 2026-11-27 is a Friday. */
static void a_window_that_does_not_open_in_time_is_refused(void **state)
{
    static const struct {
        const char *not_before, *expires_at;
        bool fits;
    } rows[] = {
        {"2026-11-27T19:00:00Z", "2026-11-30T07:59:59.999Z", false},
        {"2026-11-27T19:00:00Z", "2026-11-30T08:00:00Z", false},
        {"2026-11-27T19:00:00Z", "2026-11-30T08:00:00.001Z", true},
        {"2026-11-27T18:59:59.999Z", "2026-11-27T19:00:00Z", true},
        {"2026-11-27T20:00:00+01:00", "2026-11-28T08:00:00-12:00", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "\"not_before\": \"%s\", \"expires_at\": \"%s\", \"calling_hours\": {\"timezone\": \"UTC\", "
                 "\"from\": \"08:00\", \"to\": \"19:00\", \"days\": [\"mon\", \"fri\"]}",
                 rows[i].not_before, rows[i].expires_at);
        if (!rows[i].fits) {
            assert_option_refused(text, "calling_hours");
            continue;
        }
        char whole[1024];
        snprintf(whole, sizeof whole, BASIC ", %s", text);
        struct outcome out = accept(whole);
        request_done(&out.request);
    }
}

/* What is read later must not be refused for being late: it waits for its hours, and expires. */
static void a_window_that_opens_after_expires_at_alone_is_no_contradiction(void **state)
{
    struct outcome out = accept(BASIC ", \"expires_at\": \"2026-11-28T08:00:00Z\", \"calling_hours\": {"
                                      "\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"19:00\", "
                                      "\"days\": [\"mon\"]}");
    (void)state;
    request_done(&out.request);
}

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
        struct outcome out = parse(rows[i].text);
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
        struct outcome out = accept(text);
        assert_int_equal(out.request.unknown_n, 1);
        request_done(&out.request);
    }
    struct outcome twice = accept(BASIC ", \"trace\": 1, \"trace\": 2");
    request_done(&twice.request);
    struct outcome key = accept(BASIC ", \"\xE9t\xE9\": 1");
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
        struct outcome out = accept(text.p);
        request_done(&out.request);
        buf_done(&text);
    }
}

static void a_byte_order_mark_is_no_part_of_a_request(void **state)
{
    struct outcome out = parse(SPAN_LIT("\xEF\xBB\xBF{" BASIC "}"));
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
        struct outcome out = parse_members(rows[i].members);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_string_equal(out.field, rows[i].field);
        assert_non_null(strstr(out.err.text, "is there twice, with different values"));
        assert_false(out.not_json);
        request_done(&out.request);
    }
    struct outcome same = accept(BASIC ", \"to\": \"+254722000111\", " SAY);
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
        struct outcome out = parse_members(rows[i][0]);
        assert_int_equal(out.rc, ERR_INVALID);
        assert_string_equal(out.field, rows[i][1]);
        assert_non_null(strstr(out.err.text, "expected UTF-8"));
        assert_int_equal(out.not_json, i < 3); /* RFC 8259: JSON is UTF-8 */
        request_done(&out.request);
    }
}

static void numbers_in_metadata_come_out_as_they_went_in(void **state)
{
    struct outcome out = accept(BASIC ", \"metadata\": {\"id\": 12345678901234567890, \"x\": [1e400, 1e-400, "
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

/* ---- what Redis keeps ---- */

static void assert_stored(struct request *request, enum request_part part, const char *text)
{
    struct err err = ERR_INIT;
    memset(request, 0xA5, sizeof *request);
    if (request_read_stored(request, part, span_str(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
}

static void a_stored_request_reads_back_whole(void **state)
{
    struct outcome out = accept(everything);
    struct request again;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    request_add_json(&text, &out.request);
    assert_stored(&again, REQUEST_WHOLE, text.p);
    assert_memory_equal(again.fingerprint, out.request.fingerprint, REQUEST_FINGERPRINT_LEN);
    assert_int_equal(again.lost_zone.n, 0);
    request_done(&again);
    request_done(&out.request);
    buf_done(&text);
}

/* Hours that nobody here can tell are no reason to forget the call, and none to dial it now. */
static void a_stored_request_survives_another_tzdata(void **state)
{
    struct request request;
    (void)state;
    assert_stored(&request, REQUEST_WHOLE,
                  "{" BASIC
                  ", \"calling_hours\": {\"timezone\": \"Mars/Olympus\", \"from\": \"08:00\", \"to\": "
                  "\"19:30\"}}");
    ASSERT_SPAN(request.lost_zone, "Mars/Olympus");
    assert_null(request.calling_hours.zone);
    ASSERT_SPAN(request.message, "Habari");
    request_done(&request);
    /* A window that opened in time by the rules of then, and does not by those of now. */
    assert_stored(&request, REQUEST_WHOLE,
                  "{" BASIC
                  ", \"not_before\": \"2031-05-01T19:00:00Z\", \"expires_at\": \"2031-05-02T08:00:00Z\", "
                  "\"calling_hours\": {\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"19:00\"}}");
    assert_non_null(request.calling_hours.zone);
    assert_int_equal(request.lost_zone.n, 0);
    request_done(&request);
}

static void a_part_of_a_stored_request_needs_that_part_alone(void **state)
{
    struct request request;
    struct err err = ERR_INIT;
    (void)state;
    assert_stored(
        &request, REQUEST_MESSAGE,
        "{\"to\": 17, \"ring_timeout\": \"x\", \"message\": {\"say\": \"Habari\", \"language\": \"sw\"}}");
    ASSERT_SPAN(request.message, "Habari");
    ASSERT_SPAN(request.language, "sw");
    request_done(&request);
    assert_stored(&request, REQUEST_NUMBERS,
                  "{\"to\": \"+254722000111\", \"from\": \"+254711082000\", \"message\": {\"later\": 1}}");
    ASSERT_SPAN(request.to, "+254722000111");
    ASSERT_SPAN(request.from, "+254711082000");
    request_done(&request);
    assert_int_equal(request_read_stored(&request, REQUEST_MESSAGE, SPAN_LIT("{}"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "message"));
    request_done(&request);
    assert_int_equal(request_read_stored(&request, REQUEST_WHOLE, SPAN_LIT("{"), &err), ERR_INVALID);
    request_done(&request);
}

/* Escapes are longer than what they stand for: what was accepted must fit when it is read again. */
static void a_stored_request_may_be_longer_than_the_one_that_came(void **state)
{
    struct request request;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    buf_adds(&text, "{" BASIC ", \"trace\": \"");
    for (int i = 0; i < 70000; i++)
        buf_addc(&text, 'x');
    buf_adds(&text, "\"}");
    assert_stored(&request, REQUEST_WHOLE, text.p);
    request_done(&request);
    buf_done(&text);
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
        struct outcome out = parse(span_of(part, n));
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
    struct outcome out;
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
    struct outcome out = accept(IDS ", \"color\": \"blue\", \"message\": {\"play\": \"https://a.test/x\", "
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
    struct outcome out = accept(text.p);
    assert_int_equal(out.request.unknown_n, 1);
    assert_true(span_utf8(out.request.unknown[0]));
    assert_int_equal(out.request.unknown[0].n, 63);
    request_done(&out.request);
    buf_done(&text);
}

static void metadata_keeps_numbers_as_people_wrote_them(void **state)
{
    struct outcome out = accept(
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
        cmocka_unit_test(the_smallest_request_has_the_contract_s_defaults),
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_default_is_not_written),
        cmocka_unit_test(requests_that_mean_the_same_have_one_fingerprint),
        cmocka_unit_test(requests_that_differ_in_any_field_have_other_fingerprints),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(ids_are_of_the_contract_s_alphabet),
        cmocka_unit_test(a_number_that_is_not_e164_is_refused_and_not_given_away),
        cmocka_unit_test(a_number_in_another_field_is_masked_in_the_sentence),
        cmocka_unit_test(of_a_url_that_does_not_fit_only_scheme_and_host_are_quoted),
        cmocka_unit_test(a_message_is_exactly_one_thing_to_hear),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(options_are_typed_and_bounded),
        cmocka_unit_test(a_window_that_closed_before_1970_is_one_that_closed),
        cmocka_unit_test(a_whole_number_may_be_written_with_a_fraction_of_zero),
        cmocka_unit_test(a_window_that_cannot_open_is_refused),
        cmocka_unit_test(a_window_may_reach_over_midnight),
        cmocka_unit_test(a_window_may_be_the_whole_day),
        cmocka_unit_test(a_window_that_does_not_open_in_time_is_refused),
        cmocka_unit_test(a_window_that_opens_after_expires_at_alone_is_no_contradiction),
        cmocka_unit_test(what_is_no_json_is_told_from_what_does_not_fit),
        cmocka_unit_test(what_an_unknown_field_holds_is_beside_the_point),
        cmocka_unit_test(an_unknown_field_may_be_nested_as_deep_as_it_likes),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_a_request),
        cmocka_unit_test(a_field_that_is_there_twice_with_different_values_is_refused_by_its_name),
        cmocka_unit_test(a_needed_text_that_cannot_be_read_is_refused_by_its_name),
        cmocka_unit_test(numbers_in_metadata_come_out_as_they_went_in),
        cmocka_unit_test(a_stored_request_reads_back_whole),
        cmocka_unit_test(a_stored_request_survives_another_tzdata),
        cmocka_unit_test(a_part_of_a_stored_request_needs_that_part_alone),
        cmocka_unit_test(a_stored_request_may_be_longer_than_the_one_that_came),
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
