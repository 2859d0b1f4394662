#include "tests/unit/simulated.h"

#include "common/base/clock.h"
#include "tests/simulator/africastalking.h"

#define NUMBER   "%2B254711082000"
#define DOCUMENT "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>text</Say></Response>"

static char callback_url[128], events_url[128];

static int start(void **state)
{
    (void)state;
    static char name[] = "simulator", user[] = "--africastalking-username=acme",
                key[] = "--africastalking-api-key=atsk_1";
    char *argv[] = {name, user, key, NULL};
    stage_start(&stage, 3, argv);
    snprintf(callback_url, sizeof callback_url, "%s/callbacks/africastalking/ke?token=t%%2B1",
             stage.worker_url);
    snprintf(events_url, sizeof events_url, "%s/events", stage.worker_url);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stage_end(&stage);
    return 0;
}

static int clear(void **state)
{
    struct sim_africastalking_config *at = &stage.sim.config.africastalking;
    stage_clear(state);
    at->callback_url = callback_url;
    at->events_url = NULL;
    at->numbers_n = 0;
    stage.document = DOCUMENT;
    return 0;
}

static void ask(const char *key, const char *type, const char *body)
{
    struct http_request *request = stage_request(&stage, "POST", "/call");
    buf_addf(&request->headers, "apiKey: %s\nContent-Type: %s\n", key, type);
    buf_adds(&request->body, body);
    stage_ask(&stage);
}

static void place(const char *digits, const char *reference)
{
    char body[512];
    snprintf(body, sizeof body, "username=acme&from=%s&to=%%2B254722%s%s%s", NUMBER, digits,
             reference ? "&clientRequestId=" : "", reference ? reference : "");
    ask("atsk_1", "application/x-www-form-urlencoded", body);
}

static const json_t *entry(void)
{
    const json_t *entries = json_object_get(stage.reply_json, "entries");
    assert_int_equal(json_array_size(entries), 1);
    return json_array_get(entries, 0);
}

static void assert_field(const struct post *post, const char *name, const char *expected)
{
    char text[256];
    copy_text(text, sizeof text, form_get(&post->form, name));
    assert_string_equal(text, expected);
}

static bool has_field(const struct post *post, const char *name)
{
    return form_get(&post->form, name).p != NULL;
}

/* ---- placing ---- */

static void a_placement_is_queued_with_a_session(void **state)
{
    (void)state;
    place("990000", "acme%2Fc1%2F1");
    assert_int_equal(stage.status / 100, 2);
    assert_true(span_is(stage_reply_text(&stage, "errorMessage"), "None"));
    assert_true(span_is(json_get_span(entry(), "status"), "Queued"));
    assert_true(span_is(json_get_span(entry(), "phoneNumber"), "+254722990000"));
    struct span session = json_get_span(entry(), "sessionId");
    assert_int_equal(session.n, AFRICASTALKING_ID_LEN);
    assert_memory_equal(session.p, "ATVId_", 6);
}

static void a_placement_may_be_json_too(void **state)
{
    (void)state;
    ask("atsk_1", "application/json",
        "{\"username\":\"acme\",\"from\":\"+254711082000\",\"to\":[\"+254722990000\"],"
        "\"clientRequestId\":\"acme/c1/1\"}");
    assert_true(span_is(json_get_span(entry(), "status"), "Queued"));
    assert_int_equal(stage.sim.stats.dialled, 1);
    const struct sim_call *call = sim_numbered(&stage.sim, stage.sim.first_number);
    assert_true(span_is(call->order.reference, "acme/c1/1"));
}

static void what_is_missing_or_wrong_is_told_in_its_own_form(void **state)
{
    (void)state;
    static const struct {
        const char *key, *body;
        int status;
        const char *reply;
    } cases[] = {
        {"atsk_1", "username=acme&to=%2B254722000001", 400, "Request is missing required form field 'from'"},
        {"atsk_1", "username=acme&from=" NUMBER, 400, "Request is missing required form field 'to'"},
        {"atsk_2", "username=acme&from=" NUMBER "&to=%2B254722000001", 401,
         "The supplied authentication is invalid"},
        {"atsk_1", "username=else&from=" NUMBER "&to=%2B254722000001", 401,
         "The supplied authentication is invalid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].key, "application/x-www-form-urlencoded", cases[i].body);
        assert_int_equal(stage.status, cases[i].status);
        assert_string_equal(stage.reply, cases[i].reply);
    }
    assert_int_equal(stage.sim.stats.placements, 0);
    assert_int_equal(stage.sim.stats.refused_requests, 4);
}

static void a_number_that_is_not_registered_cannot_call(void **state)
{
    (void)state;
    struct sim_africastalking_config *at = &stage.sim.config.africastalking;
    at->callback_url = NULL;
    at->numbers[0] = (struct sim_registered){"+254711082001", callback_url};
    at->numbers_n = 1;
    place("990000", NULL);
    assert_int_equal(stage.status, 200);
    assert_string_equal(stage.reply, "{\"entries\":[],\"errorMessage\":\"Invalid callerId: +254711082000\"}");
    assert_int_equal(stage.sim.stats.placements, 0);
}

static void faults_of_the_response_have_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        int status;
        const char *word;
    } cases[] = {
        {"990025", 429, "Too Many"},
        {"990026", 503, "\"entries\":[],\"errorMessage\":\"Service"},
        {"990027", 401, "authentication"},
        {"990024", 500, "internal server error"},
        {"990028", 0, "InvalidPhoneNumber"},
        {"990029", 0, "InsufficientCredit"},
        {"990030", 0, "\"status\":\"Failed\""},
        {"990023", 200, "<html>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        place(cases[i].to, NULL);
        if (cases[i].status)
            assert_int_equal(stage.status, cases[i].status);
        else
            assert_int_equal(stage.status / 100, 2);
        assert_non_null(strstr(stage.reply, cases[i].word));
        assert_null(strstr(stage.reply, "ATVId_"));
    }
}

/* ---- callbacks ---- */

static void an_answered_call_asks_for_instructions_and_then_reports(void **state)
{
    (void)state;
    place("990000", "acme%2Fc1%2F1");
    stage_wait(&stage, 2);
    const struct post *first = &stage.posts[0], *last = &stage.posts[1];
    assert_string_equal(first->target, "/callbacks/africastalking/ke?token=t%2B1");
    assert_string_equal(first->type, "application/x-www-form-urlencoded");
    assert_field(first, "isActive", "1");
    assert_field(first, "callerNumber", "+254722990000");
    assert_field(first, "destinationNumber", "+254711082000");
    assert_field(first, "clientRequestId", "acme/c1/1");
    assert_false(has_field(first, "durationInSeconds"));
    assert_string_equal(last->target, first->target);
    assert_field(last, "isActive", "0");
    assert_field(last, "status", "Success");
    assert_field(last, "hangupCause", "NORMAL_CLEARING");
    assert_field(last, "recordingUrl", "");
    assert_field(last, "currencyCode", "KES");
    assert_true(form_get(&last->form, "durationInSeconds").p[0] > '0');
    assert_true(span_eq(form_get(&first->form, "sessionId"), form_get(&last->form, "sessionId")));
    assert_int_equal(stage.sim.stats.instructions, 1);
    assert_int_equal(stage.sim.stats.instructions_understood, 1);
    assert_int_equal(stage.sim.stats.callbacks, 2);
}

static void the_start_has_a_literal_plus_or_a_space(void **state)
{
    (void)state;
    int plus = 0, old = 0;
    for (int i = 0; i < 32; i++) {
        char reference[32];
        snprintf(reference, sizeof reference, "acme%%2Fp%d%%2F1", i);
        place("990000", reference);
    }
    stage_wait(&stage, 64);
    for (int i = 0; i < 64; i++) {
        struct span start_time = form_get(&stage.posts[i].form, "callStartTime");
        assert_int_equal(start_time.n, 19);
        assert_true(start_time.p[10] == '+' || start_time.p[10] == ' ');
        plus += start_time.p[10] == '+';
        old += !has_field(&stage.posts[i], "callSessionState");
    }
    assert_in_range(plus, 24, 62);
    assert_in_range(old, 1, 20);
}

static void a_call_that_was_not_answered_has_only_its_end(void **state)
{
    (void)state;
    static const struct {
        const char *to, *status, *cause;
    } cases[] = {
        {"990001", "NotAnswered", "USER_BUSY"},         {"990002", "NotAnswered", "NO_ANSWER"},
        {"990003", "NotAnswered", "SUBSCRIBER_ABSENT"}, {"990004", "NotAnswered", "UNALLOCATED_NUMBER"},
        {"990005", "NotAnswered", "ORIGINATOR_CANCEL"}, {"990006", "NotAnswered", "NORMAL_TEMPORARY_FAILURE"},
        {"990007", "NotAnswered", "CALL_REJECTED"},     {"990008", "Aborted", NULL},

    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_forget_posts(&stage);
        place(cases[i].to, NULL);
        stage_wait(&stage, 1);
        stage_linger(&stage, 20);
        assert_int_equal(stage.posts_n, 1);
        assert_field(&stage.posts[0], "isActive", "0");
        assert_field(&stage.posts[0], "status", cases[i].status);
        assert_field(&stage.posts[0], "callStartTime", "None");
        assert_field(&stage.posts[0], "durationInSeconds", "0");
        assert_field(&stage.posts[0], "amount", "0");
        assert_int_equal(has_field(&stage.posts[0], "hangupCause"), cases[i].cause != NULL);
        if (cases[i].cause)
            assert_field(&stage.posts[0], "hangupCause", cases[i].cause);
    }
}

static void an_unknown_end_has_words_that_nobody_knows(void **state)
{
    (void)state;
    place("990046", NULL);
    stage_wait(&stage, 2);
    assert_field(&stage.posts[1], "status", "Evaporated");
    assert_field(&stage.posts[1], "hangupCause", "EVAPORATED");
}

static void the_events_url_hears_of_ringing(void **state)
{
    (void)state;
    stage.sim.config.africastalking.events_url = events_url;
    place("990002", "acme%2Fc1%2F1");
    stage_wait(&stage, 3);
    assert_string_equal(stage.posts[0].target, "/events");
    assert_field(&stage.posts[0], "callSessionState", "Active");
    assert_field(&stage.posts[0], "callStartTime", "None");
    assert_field(&stage.posts[0], "isActive", "1");
    assert_field(&stage.posts[1], "callSessionState", "Ringing");
    assert_string_equal(stage.posts[2].target, "/callbacks/africastalking/ke?token=t%2B1");
}

static void our_reference_is_echoed_as_the_switch_says(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool first, last;
    } cases[] = {{"all", true, true}, {"final", false, true}, {"none", false, false}};
    for (size_t i = 0; i < 3; i++) {
        stage_forget_posts(&stage);
        stage_set(&stage, "client_request_id", cases[i].word);
        place("990000", "acme%2Fc1%2F1");
        stage_wait(&stage, 2);
        assert_int_equal(has_field(&stage.posts[0], "clientRequestId"), cases[i].first);
        assert_int_equal(has_field(&stage.posts[1], "clientRequestId"), cases[i].last);
    }
}

static void without_our_reference_the_registered_url_stays_whole(void **state)
{
    (void)state;
    place("990048", "acme%2Fc1%2F1");
    stage_wait(&stage, 2);
    for (int i = 0; i < 2; i++) {
        assert_false(has_field(&stage.posts[i], "clientRequestId"));
        assert_string_equal(stage.posts[i].target, "/callbacks/africastalking/ke?token=t%2B1");
    }
}

static void a_document_that_cannot_be_read_ends_the_call(void **state)
{
    (void)state;
    stage.document = "<Response><Say>cut off";
    stage_set(&stage, "talk_ms", "3600000");
    place("990000", NULL);
    stage_wait(&stage, 2);
    assert_int_equal(stage.sim.stats.instructions_failed, 1);
    assert_field(&stage.posts[1], "isActive", "0");
}

static void a_callback_that_was_not_taken_comes_again(void **state)
{
    (void)state;
    stage.fail_first = 2;
    place("990001", NULL);
    stage_wait(&stage, 3);
    stage_linger(&stage, 50);
    assert_int_equal(stage.posts_n, 3);
    assert_string_equal(stage.posts[0].body, stage.posts[2].body);
    assert_int_equal(stage.sim.stats.callbacks_acknowledged, 1);
}

/* ---- what a checker reads ---- */

static void an_attempt_is_known_by_its_client_request_id(void **state)
{
    (void)state;
    place("000001", "acme%2Fc1%2F1");
    place("000002", "acme%2Fc1%2F2");
    place("000003", "acme%2Fc1%2F1");
    assert_int_equal(stage.sim.stats.dialled_again_by_attempt, 1);
    assert_int_equal(stage.sim.stats.dialled_again_by_to, 0);
    stage_request(&stage, "GET", "/_sim/placements");
    stage_ask(&stage);
    assert_non_null(strstr(stage.reply, "\"provider\":\"africastalking\""));
    assert_non_null(strstr(stage.reply, "\"attempt_ref\":\"acme/c1/2\""));
    stage_request(&stage, "GET", "/_sim/stats");
    stage_ask(&stage);
    assert_non_null(strstr(stage.reply, "\"channels\":{\"africastalking +254711082000\":{\"placements\":3,"
                                        "\"max_placements_in_a_second\":3}}"));
}

/* Of the line that GET /_sim/placements shows first. */
static int64_t told_of_placement(const char *key)
{
    stage_request(&stage, "GET", "/_sim/placements");
    stage_ask(&stage);
    assert_non_null(stage.reply_json);
    const json_t *value = json_object_get(stage.reply_json, key);
    assert_non_null(value);
    return json_is_null(value) ? 0 : json_integer_value(value);
}

static void when_a_call_came_and_when_it_was_over_is_told(void **state)
{
    (void)state;
    int64_t before_us = clock_mono_us();
    place("990001", "acme%2Fc1%2F1");
    int64_t came_us = told_of_placement("at_mono_us");
    assert_in_range(came_us, before_us, clock_mono_us());
    assert_int_equal(told_of_placement("ended_mono_us"), 0);
    stage_wait(&stage, 1);
    assert_in_range(told_of_placement("ended_mono_us"), came_us + 1, clock_mono_us());
}

static void references_are_told_from_fields_and_from_urls(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *url, *expected;
    } cases[] = {
        {"acme/c1/1", "http://h/callbacks/africastalking/ke?token=x", "acme/c1/1"},
        {"", "https://h/a/callbacks/twilio/ke/acme/c%3A1/12?token=x#rc=5", "acme/c:1/12"},
        {"", "https://h/callbacks/twilio/ke", NULL},
        {"", "https://h/callbacks/twilio/ke/acme/c1", NULL},
        {"", "https://h/callbacks/twilio/ke/acme//1", NULL},
        {"", "https://h/callbacks/twilio/ke/acme/c1/1/2", NULL},
        {"", "", NULL},
        {"something else", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 256);
        bool known = sim_add_attempt_ref(&out, span_str(cases[i].reference), span_str(cases[i].url));
        assert_int_equal(known, cases[i].expected != NULL);
        if (known)
            assert_string_equal(out.p, cases[i].expected);
        buf_done(&out);
    }
}

#define ON_STAGE(test) cmocka_unit_test_setup(test, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_placement_is_queued_with_a_session),
        ON_STAGE(a_placement_may_be_json_too),
        ON_STAGE(what_is_missing_or_wrong_is_told_in_its_own_form),
        ON_STAGE(a_number_that_is_not_registered_cannot_call),
        ON_STAGE(faults_of_the_response_have_its_words),
        ON_STAGE(an_answered_call_asks_for_instructions_and_then_reports),
        ON_STAGE(the_start_has_a_literal_plus_or_a_space),
        ON_STAGE(a_call_that_was_not_answered_has_only_its_end),
        ON_STAGE(an_unknown_end_has_words_that_nobody_knows),
        ON_STAGE(the_events_url_hears_of_ringing),
        ON_STAGE(our_reference_is_echoed_as_the_switch_says),
        ON_STAGE(without_our_reference_the_registered_url_stays_whole),
        ON_STAGE(a_document_that_cannot_be_read_ends_the_call),
        ON_STAGE(a_callback_that_was_not_taken_comes_again),
        ON_STAGE(an_attempt_is_known_by_its_client_request_id),
        ON_STAGE(when_a_call_came_and_when_it_was_over_is_told),
        ON_STAGE(references_are_told_from_fields_and_from_urls),
    };
    return cmocka_run_group_tests(tests, start, end);
}
