/* The fields of a call request: what each may hold, and which requests mean the same. */
#include "tests/unit/request_fixture.h"

static void the_smallest_request_has_the_contract_s_defaults(void **state)
{
    struct parsed_request out = accept(BASIC);
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

static void every_field_is_read(void **state)
{
    struct parsed_request out = accept(everything);
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
        struct parsed_request first = accept(requests[i]);
        struct buf json, again;
        buf_init(&json, 1 << 20);
        buf_init(&again, 1 << 20);
        request_add_json(&json, &first.request);
        struct parsed_request second = parse(buf_span(&json));
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
    struct parsed_request out = accept(BASIC);
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
    struct parsed_request left = accept(a), right = accept(b);
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
        struct parsed_request out = parse_members(text);
        assert_null(strstr(out.err.text, "733000111"));
        assert_null(strstr(out.err.text, "733 000"));
        request_done(&out.request);
    }
}

static void a_number_in_another_field_is_masked_in_the_sentence(void **state)
{
    struct parsed_request out = parse_members(BASIC ", \"channel\": 254733000111");
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
        struct parsed_request out = parse_members(text);
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
    struct parsed_request out = parse_members(text.p);
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

static void a_whole_number_may_be_written_with_a_fraction_of_zero(void **state)
{
    static const char *const same[] = {BASIC ", \"ring_timeout\": 60", BASIC ", \"ring_timeout\": 60.0",
                                       BASIC ", \"ring_timeout\": 6e1"};
    uint8_t first[REQUEST_FINGERPRINT_LEN];
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct parsed_request out = accept(same[i]);
        assert_int_equal(out.request.ring_timeout_s, 60);
        if (i == 0)
            memcpy(first, out.request.fingerprint, sizeof first);
        assert_memory_equal(out.request.fingerprint, first, sizeof first);
        request_done(&out.request);
    }
    assert_option_refused("\"ring_timeout\": 6e40", "ring_timeout");
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
        cmocka_unit_test(a_whole_number_may_be_written_with_a_fraction_of_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
