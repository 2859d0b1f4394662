#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/url.h"
#include "workers/providers/channels.h"
#include "workers/providers/twilio.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"

static char sid[] = "AC00000000000000000000000000000001", token[] = "secret", name[] = "ke-main";
static char base[] = "https://api.twilio.com", key_sid[] = "SK1", key_secret[] = "key secret";

static struct channel channel_new(void)
{
    return (struct channel){.name = name,
                            .provider = &twilio_provider,
                            .base_url = base,
                            .credentials = {sid, token, NULL, NULL}};
}

static struct request request_new(enum message_kind kind, const char *message)
{
    return (struct request){.call_id = SPAN_LIT("c:1"),
                            .tenant = SPAN_LIT("acme"),
                            .to = SPAN_LIT("+254722000111"),
                            .message_kind = kind,
                            .message = span_str(message),
                            .ring_timeout_s = 40,
                            .time_limit_s = 3600};
}

static void http_new(struct http_request *http)
{
    struct buf *const bufs[] = {&http->url, &http->headers, &http->user, &http->password, &http->body};
    *http = (struct http_request){.method = NULL};
    for (size_t i = 0; i < 5; i++)
        buf_init(bufs[i], 64 * 1024);
}

static void http_free(struct http_request *http)
{
    struct buf *const bufs[] = {&http->url, &http->headers, &http->user, &http->password, &http->body};
    for (size_t i = 0; i < 5; i++)
        buf_done(bufs[i]);
}

static int place(const struct channel *channel, const struct request *request, const char *public_url,
                 struct http_request *http, struct err *err)
{
    struct placement placement = {.channel = channel,
                                  .request = request,
                                  .from = SPAN_LIT("+254711082000"),
                                  .attempt = 2,
                                  .public_url = span_str(public_url)};
    http_new(http);
    return twilio_provider.place(&placement, http, err);
}

/* ---- place ---- */

static void a_placement_is_the_form_that_twilio_documents(void **state)
{
    struct channel channel = channel_new();
    struct request request = request_new(MESSAGE_PLAY, "https://example.org/a.mp3");
    struct http_request http;
    (void)state;
    assert_int_equal(place(&channel, &request, "https://ivr.example.org", &http, NULL), 0);
    assert_string_equal(http.method, "POST");
    assert_true(http.once);
    assert_string_equal(
        http.url.p,
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json");
    assert_string_equal(http.headers.p,
                        "Accept: application/json\nContent-Type: application/x-www-form-urlencoded\n");
    assert_string_equal(http.user.p, sid);
    assert_string_equal(http.password.p, "secret");
    assert_string_equal(
        http.body.p, "To=%2B254722000111&From=%2B254711082000"
                     "&Url=https%3A%2F%2Fivr.example.org%2Fanswer%2Ftwilio%2Fke-main%2Facme%2Fc%253A1%2F2"
                     "&StatusCallback=https%3A%2F%2Fivr.example.org%2Fcallbacks%2Ftwilio%2Fke-main%2Facme%"
                     "2Fc%253A1%2F2%23rc%3D5%26rp%3Dall"
                     "&StatusCallbackEvent=initiated&StatusCallbackEvent=ringing&StatusCallbackEvent=answered"
                     "&StatusCallbackEvent=completed&Timeout=40&TimeLimit=3600");
    http_free(&http);
}

static void an_answer_url_is_handed_on_as_it_is(void **state)
{
    struct channel channel = channel_new();
    struct request request = request_new(MESSAGE_ANSWER_URL, "https://example.org/flow?x=1");
    struct http_request http;
    (void)state;
    assert_int_equal(place(&channel, &request, NULL, &http, NULL), 0);
    assert_string_equal(http.body.p,
                        "To=%2B254722000111&From=%2B254711082000&Url=https%3A%2F%2Fexample.org%2Fflow%3Fx%3D1"
                        "&Timeout=40&TimeLimit=3600");
    http_free(&http);
}

static void without_public_url_the_instructions_are_inside_and_no_callback_is_asked_for(void **state)
{
    struct channel channel = channel_new();
    struct request request = request_new(MESSAGE_SAY, "Bei ya <mahindi> & \"maharagwe\"");
    struct http_request http;
    struct form form;
    (void)state;
    request.language = SPAN_LIT("sw-KE");
    assert_int_equal(place(&channel, &request, NULL, &http, NULL), 0);
    assert_int_equal(form_parse(&form, buf_span(&http.body), NULL), 0);
    assert_true(span_is(form_get(&form, "Twiml"),
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"sw-KE\">"
                        "Bei ya &lt;mahindi&gt; &amp; &quot;maharagwe&quot;</Say></Response>"));
    assert_null(form_get(&form, "Url").p);
    assert_null(form_get(&form, "StatusCallback").p);
    assert_null(form_get(&form, "StatusCallbackEvent").p);
    form_done(&form);
    http_free(&http);
}

static void inline_instructions_are_bounded_in_characters(void **state)
{
    struct channel channel = channel_new();
    char text[2 * 4001];
    struct request request = request_new(MESSAGE_SAY, "");
    struct http_request http;
    struct err err = ERR_INIT;
    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    request.message = span_of(text, 2 * 3900); /* 7800 bytes, but 3900 characters */
    assert_int_equal(place(&channel, &request, NULL, &http, &err), 0);
    http_free(&http);
    request.message = span_of(text, 2 * 4000);
    assert_int_equal(place(&channel, &request, NULL, &http, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "4000"));
    http_free(&http);
    assert_int_equal(place(&channel, &request, "https://ivr.example.org", &http, &err), 0);
    http_free(&http);
}

static void an_api_key_authenticates_in_place_of_the_token(void **state)
{
    struct channel channel = channel_new();
    struct request request = request_new(MESSAGE_SAY, "Hello");
    struct http_request http;
    (void)state;
    channel.credentials[2] = key_sid;
    channel.credentials[3] = key_secret;
    assert_int_equal(place(&channel, &request, NULL, &http, NULL), 0);
    assert_string_equal(http.user.p, "SK1");
    assert_string_equal(http.password.p, "key secret");
    assert_non_null(strstr(http.url.p, "/Accounts/AC0000"));
    http_free(&http);
}

static void a_placement_without_caller_id_is_refused_before_it_leaves(void **state)
{
    struct channel channel = channel_new();
    struct request request = request_new(MESSAGE_SAY, "Hello");
    struct placement placement = {.channel = &channel, .request = &request, .attempt = 1};
    struct http_request http;
    struct err err = ERR_INIT;
    (void)state;
    http_new(&http);
    assert_int_equal(twilio_provider.place(&placement, &http, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "from"));
    http_free(&http);
}

/* ---- placed ---- */

static struct placed placed(int status, const char *body)
{
    struct placed out;
    memset(&out, 0xA5, sizeof out);
    twilio_provider.placed(NULL, status, span_str(body), &out);
    return out;
}

static void a_call_object_is_accepted_with_its_id(void **state)
{
    struct placed out = placed(201, "{\"sid\": \"CA0123\", \"status\": \"queued\", \"price\": null}");
    (void)state;
    assert_int_equal(out.kind, PLACED_ACCEPTED);
    assert_int_equal(out.evidence.status, STATUS_PENDING);
    assert_string_equal(out.evidence.provider_call_id, "CA0123");
    assert_false(out.evidence.terminal);
    /* SignalWire and Somleng have UUIDs, and 200 is a success too. */
    out = placed(200, "{\"sid\": \"0b7a3f8e-3c1f-4f30-9d22-7f7f0c7b6c11\"}");
    assert_int_equal(out.kind, PLACED_ACCEPTED);
    assert_string_equal(out.evidence.provider_call_id, "0b7a3f8e-3c1f-4f30-9d22-7f7f0c7b6c11");
}

static void a_call_that_is_born_failed_is_a_refusal(void **state)
{
    struct placed out = placed(201, "{\"sid\": \"CA0123\", \"status\": \"failed\"}");
    (void)state;
    assert_int_equal(out.kind, PLACED_REFUSED_FOR_NOW);
    assert_int_equal(out.evidence.status, STATUS_FAILED_UNKNOWN_REASON);
    assert_true(out.evidence.terminal);
    assert_false(out.evidence.permanent);
    assert_string_equal(out.evidence.reason_code, "failed");
    assert_string_equal(out.evidence.provider_call_id, "CA0123");
}

static void a_success_that_cannot_be_read_is_in_doubt(void **state)
{
    static const char *const bodies[] = {"",
                                         "OK",
                                         "<html>",
                                         "{\"sid\": \"CA",
                                         "{}",
                                         "[]",
                                         "{\"sid\": 1}",
                                         "null",
                                         "{\"sid\": \"\"}",
                                         "{\"sid\": null}",
                                         "\xFF",
                                         "\"CA1\"",
                                         "{\"status\": \"failed\"}",
                                         "{\"sid\": \"CA 1\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct placed out = placed(201, bodies[i]);
        assert_int_equal(out.kind, PLACED_IN_DOUBT);
        assert_int_equal(out.evidence.status, STATUS_GATEWAY_UNAVAILABLE);
        assert_false(out.evidence.terminal);
        assert_string_equal(out.evidence.reason_code, "HTTP 201");
        assert_string_equal(out.evidence.provider_call_id, "");
    }
}

static void error_codes_decide_what_happens_next(void **state)
{
    static const struct {
        int status, code;
        enum placed_kind kind;
    } rows[] = {
        {429, 20429, PLACED_NOT_NOW},
        {403, 10004, PLACED_NOT_NOW},
        {401, 20003, PLACED_CHANNEL},
        {403, 20003, PLACED_CHANNEL},
        {403, 20005, PLACED_CHANNEL},
        {403, 10001, PLACED_CHANNEL},
        {404, 20404, PLACED_CHANNEL},
        {400, 21210, PLACED_CHANNEL},
        {400, 21212, PLACED_CHANNEL},
        {400, 21219, PLACED_CHANNEL},
        {400, 21201, PLACED_REFUSED},
        {400, 21213, PLACED_REFUSED},
        {400, 21211, PLACED_REFUSED},
        {400, 21217, PLACED_REFUSED},
        {400, 13223, PLACED_REFUSED},
        {400, 13224, PLACED_REFUSED},
        {400, 13226, PLACED_REFUSED},
        {400, 14101, PLACED_REFUSED},
        {400, 21202, PLACED_REFUSED},
        {400, 21203, PLACED_REFUSED},
        {400, 21215, PLACED_REFUSED},
        {400, 13227, PLACED_REFUSED},
        {400, 21216, PLACED_REFUSED},
        {400, 13225, PLACED_REFUSED},
        {400, 21214, PLACED_REFUSED},
        {400, 21205, PLACED_REFUSED},
        {400, 21206, PLACED_REFUSED},
        {400, 21208, PLACED_REFUSED},
        {400, 21209, PLACED_REFUSED},
        {400, 21218, PLACED_REFUSED},
        {500, 20500, PLACED_IN_DOUBT},
        {503, 20503, PLACED_IN_DOUBT},
        {502, 20500, PLACED_IN_DOUBT},
        /* The code counts before the HTTP status; a code that is not in the table leaves it to the status. */
        {400, 20429, PLACED_NOT_NOW},
        {404, 21211, PLACED_REFUSED},
        {400, 99999, PLACED_REFUSED},
        {403, 99999, PLACED_CHANNEL},
        {404, 99999, PLACED_CHANNEL},
        {429, 99999, PLACED_NOT_NOW},
        {503, 99999, PLACED_IN_DOUBT},
        {408, 99999, PLACED_IN_DOUBT},
    };
    char body[128], code[16];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "{\"code\": %d, \"message\": \"Why\", \"status\": %d}", rows[i].code,
                 rows[i].status);
        snprintf(code, sizeof code, "%d", rows[i].code);
        struct placed out = placed(rows[i].status, body);
        assert_int_equal(out.kind, rows[i].kind);
        assert_string_equal(out.evidence.reason_code, code);
        assert_string_equal(out.evidence.reason_detail, "Why");
        assert_int_equal(out.evidence.reason_kind, REASON_NAMED);
        assert_int_equal(out.caller_id, rows[i].code == 21210 || rows[i].code == 21212);
    }
}

static void a_refusal_for_good_is_failed_terminal_and_permanent(void **state)
{
    struct placed out = placed(400, "{\"code\": 21211, \"message\": \"Invalid 'To'\", \"status\": 400}");
    (void)state;
    assert_int_equal(out.evidence.status, STATUS_FAILED_UNKNOWN_REASON);
    assert_true(out.evidence.terminal);
    assert_true(out.evidence.permanent);
}

static void a_page_that_is_not_the_provider_s_proves_nothing_but_401_and_429(void **state)
{
    static const int doubtful[] = {100, 204 + 96, 301, 302, 307, 400, 403, 404,
                                   408, 500,      502, 503, 504, 599, 0,   700};
    (void)state;
    for (size_t i = 0; i < sizeof doubtful / sizeof doubtful[0]; i++) {
        struct placed out = placed(doubtful[i], "<html><body>Go away</body></html>");
        assert_int_equal(out.kind, PLACED_IN_DOUBT);
        assert_int_equal(out.evidence.status, STATUS_GATEWAY_UNAVAILABLE);
    }
    assert_int_equal(placed(302, "{\"code\": 21211, \"message\": \"x\"}").kind, PLACED_IN_DOUBT);
    assert_int_equal(placed(429, "<html>").kind, PLACED_NOT_NOW);
    assert_int_equal(placed(401, "").kind, PLACED_CHANNEL);
    assert_string_equal(placed(502, "<html>").evidence.reason_code, "HTTP 502");
}

/* ---- callback ---- */

static int read_callback(const char *type, const char *body, struct evidence *ev, struct err *err)
{
    struct callback callback = {.method = "POST", .content_type = span_str(type), .body = span_str(body)};
    memset(ev, 0xA5, sizeof *ev);
    return twilio_provider.callback(&callback, ev, err);
}

static struct evidence report(const char *body)
{
    struct evidence ev;
    assert_int_equal(read_callback(FORM, body, &ev, NULL), 0);
    return ev;
}

#define DIALING   HOP_BIT(HOP_DIALING)
#define CONNECTED HOP_BIT(HOP_CONNECTED)
#define ENDED     (HOP_BIT(HOP_TERMINATE) | HOP_BIT(HOP_SESSION_COMPLETED))

static void every_call_status_has_its_status_and_hops(void **state)
{
    static const struct {
        const char *body;
        enum call_status status;
        unsigned hops;
        bool terminal;
        const char *reason;
        enum reason_kind kind;
    } rows[] = {
        {"queued", STATUS_NONE, 0, false, "", REASON_NONE},
        {"initiated", STATUS_NONE, DIALING, false, "", REASON_NONE},
        {"ringing", STATUS_NONE, DIALING, false, "", REASON_NONE},
        {"in-progress", STATUS_COMPLETED, CONNECTED, false, "", REASON_NONE},
        {"answered", STATUS_COMPLETED, CONNECTED, false, "", REASON_NONE},
        {"completed", STATUS_COMPLETED, ENDED, true, "", REASON_NONE},
        {"completed&SipResponseCode=200", STATUS_COMPLETED, ENDED, true, "", REASON_NONE},
        {"busy", STATUS_USER_BUSY, ENDED, true, "busy", REASON_TEXT},
        {"busy&SipResponseCode=486", STATUS_USER_BUSY, ENDED, true, "486", REASON_SIP},
        {"busy&SipResponseCode=480", STATUS_USER_BUSY, ENDED, true, "480", REASON_SIP},
        {"no-answer", STATUS_NO_ANSWER, ENDED, true, "no-answer", REASON_TEXT},
        {"no-answer&SipResponseCode=487", STATUS_NO_ANSWER, ENDED, true, "487", REASON_SIP},
        {"no-answer&SipResponseCode=480", STATUS_SUBSCRIBER_ABSENT, ENDED, true, "480", REASON_SIP},
        {"no-answer&SipResultCode=480", STATUS_SUBSCRIBER_ABSENT, ENDED, true, "480", REASON_SIP},
        {"no-answer&SipResponseCode=486", STATUS_NO_ANSWER, ENDED, true, "486", REASON_SIP},
        {"failed", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "failed", REASON_TEXT},
        {"failed&SipResponseCode=404", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "404", REASON_SIP},
        {"failed&SipResponseCode=486", STATUS_USER_BUSY, ENDED, true, "486", REASON_SIP},
        {"failed&SipResponseCode=408", STATUS_SUBSCRIBER_ABSENT, ENDED, true, "408", REASON_SIP},
        {"failed&SipResponseCode=487", STATUS_NO_ANSWER, ENDED, true, "487", REASON_SIP},
        {"failed&SipResultCode=603", STATUS_USER_BUSY, ENDED, true, "603", REASON_SIP},
        {"failed&SipResponseCode=200&CallDuration=9", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "failed",
         REASON_TEXT},
        {"failed&SipResponseCode=", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "failed", REASON_TEXT},
        {"failed&SipResponseCode=x", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "failed", REASON_TEXT},
        {"failed&ErrorCode=13224", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "13224", REASON_NAMED},
        {"canceled", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "canceled", REASON_TEXT},
        {"canceled&SipResponseCode=487", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, "487", REASON_SIP},
        {"teleported", STATUS_FAILED_UNKNOWN_REASON, 0, false, "teleported", REASON_TEXT},
        {"Completed", STATUS_FAILED_UNKNOWN_REASON, 0, false, "Completed", REASON_TEXT},
        {"", STATUS_FAILED_UNKNOWN_REASON, 0, false, "(empty)", REASON_TEXT},
    };
    char body[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "CallSid=CA1&CallStatus=%s", rows[i].body);
        struct evidence ev = report(body);
        assert_int_equal(ev.status, rows[i].status);
        assert_int_equal(ev.hops, rows[i].hops);
        assert_int_equal(ev.terminal, rows[i].terminal);
        assert_string_equal(ev.reason_code, rows[i].reason);
        assert_int_equal(ev.reason_kind, rows[i].kind);
        assert_string_equal(ev.provider_call_id, "CA1");
    }
}

static void a_number_that_does_not_exist_is_permanent(void **state)
{
    (void)state;
    assert_true(report("CallSid=CA1&CallStatus=failed&SipResponseCode=404").permanent);
    assert_false(report("CallSid=CA1&CallStatus=failed&SipResponseCode=503").permanent);
    assert_false(report("CallSid=CA1&CallStatus=busy&SipResponseCode=404").permanent);
}

static void the_raw_cause_is_kept_beside_the_hops(void **state)
{
    (void)state;
    assert_string_equal(report("CallStatus=busy&SipResponseCode=486").hop_detail, "busy, SIP 486");
    assert_string_equal(
        report("CallStatus=completed&SipResponseCode=200&AnsweredBy=machine_start").hop_detail,
        "completed, SIP 200, answered by machine_start");
    assert_string_equal(report("CallStatus=no-answer").hop_detail, "no-answer");
    assert_string_equal(report("CallStatus=ringing").hop_detail, "");
    assert_string_equal(
        report("CallStatus=failed&SipResultCode=503&SipInviteResultPhrase=Down").reason_detail,
        "failed, Down");
}

static void the_provider_s_time_talk_time_and_price_are_read(void **state)
{
    struct evidence ev =
        report("CallSid=CA1&CallStatus=completed&Timestamp=Sat%2C+07+May+2022+14%3A30%3A14+%2B0000"
               "&Duration=1&CallDuration=33&Price=-0.0065&PriceUnit=USD");
    (void)state;
    assert_int_equal(ev.at_ms, INT64_C(1651933814000));
    assert_int_equal(ev.talk_seconds, 33);
    assert_int_equal(ev.cost_micros, 6500);
    assert_string_equal(ev.currency, "USD");
    ev = report("CallStatus=ringing&Timestamp=2021-04-28+21%3A51%3A18.731479Z");
    assert_int_equal(ev.at_ms, INT64_C(1619646678731));
    assert_int_equal(report("CallStatus=ringing&Timestamp=yesterday").at_ms, 0);
    assert_int_equal(report("CallStatus=ringing").at_ms, 0);
    ev = report("CallStatus=busy&CallDuration=0&Duration=0");
    assert_int_equal(ev.talk_seconds, -1);
    assert_int_equal(ev.cost_micros, -1);
    assert_int_equal(report("CallStatus=completed&CallDuration=x").talk_seconds, -1);
}

static void another_kind_of_callback_says_nothing(void **state)
{
    static const char *const bodies[] = {
        "CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed",
        "AccountSid=AC1&CallSid=CA1&AnsweredBy=human&MachineDetectionDuration=900"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct evidence ev = report(bodies[i]);
        assert_int_equal(ev.status, STATUS_NONE);
        assert_int_equal(ev.hops, 0);
        assert_int_equal(ev.reason_kind, REASON_NONE);
        assert_false(ev.terminal);
    }
}

static void what_cannot_be_read_is_an_error_with_a_sentence(void **state)
{
    static const struct {
        const char *type, *body;
    } rows[] = {{FORM, "CallSid=CA1&CallStatus=%ff"},
                {FORM, "CallSid=CA1&CallStatus=a%00b"},
                {FORM, "CallSid=%zz&CallStatus=%"},
                {FORM, "CallSid=CA1\xFF"},
                {FORM, ""},
                {FORM, "&&&===&&"},
                {FORM, "Nothing=useful"},
                {FORM, "{\"CallSid\": \"CA1\", \"CallStatus\": \"completed\"}"},
                {"application/json", "{\"CallSid\": \"CA1\", \"CallStatus\": \"completed\"}"},
                {"text/plain", "CallSid=CA1&CallStatus=completed"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct evidence ev;
        struct err err = ERR_INIT;
        assert_int_equal(read_callback(rows[i].type, rows[i].body, &ev, &err), ERR_INVALID);
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(strlen(err.text) > 10);
        assert_int_equal(ev.status, STATUS_NONE);
    }
}

static void a_body_past_the_limit_is_an_error(void **state)
{
    size_t n = 900000;
    char *body = malloc(n + 1);
    struct evidence ev;
    (void)state;
    memset(body, 'x', n);
    memcpy(body, "CallSid=CA1&CallStatus=", 23);
    body[n] = '\0';
    assert_int_equal(read_callback(FORM, body, &ev, NULL), ERR_INVALID);
    free(body);
}

static void of_a_get_the_query_is_read_wherever_it_stands(void **state)
{
    struct evidence ev;
    struct callback gateway = {.method = "GET",
                               .query = SPAN_LIT("CallSid=CA9&CallStatus=busy"),
                               .body = SPAN_LIT("CallStatus=completed")};
    struct callback topic = {.body = SPAN_LIT("CallSid=CA9&CallStatus=busy")};
    (void)state;
    assert_int_equal(twilio_provider.callback(&gateway, &ev, NULL), 0);
    assert_int_equal(ev.status, STATUS_USER_BUSY);
    assert_int_equal(twilio_provider.callback(&topic, &ev, NULL), 0);
    assert_int_equal(ev.status, STATUS_USER_BUSY);
}

static void the_call_id_is_found_for_the_key(void **state)
{
    static const struct {
        const char *body, *id;
    } rows[] = {{"CallStatus=busy&CallSid=CA1", "CA1"},
                {"CallSid=", NULL},
                {"CallSid=a%20b", NULL},
                {"RecordingSid=RE1", NULL},
                {"CallSid=CA1%ff", NULL},
                {"", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct callback callback = {.method = "POST", .body = span_str(rows[i].body)};
        struct buf id;
        buf_init(&id, 128);
        assert_int_equal(twilio_provider.callback_id(&callback, &id), rows[i].id != NULL);
        assert_string_equal(id.p, rows[i].id ? rows[i].id : "");
        buf_done(&id);
    }
}

/* ---- look-ups, answers, credentials ---- */

static struct evidence looked_up(int status, const char *body)
{
    struct evidence ev;
    memset(&ev, 0xA5, sizeof ev);
    twilio_provider.looked_up(NULL, status, span_str(body), &ev);
    return ev;
}

static void a_look_up_asks_for_the_call_object(void **state)
{
    struct channel channel = channel_new();
    struct http_request http;
    (void)state;
    http_new(&http);
    assert_int_equal(twilio_provider.lookup(&channel, SPAN_LIT("CA1"), &http, NULL), 0);
    assert_string_equal(http.method, "GET");
    assert_false(http.once);
    assert_string_equal(
        http.url.p,
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls/CA1.json");
    assert_string_equal(http.user.p, sid);
    assert_int_equal(http.body.n, 0);
    http_free(&http);
}

static void a_looked_up_call_is_evidence(void **state)
{
    struct evidence ev = looked_up(
        200, "{\"sid\": \"CA1\", \"status\": \"completed\", \"duration\": \"12\", \"price\": \"-0.013\","
             "\"price_unit\": \"USD\", \"end_time\": \"Sat, 07 May 2022 14:30:14 +0000\"}");
    (void)state;
    assert_int_equal(ev.status, STATUS_COMPLETED);
    assert_true(ev.terminal);
    assert_int_equal(ev.talk_seconds, 12);
    assert_int_equal(ev.cost_micros, 13000);
    assert_int_equal(ev.at_ms, INT64_C(1651933814000));
    assert_string_equal(ev.provider_call_id, "CA1");
    ev = looked_up(200, "{\"sid\": \"CA1\", \"status\": \"no-answer\", \"duration\": null, \"price\": null}");
    assert_int_equal(ev.status, STATUS_NO_ANSWER);
    assert_string_equal(ev.reason_code, "no-answer");
    ev = looked_up(200, "{\"sid\": \"CA1\", \"status\": \"ringing\"}");
    assert_int_equal(ev.status, STATUS_NONE);
    assert_int_equal(ev.hops, DIALING);
}

static void an_unclear_look_up_says_nothing(void **state)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {{404, "{\"code\": 20404, \"message\": \"not found\"}"},
                {200, "{\"sid\": \"CA1\", \"status\": \"teleported\"}"},
                {200, "{\"sid\": \"CA1\"}"},
                {200, "<html>"},
                {200, ""},
                {500, "{\"status\": \"completed\"}"},
                {302, "{\"status\": \"completed\"}"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct evidence ev = looked_up(rows[i].status, rows[i].body);
        assert_int_equal(ev.status, STATUS_NONE);
        assert_int_equal(ev.hops, 0);
        assert_false(ev.terminal);
        assert_string_equal(ev.provider_call_id, "");
    }
}

static void assert_answer(const struct request *request, const char *expected)
{
    struct buf out;
    char text[512];
    const char *type = NULL;
    buf_init(&out, 4096);
    twilio_provider.answer(request, &out, &type);
    snprintf(text, sizeof text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>%s</Response>",
             expected);
    assert_string_equal(out.p, text);
    assert_string_equal(type, "text/xml");
    buf_done(&out);
}

static void instructions_are_escaped_twiml(void **state)
{
    struct request play = request_new(MESSAGE_PLAY, "https://example.org/a.mp3?x=1&y=<2>");
    struct request say = request_new(MESSAGE_SAY, "Tom & \"Jerry\" <3\x01\xE2\x82\xAC");
    struct request redirect = request_new(MESSAGE_ANSWER_URL, "https://example.org/flow");
    (void)state;
    assert_answer(&play, "<Play>https://example.org/a.mp3?x=1&amp;y=&lt;2&gt;</Play>");
    assert_answer(&say, "<Say>Tom &amp; &quot;Jerry&quot; &lt;3 \xE2\x82\xAC</Say>");
    assert_answer(&redirect, "<Redirect>https://example.org/flow</Redirect>");
    assert_answer(NULL, "<Hangup/>");
}

static void an_api_key_needs_both_halves(void **state)
{
    struct channel channel = channel_new();
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(twilio_provider.open(&channel, &err), 0);
    channel.credentials[2] = key_sid;
    assert_int_equal(twilio_provider.open(&channel, &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, "api_key_secret"));
    channel.credentials[3] = key_secret;
    assert_int_equal(twilio_provider.open(&channel, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_placement_is_the_form_that_twilio_documents),
        cmocka_unit_test(an_answer_url_is_handed_on_as_it_is),
        cmocka_unit_test(without_public_url_the_instructions_are_inside_and_no_callback_is_asked_for),
        cmocka_unit_test(inline_instructions_are_bounded_in_characters),
        cmocka_unit_test(an_api_key_authenticates_in_place_of_the_token),
        cmocka_unit_test(a_placement_without_caller_id_is_refused_before_it_leaves),
        cmocka_unit_test(a_call_object_is_accepted_with_its_id),
        cmocka_unit_test(a_call_that_is_born_failed_is_a_refusal),
        cmocka_unit_test(a_success_that_cannot_be_read_is_in_doubt),
        cmocka_unit_test(error_codes_decide_what_happens_next),
        cmocka_unit_test(a_refusal_for_good_is_failed_terminal_and_permanent),
        cmocka_unit_test(a_page_that_is_not_the_provider_s_proves_nothing_but_401_and_429),
        cmocka_unit_test(every_call_status_has_its_status_and_hops),
        cmocka_unit_test(a_number_that_does_not_exist_is_permanent),
        cmocka_unit_test(the_raw_cause_is_kept_beside_the_hops),
        cmocka_unit_test(the_provider_s_time_talk_time_and_price_are_read),
        cmocka_unit_test(another_kind_of_callback_says_nothing),
        cmocka_unit_test(what_cannot_be_read_is_an_error_with_a_sentence),
        cmocka_unit_test(a_body_past_the_limit_is_an_error),
        cmocka_unit_test(of_a_get_the_query_is_read_wherever_it_stands),
        cmocka_unit_test(the_call_id_is_found_for_the_key),
        cmocka_unit_test(a_look_up_asks_for_the_call_object),
        cmocka_unit_test(a_looked_up_call_is_evidence),
        cmocka_unit_test(an_unclear_look_up_says_nothing),
        cmocka_unit_test(instructions_are_escaped_twiml),
        cmocka_unit_test(an_api_key_needs_both_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
