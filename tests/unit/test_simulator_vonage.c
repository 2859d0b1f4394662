#include "tests/unit/simulated.h"

#include <openssl/pem.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/http/jwt.h"
#include "tests/simulator/vonage.h"
#include "tests/unit/jwt_keys.h"

#define APPLICATION "0a1b2c3d-bbbb-cccc-dddd-0123456789ab"
#define SECRET      "qwertyuiopasdfghjklzxcvbnm123456"
#define TALK        "\"ncco\":[{\"action\":\"talk\",\"text\":\"Maize\"}]"

static char key_path[] = "/tmp/simulator-key-XXXXXX";
static struct jwt_key *key;

static void write_public_key(void)
{
    BIO *in = BIO_new_mem_buf(RSA_PEM, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    FILE *file = fdopen(mkstemp(key_path), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, pkey), 1);
    fclose(file);
    EVP_PKEY_free(pkey);
    BIO_free(in);
}

static int start(void **state)
{
    (void)state;
    static char name[] = "simulator", application[] = "--vonage-application-id=" APPLICATION,
                secret[] = "--vonage-signature-secret=" SECRET, option[] = "--vonage-public-key";
    char *argv[] = {name, application, secret, option, key_path, NULL};
    write_public_key();
    assert_int_equal(jwt_key_new(&key, SPAN_LIT(RSA_PEM), NULL), 0);
    stage_start(&stage, 5, argv);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stage_end(&stage);
    jwt_key_free(&key);
    return unlink(key_path);
}

static int clear(void **state)
{
    stage_clear(state);
    stage.document = "[{\"action\":\"talk\",\"text\":\"Maize\"}]";
    stage.sim.config.vonage.signature_secret = SECRET;
    return 0;
}

/* ---- asking ---- */

static void add_token(struct http_request *request, const char *claims)
{
    buf_adds(&request->headers, "Authorization: Bearer ");
    assert_int_equal(jwt_add_rs256(&request->headers, key, span_str(claims), NULL), 0);
    buf_addc(&request->headers, '\n');
}

static struct http_request *request_with_token(const char *method, const char *path)
{
    char claims[256];
    struct http_request *request = stage_request(&stage, method, path);
    long long now_s = clock_wall_ms() / 1000;
    snprintf(claims, sizeof claims, "{\"application_id\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"j1\"}",
             APPLICATION, now_s, now_s + 900);
    add_token(request, claims);
    return request;
}

static void ask(const char *body)
{
    struct http_request *request = request_with_token("POST", "/v1/calls");
    buf_adds(&request->headers, "Content-Type: application/json\n");
    buf_adds(&request->body, body);
    stage_ask(&stage);
}

/* `more`: further members of the JSON, with a comma before each; `attempt` NULL: no event_url. */
static void place(const char *digits, const char *attempt, const char *instructions, const char *more)
{
    char body[1024], event_url[256] = "";
    if (attempt)
        snprintf(event_url, sizeof event_url, ",\"event_url\":[\"%s/callbacks/vonage/ke/%s\"]",
                 stage.worker_url, attempt);
    snprintf(body, sizeof body,
             "{\"to\":[{\"type\":\"phone\",\"number\":\"254722%s\"}],"
             "\"from\":{\"type\":\"phone\",\"number\":\"254711082000\"},%s%s%s}",
             digits, instructions, event_url, more);
    ask(body);
}

/* ---- what came ---- */

static struct span said(int post, const char *name)
{
    return json_get_span(stage.posts[post].json, name);
}

static void assert_says(int post, const char *name, const char *expected)
{
    char text[256];
    copy_text(text, sizeof text, said(post, name));
    assert_string_equal(text, expected);
}

static bool has(int post, const char *name)
{
    return json_object_get(stage.posts[post].json, name) != NULL;
}

/* A string or a number: both are said of the same field. */
static double number_said(int post, const char *name)
{
    const json_t *value = json_object_get(stage.posts[post].json, name);
    assert_non_null(value);
    return json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
}

static int find_post(const char *status)
{
    for (int i = 0; i < stage.posts_n; i++) {
        if (span_is(said(i, "status"), status))
            return i;
    }
    fail_msg("no event says %s", status);
    return -1;
}

/* ---- placing ---- */

static void a_placement_is_started_under_a_uuid(void **state)
{
    (void)state;
    place("990000", NULL, TALK, "");
    assert_int_equal(stage.status, 201);
    assert_true(span_is(stage_reply_text(&stage, "status"), "started"));
    assert_int_equal(stage_reply_text(&stage, "uuid").n, VONAGE_ID_LEN);
    assert_memory_equal(stage_reply_text(&stage, "conversation_uuid").p, "CON-", 4);
    assert_true(span_is(sim_numbered(&stage.sim, stage.sim.first_number)->order.to, "+254722990000"));
}

static void only_a_fresh_token_of_the_application_opens_the_api(void **state)
{
    (void)state;
    static const struct {
        const char *application;
        int from_s, until_s; /* from now */
        bool opens;
    } cases[] = {
        {APPLICATION, 0, 900, true},    {APPLICATION, -100, 1, true},   {APPLICATION, 30, 900, true},
        {APPLICATION, -900, -1, false}, {APPLICATION, 120, 900, false}, {APPLICATION, 0, 90000, false},
        {"another-one", 0, 900, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char claims[256];
        long long now_s = clock_wall_ms() / 1000;
        snprintf(claims, sizeof claims,
                 "{\"application_id\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%zu\"}",
                 cases[i].application, now_s + cases[i].from_s, now_s + cases[i].until_s, i);
        add_token(stage_request(&stage, "GET", "/v1/calls/x"), claims);
        stage_ask(&stage);
        assert_int_equal(stage.status, cases[i].opens ? 404 : 401);
    }
    stage_request(&stage, "GET", "/v1/calls/x");
    stage_ask(&stage);
    assert_int_equal(stage.status, 401);
    assert_true(span_is(stage_reply_text(&stage, "title"), "Unauthorized"));
}

static void a_token_that_anybody_could_make_does_not_open_it(void **state)
{
    (void)state;
    char claims[256];
    struct http_request *request = stage_request(&stage, "GET", "/v1/calls/x");
    snprintf(claims, sizeof claims, "{\"application_id\":\"%s\",\"iat\":%lld,\"jti\":\"j\"}", APPLICATION,
             (long long)(clock_wall_ms() / 1000));
    buf_adds(&request->headers, "Authorization: Bearer ");
    jwt_add_hs256(&request->headers, SPAN_LIT("guessed"), span_str(claims));
    buf_addc(&request->headers, '\n');
    stage_ask(&stage);
    assert_int_equal(stage.status, 401);
}

static void what_does_not_fit_names_the_parameter(void **state)
{
    (void)state;
    static const struct {
        const char *body, *name;
    } cases[] = {
        {"[]", "body"},
        {"{\"to\":[],\"from\":{\"type\":\"phone\",\"number\":\"254711082000\"}," TALK "}", "to"},
        {"{\"to\":[{\"type\":\"phone\",\"number\":\"+254722000001\"}]," TALK "}", "number"},
        {"{\"to\":[{\"type\":\"phone\",\"number\":\"254722000001\"}]," TALK "}", "number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].body);
        const json_t *invalid = json_array_get(json_object_get(stage.reply_json, "invalid_parameters"), 0);
        assert_int_equal(stage.status, 400);
        assert_true(span_is(json_get_span(invalid, "name"), cases[i].name));
    }
    assert_int_equal(stage.sim.stats.placements, 0);
}

static void instructions_must_look_right(void **state)
{
    (void)state;
    static const struct {
        const char *instructions, *more;
        int status;
    } cases[] = {
        {TALK, "", 201},
        {"\"ncco\":[]", "", 201},
        {"\"answer_url\":[\"http://127.0.0.1:9/a\"]", "", 201},
        {"\"ncco\":{}", "", 400},
        {"\"ncco\":[{\"text\":\"no action\"}]", "", 400},
        {"\"answer_url\":\"http://127.0.0.1:9/a\"", "", 400},
        {TALK, ",\"answer_url\":[\"http://127.0.0.1:9/a\"]", 400},
        {"\"advanced_machine_detection\":{}", "", 400},
        {TALK, ",\"ringing_timer\":121", 400},
        {TALK, ",\"ringing_timer\":40,\"length_timer\":600", 201},
        {TALK, ",\"event_method\":\"PUT\"", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        place("990001", NULL, cases[i].instructions, cases[i].more);
        assert_int_equal(stage.status, cases[i].status);
    }
}

static void faults_of_the_response_have_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        int status;
        const char *word;
    } cases[] = {
        {"990025", 429, "Rate Limit Hit"},        {"990026", 503, "Service Unavailable"},
        {"990027", 401, "Unauthorized"},          {"990024", 500, "Internal Server Error"},
        {"990028", 400, "invalid_parameters"},    {"990029", 429, "Rate Limit Hit"},
        {"990030", 201, "\"status\":\"failed\""}, {"990023", 200, "<html>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        place(cases[i].to, NULL, TALK, "");
        assert_int_equal(stage.status, cases[i].status);
        assert_non_null(strstr(stage.reply, cases[i].word));
    }
}

/* ---- events ---- */

static void a_good_call_has_four_events_with_numbers_without_plus(void **state)
{
    (void)state;
    place("990000", "acme/c1/1", TALK, "");
    stage_wait(&stage, 4);
    assert_string_equal(stage.posts[0].target, "/callbacks/vonage/ke/acme/c1/1");
    assert_string_equal(stage.posts[0].type, "application/json");
    int started = find_post("started"), answered = find_post("answered"), completed = find_post("completed");
    find_post("ringing");
    assert_says(started, "to", "254722990000");
    assert_says(started, "from", "254711082000");
    assert_true(span_eq(said(started, "uuid"), said(completed, "uuid")));
    assert_true(json_is_null(json_object_get(stage.posts[answered].json, "network")));
    assert_true(has(answered, "start_time") && has(completed, "start_time") && has(completed, "end_time"));
    assert_true(number_said(completed, "duration") >= 5);
    assert_true(number_said(completed, "price") > 0);
}

static void numbers_come_as_strings_and_as_numbers(void **state)
{
    (void)state;
    int strings = 0, headers = 0;
    for (int i = 0; i < 24; i++) {
        char attempt[32];
        snprintf(attempt, sizeof attempt, "acme/n%d/1", i);
        place("990000", attempt, TALK, "");
    }
    stage_wait(&stage, 96);
    for (int i = 0; i < 96; i++) {
        if (!span_is(said(i, "status"), "completed"))
            continue;
        strings += json_is_string(json_object_get(stage.posts[i].json, "duration"));
        headers += has(i, "headers");
    }
    assert_in_range(strings, 3, 21);
    assert_in_range(headers, 3, 21);
}

static void endings_have_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *to, *words; /* any of them */
    } cases[] = {
        {"990001", "busy"},       {"990002", "timeout unanswered"},
        {"990003", "unanswered"}, {"990004", "failed"},
        {"990005", "cancelled"},  {"990006", "failed"},
        {"990007", "rejected"},   {"990008", "failed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int found = 0;
        stage_forget_posts(&stage);
        place(cases[i].to, "acme/e/1", TALK, "");
        stage_wait(&stage, 2);
        stage_linger(&stage, 450);
        for (int k = 0; k < stage.posts_n; k++)
            found += said(k, "status").n && memmem(cases[i].words, strlen(cases[i].words),
                                                   said(k, "status").p, said(k, "status").n) != NULL;
        assert_int_equal(found, 1);
    }
}

static void some_unanswered_calls_are_closed_by_an_empty_completed(void **state)
{
    (void)state;
    int closed = 0, busy = 0;
    for (int i = 0; i < 24; i++) {
        char attempt[32];
        snprintf(attempt, sizeof attempt, "acme/b%d/1", i);
        place("990001", attempt, TALK, "");
    }
    stage_linger(&stage, 500);
    for (int i = 0; i < stage.posts_n; i++) {
        busy += span_is(said(i, "status"), "busy");
        if (!span_is(said(i, "status"), "completed"))
            continue;
        closed++;
        assert_true(number_said(i, "duration") == 0);
        assert_false(has(i, "start_time"));
        assert_false(has(i, "sip_code"));
    }
    assert_int_equal(busy, 24);
    assert_in_range(closed, 3, 21);
}

static void an_absent_phone_is_told_by_its_detail_or_its_sip_code(void **state)
{
    (void)state;
    int details = 0, codes = 0;
    for (int i = 0; i < 24; i++) {
        char attempt[32];
        snprintf(attempt, sizeof attempt, "acme/a%d/1", i);
        place("990003", attempt, TALK, "");
    }
    stage_linger(&stage, 400);
    for (int i = 0; i < stage.posts_n; i++) {
        if (!span_is(said(i, "status"), "unanswered"))
            continue;
        assert_true(has(i, "detail") || has(i, "sip_code"));
        details += has(i, "detail");
        codes += has(i, "sip_code");
    }
    assert_in_range(details, 6, 23);
    assert_in_range(codes, 3, 21);
}

static json_t *signed_claims(const struct post *post)
{
    return jwt_open_hs256(span_str(post->authorization + 7), SPAN_LIT(SECRET));
}

static void events_are_signed_over_their_body(void **state)
{
    (void)state;
    place("990001", "acme/c1/1", TALK, "");
    stage_wait(&stage, 2);
    for (int i = 0; i < 2; i++) {
        uint8_t hash[SHA256_LEN];
        struct buf hex;
        buf_init(&hex, 100);
        crypto_sha256(span_str(stage.posts[i].body), hash);
        crypto_add_hex(&hex, hash, sizeof hash);
        json_t *claims = signed_claims(&stage.posts[i]);
        assert_non_null(claims);
        assert_true(span_is(json_get_span(claims, "iss"), "Vonage"));
        assert_true(span_is(json_get_span(claims, "payload_hash"), hex.p));
        assert_in_range(json_integer_value(json_object_get(claims, "iat")), clock_wall_ms() / 1000 - 20,
                        clock_wall_ms() / 1000);
        json_decref(claims);
        buf_done(&hex);
    }
    assert_string_not_equal(stage.posts[0].authorization, stage.posts[1].authorization);
}

static void without_a_secret_events_are_not_signed(void **state)
{
    (void)state;
    stage.sim.config.vonage.signature_secret = "";
    place("990001", "acme/c1/1", TALK, "");
    stage_wait(&stage, 1);
    assert_string_equal(stage.posts[0].authorization, "");
}

static void events_come_as_a_query_where_that_was_asked_for(void **state)
{
    (void)state;
    place("990001", "acme/c1/1", TALK, ",\"event_method\":\"GET\"");
    stage_wait(&stage, 1);
    const struct post *post = &stage.posts[0];
    assert_string_equal(post->method, "GET");
    assert_true(span_is(form_get(&post->form, "status"), "started"));
    assert_true(span_is(form_get(&post->form, "to"), "254722990001"));
    json_t *claims = signed_claims(post);
    assert_non_null(claims);
    json_decref(claims);
}

static void the_answer_url_is_asked_at_the_answer(void **state)
{
    (void)state;
    char instructions[128];
    snprintf(instructions, sizeof instructions, "\"answer_url\":[\"%s/answer?x=1\"]", stage.worker_url);
    place("990000", NULL, instructions, "");
    stage_wait(&stage, 1);
    stage_linger(&stage, 30);
    assert_string_equal(stage.posts[0].method, "GET");
    assert_memory_equal(stage.posts[0].target, "/answer?x=1&from=254711082000&to=254722990000&uuid=", 51);
    assert_int_equal(stage.sim.stats.instructions_understood, 1);
    stage.document = "{\"action\":\"talk\"}";
    place("990000", NULL, instructions, "");
    stage_wait(&stage, 2);
    stage_linger(&stage, 30);
    assert_int_equal(stage.sim.stats.instructions_failed, 1);
}

static void an_event_that_was_not_taken_is_repeated_twice(void **state)
{
    (void)state;
    stage.fail_first = 100;
    place("990048", "acme/c1/1", TALK, "");
    stage_wait(&stage, 3);
    assert_string_equal(stage.posts[0].target, "/callbacks/vonage/ke"); /* short_url */
    stage_linger(&stage, 1500);
    int started = 0;
    for (int i = 0; i < stage.posts_n; i++)
        started += span_is(said(i, "status"), "started");
    assert_int_equal(started, 3);
}

/* ---- looking up and hanging up ---- */

static void ask_about(const char *method, struct span uuid, const char *body)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/calls/%.*s", SPAN_ARG(uuid));
    struct http_request *request = request_with_token(method, path);
    buf_adds(&request->body, body);
    stage_ask(&stage);
}

static void a_call_is_looked_up_and_hung_up(void **state)
{
    (void)state;
    char text[64];
    stage_set(&stage, "talk_ms", "3600000");
    place("990000", "acme/c1/1", TALK, "");
    copy_text(text, sizeof text, stage_reply_text(&stage, "uuid"));
    struct span uuid = span_str(text);
    stage_wait(&stage, 3);
    ask_about("GET", uuid, "");
    assert_int_equal(stage.status, 200);
    assert_true(span_is(stage_reply_text(&stage, "status"), "answered"));
    assert_false(json_object_get(stage.reply_json, "duration") != NULL);
    ask_about("PUT", uuid, "{\"action\":\"mute\"}");
    assert_int_equal(stage.status, 400);
    ask_about("PUT", uuid, "{\"action\":\"hangup\"}");
    assert_int_equal(stage.status, 204);
    stage_wait(&stage, 4);
    ask_about("GET", uuid, "");
    assert_true(span_is(stage_reply_text(&stage, "status"), "completed"));
    assert_int_equal(stage_reply_text(&stage, "start_time").n, 19);
    ask_about("PUT", uuid, "{\"action\":\"hangup\"}");
    assert_int_equal(stage.status, 400);
    ask_about("GET", SPAN_LIT("63f61863-4a51-4f6b-86e1-46edebcf9356"), "");
    assert_int_equal(stage.status, 404);
    assert_int_equal(stage.sim.stats.hangups, 1);
}

static void an_attempt_is_known_by_its_event_url(void **state)
{
    (void)state;
    place("000001", "acme/c%3A1/2", TALK, "");
    place("000002", "acme/c%3A1/2", TALK, "");
    assert_int_equal(stage.sim.stats.dialled_again_by_attempt, 1);
    stage_request(&stage, "GET", "/_sim/placements");
    stage_ask(&stage);
    assert_non_null(strstr(stage.reply, "\"provider\":\"vonage\",\"to\":\"+254722000001\",\"from\":"
                                        "\"+254711082000\",\"attempt_ref\":\"acme/c:1/2\""));
}

#define ON_STAGE(test) cmocka_unit_test_setup(test, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_placement_is_started_under_a_uuid),
        ON_STAGE(only_a_fresh_token_of_the_application_opens_the_api),
        ON_STAGE(a_token_that_anybody_could_make_does_not_open_it),
        ON_STAGE(what_does_not_fit_names_the_parameter),
        ON_STAGE(instructions_must_look_right),
        ON_STAGE(faults_of_the_response_have_its_words),
        ON_STAGE(a_good_call_has_four_events_with_numbers_without_plus),
        ON_STAGE(numbers_come_as_strings_and_as_numbers),
        ON_STAGE(endings_have_its_words),
        ON_STAGE(some_unanswered_calls_are_closed_by_an_empty_completed),
        ON_STAGE(an_absent_phone_is_told_by_its_detail_or_its_sip_code),
        ON_STAGE(events_are_signed_over_their_body),
        ON_STAGE(without_a_secret_events_are_not_signed),
        ON_STAGE(events_come_as_a_query_where_that_was_asked_for),
        ON_STAGE(the_answer_url_is_asked_at_the_answer),
        ON_STAGE(an_event_that_was_not_taken_is_repeated_twice),
        ON_STAGE(a_call_is_looked_up_and_hung_up),
        ON_STAGE(an_attempt_is_known_by_its_event_url),
    };
    return cmocka_run_group_tests(tests, start, end);
}
