/* What became of a placement: "did it happen?" apart from "did it fail?". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "workers/dispatch/judge.h"

/* A provider whose adapter answers what the test wants to hear. */
static struct placed said;

static void placed(const struct channel *channel, int status, struct span body, struct placed *out)
{
    (void)channel, (void)status, (void)body;
    *out = said;
}

static const struct provider PROVIDER = {.name = "fake", .placed = placed};
static char base_url[] = "https://api.example";
static const struct channel CHANNEL = {.provider = &PROVIDER, .base_url = base_url};

static void says(enum placed_kind kind, const char *id)
{
    memset(&said, 0, sizeof(said));
    evidence_init(&said.evidence);
    said.kind = kind;
    evidence_set_reason(&said.evidence, REASON_NAMED, SPAN_LIT("21211"), SPAN_LIT("invalid"));
    evidence_set_provider_call_id(&said.evidence, span_str(id));
}

static struct verdict judged(struct http_reply reply, bool own_from)
{
    struct verdict verdict;
    reply.error = reply.error != NULL ? reply.error : "";
    judge_reply(&CHANNEL, &reply, own_from, &verdict);
    return verdict;
}

static struct verdict replied(int status)
{
    return judged((struct http_reply){.outcome = HTTP_REPLY, .status = status, .retry_after_ms = -1}, false);
}

static void an_accepted_call_is_pending_and_its_message_is_out(void **state)
{
    (void)state;
    says(PLACED_ACCEPTED, "CA1");
    struct verdict v = replied(201);
    assert_int_equal(v.kind, OUTCOME_ACCEPTED);
    assert_int_equal(v.evidence.status, STATUS_PENDING);
    assert_true(v.evidence.hops & HOP_BIT(HOP_MESSAGE_OUT));
    assert_false(v.evidence.terminal);
}

static void an_acceptance_without_an_id_is_in_doubt(void **state)
{
    (void)state;
    says(PLACED_ACCEPTED, "");
    assert_int_equal(replied(201).kind, OUTCOME_DOUBT);
}

static void no_adapter_can_make_a_server_error_or_an_odd_3xx_certain(void **state)
{
    (void)state;
    static const enum placed_kind kinds[] = {PLACED_REFUSED, PLACED_REFUSED_FOR_NOW, PLACED_NOT_NOW,
                                             PLACED_CHANNEL, PLACED_IN_DOUBT};
    static const int statuses[] = {300, 304, 305, 399, 500, 502, 504, 599};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (size_t s = 0; s < sizeof(statuses) / sizeof(statuses[0]); s++) {
            says(kinds[k], "");
            struct verdict v = replied(statuses[s]);
            assert_int_equal(v.kind, OUTCOME_DOUBT);
            assert_int_equal(v.evidence.status, STATUS_GATEWAY_UNAVAILABLE);
            assert_false(v.evidence.terminal);
            assert_false(v.suspend);
        }
}

static void a_503_counts_as_the_adapter_reads_it(void **state)
{
    (void)state;
    says(PLACED_NOT_NOW, "");
    assert_int_equal(replied(503).kind, OUTCOME_BACK);
    says(PLACED_IN_DOUBT, "");
    assert_int_equal(replied(503).kind, OUTCOME_DOUBT);
}

static void nothing_sent_and_nobody_there_is_tried_again_as_a_new_attempt(void **state)
{
    (void)state;
    struct verdict v = judged(
        (struct http_reply){.outcome = HTTP_NOT_SENT, .unreachable = true, .error = "connection refused"},
        false);
    assert_int_equal(v.kind, OUTCOME_UNREACHED);
    assert_int_equal(v.evidence.status, STATUS_GATEWAY_UNAVAILABLE);
    assert_int_equal(v.evidence.hops, 0);
    assert_string_equal(v.evidence.reason_detail, "connection refused");
}

static void a_send_refused_as_late_gives_the_claim_back(void **state)
{
    (void)state;
    struct verdict v = judged((struct http_reply){.outcome = HTTP_NOT_SENT, .refused_late = true}, false);
    assert_int_equal(v.kind, OUTCOME_BACK);
    assert_int_equal(v.wait_ms, 0);
}

static void a_lost_response_is_in_doubt(void **state)
{
    (void)state;
    struct verdict v = judged((struct http_reply){.outcome = HTTP_IN_DOUBT, .error = "timed out"}, false);
    assert_int_equal(v.kind, OUTCOME_DOUBT);
    assert_true(v.evidence.hops & HOP_BIT(HOP_MESSAGE_OUT));
    assert_string_equal(v.evidence.reason_code, "no_response");
}

static void not_now_waits_as_long_as_the_provider_says_within_bounds(void **state)
{
    (void)state;
    static const int64_t asked[] = {-1, 0, 2500, 86400000}, granted[] = {JUDGE_NOT_NOW_MS, 100, 2500, 300000};
    for (size_t i = 0; i < 4; i++) {
        says(PLACED_NOT_NOW, "");
        struct verdict v = judged(
            (struct http_reply){.outcome = HTTP_REPLY, .status = 429, .retry_after_ms = asked[i]}, false);
        assert_int_equal(v.kind, OUTCOME_BACK);
        assert_int_equal(v.wait_ms, granted[i]);
        assert_false(v.suspend);
    }
}

static void a_refusal_is_terminal_and_keeps_the_providers_words(void **state)
{
    (void)state;
    says(PLACED_REFUSED, "");
    struct verdict v = replied(400);
    assert_int_equal(v.kind, OUTCOME_REFUSED);
    assert_int_equal(v.evidence.status, STATUS_FAILED_UNKNOWN_REASON);
    assert_true(v.evidence.terminal);
    assert_string_equal(v.evidence.reason_code, "21211");
    says(PLACED_REFUSED_FOR_NOW, "");
    assert_int_equal(replied(400).kind, OUTCOME_REFUSED_NOW);
}

static void what_speaks_of_the_channel_suspends_it_and_keeps_the_call(void **state)
{
    (void)state;
    says(PLACED_CHANNEL, "");
    struct verdict v = replied(401);
    assert_int_equal(v.kind, OUTCOME_BACK);
    assert_true(v.suspend);
    assert_int_equal(v.wait_ms, 0); /* in the channel's queue */
}

static void a_redirect_or_a_proxys_refusal_suspends_whatever_the_adapter_would_say(void **state)
{
    (void)state;
    static const int statuses[] = {301, 302, 303, 307, 308, 407};
    static const enum placed_kind kinds[] = {PLACED_ACCEPTED, PLACED_REFUSED, PLACED_NOT_NOW,
                                             PLACED_IN_DOUBT};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (size_t s = 0; s < sizeof(statuses) / sizeof(statuses[0]); s++) {
            says(kinds[k], "CA1");
            const struct http_reply reply = {.outcome = HTTP_REPLY,
                                             .status = statuses[s],
                                             .redirected_to = SPAN_LIT("https://u:p@else.example/p?q"),
                                             .retry_after_ms = -1};
            struct verdict v = judged(reply, true);
            assert_int_equal(v.kind, OUTCOME_BACK);
            assert_true(v.suspend);
            assert_int_equal(v.wait_ms, 0);
            assert_string_equal(v.evidence.provider_call_id, "");
            if (statuses[s] != 407)
                assert_string_equal(v.evidence.reason_detail, "to else.example");
        }
}

static void a_caller_id_of_the_request_is_the_requests_trouble(void **state)
{
    (void)state;
    const struct http_reply reply = {.outcome = HTTP_REPLY, .status = 400, .retry_after_ms = -1};
    says(PLACED_CHANNEL, "");
    said.caller_id = true;
    assert_int_equal(judged(reply, true).kind, OUTCOME_REFUSED);
    assert_true(judged(reply, false).suspend);
}

static void what_cannot_be_said_to_the_provider_is_refused_by_us(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct verdict v;
    err_set(&err, ERR_INVALID, "message.say: too long");
    judge_unsayable(&err, &v);
    assert_int_equal(v.kind, OUTCOME_REFUSED);
    assert_string_equal(v.evidence.reason_code, "cannot_be_placed");
    assert_int_equal(v.evidence.hops, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_call_is_pending_and_its_message_is_out),
        cmocka_unit_test(an_acceptance_without_an_id_is_in_doubt),
        cmocka_unit_test(no_adapter_can_make_a_server_error_or_an_odd_3xx_certain),
        cmocka_unit_test(a_redirect_or_a_proxys_refusal_suspends_whatever_the_adapter_would_say),
        cmocka_unit_test(a_503_counts_as_the_adapter_reads_it),
        cmocka_unit_test(nothing_sent_and_nobody_there_is_tried_again_as_a_new_attempt),
        cmocka_unit_test(a_send_refused_as_late_gives_the_claim_back),
        cmocka_unit_test(a_lost_response_is_in_doubt),
        cmocka_unit_test(not_now_waits_as_long_as_the_provider_says_within_bounds),
        cmocka_unit_test(a_refusal_is_terminal_and_keeps_the_providers_words),
        cmocka_unit_test(what_speaks_of_the_channel_suspends_it_and_keeps_the_call),
        cmocka_unit_test(a_caller_id_of_the_request_is_the_requests_trouble),
        cmocka_unit_test(what_cannot_be_said_to_the_provider_is_refused_by_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
