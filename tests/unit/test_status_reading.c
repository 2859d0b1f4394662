#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "workers/status/reading.h"

#define H(name, value)                                                                                       \
    {                                                                                                        \
        SPAN_LIT(name), SPAN_LIT(value)                                                                      \
    }
#define TWILIO                                                                                               \
    H("ce_provider", "twilio"), H("ce_channel", "main"), H("ce_time", "2026-11-22T18:50:50.123Z"),           \
        H("content-type", "application/x-www-form-urlencoded")
#define REF H("ce_tenant", "acme"), H("ce_callid", "call-1"), H("ce_attempt", "2")

static struct callback_reading reading;
static struct err err;

static int read_it(const struct kafka_header *headers, size_t n, struct span body)
{
    memset(&reading, 0xA5, sizeof(reading));
    memset(&err, 0, sizeof(err));
    return reading_read(&reading, headers, n, body, &err);
}

#define READ(body, ...)                                                                                      \
    read_it((const struct kafka_header[]){__VA_ARGS__},                                                      \
            sizeof((const struct kafka_header[]){__VA_ARGS__}) / sizeof(struct kafka_header),                \
            SPAN_LIT(body))

static void a_callback_with_our_reference_is_evidence_of_that_attempt(void **state)
{
    (void)state;
    assert_int_equal(READ("CallSid=CA35c0&CallStatus=busy&SipResponseCode=486", TWILIO, REF), 0);
    assert_string_equal(reading.provider->name, "twilio");
    assert_true(span_is(reading.channel, "main"));
    assert_string_equal(reading.ref.id, "acme/call-1");
    assert_int_equal(reading.ref.id_n, strlen("acme/call-1"));
    assert_int_equal(reading.ref.attempt, 2);
    assert_int_equal(reading.received_ms, 1795373450123);
    assert_int_equal(reading.evidence.status, STATUS_USER_BUSY);
    assert_string_equal(reading.evidence.provider_call_id, "CA35c0");
    assert_false(reading.parked_before);
    assert_int_equal(reading.trace_n, 0);
}

static void a_callback_without_it_is_known_by_the_provider_s_id(void **state)
{
    (void)state;
    assert_int_equal(READ("CallSid=CA35c0&CallStatus=ringing", TWILIO, H("ivr-parked", "1")), 0);
    assert_int_equal(reading.ref.id_n, 0);
    assert_string_equal(reading.evidence.provider_call_id, "CA35c0");
    assert_true(reading.parked_before);
}

static void another_kind_of_callback_says_nothing_and_is_read(void **state)
{
    (void)state;
    assert_int_equal(READ("RecordingSid=RE1&RecordingStatus=completed", TWILIO, REF), 0);
    assert_int_equal(reading.evidence.status, STATUS_NONE);
    assert_int_equal(reading.evidence.hops, 0);
}

#define VONAGE H("ce_provider", "vonage"), H("ce_channel", "main"), H("content-type", "application/json")
#define EVENT  "{\"uuid\":\"u-1\",\"to\":\"254722000111\",\"status\":\"busy\"}"

/* Vonage's signature covers the body alone. */
static void a_reference_beside_what_was_signed_is_not_proved(void **state)
{
    (void)state;
    assert_int_equal(READ(EVENT, VONAGE, REF, H("ce_verified", "signature")), 0);
    assert_true(reading.unproved);
    assert_string_equal(reading.ref.id, "acme/call-1");
    assert_string_equal(reading.evidence.provider_call_id, "u-1");
    assert_string_equal(reading.evidence.called, "+254722000111");
    assert_int_equal(READ(EVENT, VONAGE, REF, H("ce_verified", "none")), 0);
    assert_false(reading.unproved);
    assert_int_equal(READ("CallSid=CA1&CallStatus=busy", TWILIO, REF, H("ce_verified", "signature")), 0);
    assert_false(reading.unproved);
    assert_int_equal(READ("{\"conversation_uuid\":\"CON-1\",\"status\":\"busy\"}", VONAGE, REF,
                          H("ce_verified", "signature")),
                     ERR_INVALID);
    assert_non_null(strstr(err.text, "names no call"));
}

static void the_trace_goes_along(void **state)
{
    (void)state;
    char state_header[700];
    memset(state_header, 'x', sizeof(state_header));
    assert_int_equal(READ("CallSid=CA1&CallStatus=busy", TWILIO, REF, H("traceparent", "00-ab-cd-01"),
                          H("tracestate", "k=v")),
                     0);
    assert_true(span_is(span_of(reading.trace, reading.trace_n), "00-ab-cd-01\nk=v"));
    assert_int_equal(READ("CallSid=CA1&CallStatus=busy", TWILIO, REF, H("traceparent", "00-ab-cd-01"),
                          {SPAN_LIT("tracestate"), {state_header, sizeof(state_header)}}),
                     0);
    assert_true(span_is(span_of(reading.trace, reading.trace_n), "00-ab-cd-01"));
}

static void the_first_header_of_a_name_counts(void **state)
{
    (void)state;
    assert_int_equal(READ("CallSid=CA1&CallStatus=busy", TWILIO, REF, H("ce_callid", "other")), 0);
    assert_string_equal(reading.ref.id, "acme/call-1");
}

static void assert_refused(int rc, const char *word)
{
    assert_int_equal(rc, ERR_INVALID);
    assert_non_null(strstr(err.text, word));
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    assert_refused(READ("CallSid=CA1&CallStatus=busy", H("ce_channel", "main")), "ce_provider");
    assert_null(reading.provider);
    assert_refused(READ("x=y", H("ce_provider", "pigeon"), H("ce_channel", "main")), "pigeon");
    assert_refused(READ("x=y", H("ce_provider", "twilio")), "ce_channel");
    assert_refused(READ("CallSid=%zz", TWILIO, REF), "");
    assert_string_equal(reading.provider->name, "twilio");
    assert_refused(READ("nothing=here", TWILIO, REF), "Twilio");
    assert_refused(READ("CallStatus=busy", TWILIO), "names no call");
    assert_int_equal(read_it(NULL, 0, SPAN_NONE), ERR_INVALID);
}

static void our_reference_comes_as_a_whole_and_well_formed(void **state)
{
    (void)state;
#define BUSY "CallSid=CA1&CallStatus=busy"
    assert_refused(READ(BUSY, TWILIO, H("ce_tenant", "acme"), H("ce_attempt", "1")), "ce_callid");
    assert_refused(READ(BUSY, TWILIO, H("ce_callid", "call-1"), H("ce_attempt", "1")), "ce_tenant");
    assert_refused(READ(BUSY, TWILIO, H("ce_tenant", "acme"), H("ce_callid", "call-1")), "ce_attempt");
    assert_refused(READ(BUSY, TWILIO, H("ce_tenant", "a/b"), H("ce_callid", "c"), H("ce_attempt", "1")),
                   "a/b");
    assert_refused(READ(BUSY, TWILIO, H("ce_tenant", "a"), H("ce_callid", ".."), H("ce_attempt", "1")),
                   "ce_callid");
    static const char *const attempts[] = {"", "0", "-1", "1x", "01", " 1", "9999999999"};
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
        const struct kafka_header headers[] = {TWILIO,
                                               H("ce_tenant", "acme"),
                                               H("ce_callid", "c"),
                                               {SPAN_LIT("ce_attempt"), span_str(attempts[i])}};
        assert_refused(read_it(headers, sizeof(headers) / sizeof(*headers), SPAN_LIT(BUSY)), "ce_attempt");
    }
}

static void a_link_s_reference_reads_back(void **state)
{
    (void)state;
    struct call_ref ref;
    assert_true(call_ref_parse(&ref, SPAN_LIT("acme/0192f1c4:x/12")));
    assert_string_equal(ref.id, "acme/0192f1c4:x");
    assert_int_equal(ref.attempt, 12);
    static const char *const wrong[] = {"",     "acme",    "acme/1",  "acme//1",
                                        "/c/1", "a/b/c/1", "acme/c/", "acme/c/x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_false(call_ref_parse(&ref, span_str(wrong[i])));
        assert_int_equal(ref.id_n, 0);
    }
}

static void the_longest_ids_fit(void **state)
{
    (void)state;
    char text[64 + 1 + 64 + 1 + 9 + 1];
    struct call_ref ref;
    memset(text, 'a', sizeof(text));
    text[64] = text[129] = '/';
    memset(text + 130, '9', 9);
    assert_true(call_ref_parse(&ref, span_of(text, sizeof(text) - 1)));
    assert_int_equal(ref.id_n, 129);
    assert_int_equal(ref.attempt, 999999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_with_our_reference_is_evidence_of_that_attempt),
        cmocka_unit_test(a_callback_without_it_is_known_by_the_provider_s_id),
        cmocka_unit_test(another_kind_of_callback_says_nothing_and_is_read),
        cmocka_unit_test(a_reference_beside_what_was_signed_is_not_proved),
        cmocka_unit_test(the_trace_goes_along),
        cmocka_unit_test(the_first_header_of_a_name_counts),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(our_reference_comes_as_a_whole_and_well_formed),
        cmocka_unit_test(a_link_s_reference_reads_back),
        cmocka_unit_test(the_longest_ids_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
