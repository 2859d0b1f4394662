/* workers/store/record and ref: what the scripts wrote into a real Redis, read again and shown. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "scripts.h"
#include "workers/calls/evidence.h"
#include "workers/calls/links.h"
#include "workers/calls/record.h"
#include "workers/calls/ref.h"
#include "workers/calls/requests.h"

#define ID    SPAN_LIT("acme/c-1")
#define TOKEN SPAN_LIT("0123456789abcdef")
#define REQUEST                                                                                              \
    "{\"call_id\":\"c-1\",\"tenant\":\"acme\",\"campaign\":\"maize\",\"to\":\"+254722000111\","              \
    "\"message\":{\"say\":\"Habari\"}}"

struct record_fixture {
    char dir[64];
    char socket[96];
    char url[128];
    char prefix[8];
    pid_t pid;
    struct settings settings;
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    enum store_status status;
    bool answered, found;
    int64_t now_ms;
    char *text; /* of the last record, or the last reference */
};

static void server_start(struct record_fixture *f)
{
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/ivr-record-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->socket, sizeof(f->socket), "%s/s", f->dir);
    (void)snprintf(f->url, sizeof(f->url), "unix://%s", f->socket);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", f->socket, "--dir", f->dir,
           "--save", "", "--appendonly", "no", (char *)NULL);
    _exit(127);
}

static void look(void *arg)
{
    struct record_fixture *f = arg;
    if (f->answered)
        loop_quit(f->loop);
    assert_true(clock_mono_ms() - f->now_ms < 20000);
}

static void wait_answer(struct record_fixture *f)
{
    f->now_ms = clock_mono_ms();
    struct loop_timer *timer = loop_timer_start(f->loop, 0, 2, look, f);
    loop_run(f->loop);
    loop_timer_stop(&timer);
    f->answered = false;
}

static void on_checked(const char *problem, void *arg)
{
    struct record_fixture *f = arg;
    assert_null(problem);
    f->answered = true;
}

static void on_events(unsigned shard, struct span entry, struct span packed, void *arg)
{
    (void)shard, (void)entry, (void)packed, (void)arg;
}

static int set_up(void **state)
{
    struct record_fixture *f = calloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    assert_non_null(f);
    server_start(f);
    (void)snprintf(f->prefix, sizeof(f->prefix), "ivr");
    f->settings = (struct settings){.redis_prefix = f->prefix,
                                    .redis_shards = 16,
                                    .retention_ms = 60000,
                                    .pending_limit_ms = 60000,
                                    .give_up_ms = 60000,
                                    .unknown_callback_keep_ms = 60000};
    const struct redis_options options = {.url = f->url, .timeout_ms = 5000, .library = &script_library};
    f->loop = loop_new();
    assert_int_equal(redis_new(&f->redis, f->loop, &options, &err), 0);
    assert_int_equal(store_new(&f->store, f->loop, f->redis, &f->settings, &err), 0);
    store_on_events(f->store, on_events, NULL, f);
    store_check_shards(f->store, true, on_checked, f);
    wait_answer(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct record_fixture *f = *state;
    if (f->redis != NULL)
        redis_free(&f->redis);
    store_free(&f->store);
    loop_free(&f->loop);
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    unlink(f->socket);
    rmdir(f->dir);
    free(f->text);
    free(f);
    return 0;
}

/* ---- what happens to the call ---- */

static void on_request(enum store_status status, enum calls_request_what what, struct calls_claimed claimed,
                       void *arg)
{
    struct record_fixture *f = arg;
    (void)what, (void)claimed;
    assert_int_equal(status, STORE_OK);
    f->answered = true;
}

static void store_it(struct record_fixture *f, struct span token, int64_t expires_at_ms)
{
    static const int delays[] = {300};
    const struct calls_request request = {.id = ID,
                                          .fingerprint = SPAN_LIT("fingerprint"),
                                          .campaign = SPAN_LIT("acme/maize"),
                                          .channel = SPAN_LIT("ke-main"),
                                          .provider = SPAN_LIT("twilio"),
                                          .identity = SPAN_LIT("\"tenant\":\"acme\""),
                                          .request = SPAN_LIT(REQUEST),
                                          .max_attempts = 2,
                                          .retry_on = 1u << STATUS_USER_BUSY,
                                          .delays_s = delays,
                                          .delays_n = 1,
                                          .expires_at_ms = expires_at_ms,
                                          .token = token,
                                          .claim_ms = 10000};
    calls_request(f->store, &request, on_request, f);
    wait_answer(f);
}

static void on_outcome(enum store_status status, enum calls_outcome_what what, void *arg)
{
    struct record_fixture *f = arg;
    assert_int_equal(status, STORE_OK);
    assert_int_equal(what, OUTCOME_RECORDED);
    f->answered = true;
}

static void accept_it(struct record_fixture *f)
{
    struct evidence ev;
    evidence_init(&ev);
    ev.status = STATUS_PENDING;
    assert_true(evidence_set_provider_call_id(&ev, SPAN_LIT("CA1")));
    const struct calls_outcome outcome = {.id = ID,
                                          .attempt = 1,
                                          .token = TOKEN,
                                          .kind = OUTCOME_ACCEPTED,
                                          .evidence = &ev,
                                          .trace = SPAN_NONE};
    calls_outcome(f->store, &outcome, on_outcome, f);
    wait_answer(f);
}

static void on_evidence(enum store_status status, const struct calls_evidence_result *told, void *arg)
{
    struct record_fixture *f = arg;
    assert_int_equal(status, STORE_OK);
    assert_int_equal(told->what, EVIDENCE_RECORDED);
    assert_false(told->unlinked);
    f->answered = true;
}

static void report_busy(struct record_fixture *f)
{
    struct evidence ev;
    evidence_init(&ev);
    ev.status = STATUS_USER_BUSY;
    ev.terminal = true;
    ev.hops = HOP_BIT(HOP_TERMINATE);
    ev.at_ms = 1763837450123;
    ev.ring_seconds = 7;
    evidence_set_reason(&ev, REASON_SIP, SPAN_LIT("486"), SPAN_LIT("+254722000111 is busy"));
    evidence_set_hop_detail(&ev, SPAN_LIT("to 254722000111"));
    assert_true(evidence_set_cost(&ev, SPAN_LIT("-0.0065"), SPAN_LIT("usd")));
    const struct calls_evidence evidence = {.id = ID,
                                            .attempt = 1,
                                            .channel = SPAN_LIT("ke-main"),
                                            .provider = SPAN_LIT("twilio"),
                                            .evidence = &ev};
    calls_evidence(f->store, &evidence, on_evidence, f);
    wait_answer(f);
}

/* ---- reading it ---- */

static void on_record(enum store_status status, const struct record *record, void *arg)
{
    struct record_fixture *f = arg;
    struct buf b;
    size_t n;
    buf_init(&b, 64 * 1024);
    f->status = status;
    f->found = record != NULL;
    if (record != NULL) {
        assert_true(span_is(record->request, REQUEST));
        record_add_json(&b, record);
    }
    free(f->text);
    f->text = buf_take(&b, &n);
    f->answered = true;
}

static json_t *read_json(struct record_fixture *f)
{
    struct err err = ERR_INIT;
    record_read(f->store, ID, on_record, f);
    assert_false(f->answered);
    wait_answer(f);
    assert_int_equal(f->status, STORE_OK);
    assert_true(f->found);
    json_t *json = json_parse(span_str(f->text), 64 * 1024, &err);
    if (json == NULL)
        print_message("%s in %s\n", err.text, f->text);
    assert_non_null(json);
    return json;
}

static void assert_text(const json_t *object, const char *key, const char *text)
{
    const json_t *value = json_object_get(object, key);
    if (text == NULL) {
        assert_true(json_is_null(value));
        return;
    }
    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), text);
}

static void assert_whole(const json_t *object, const char *key, int64_t number)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    assert_int_equal(json_integer_value(json_object_get(object, key)), number);
}

static void an_unknown_call_is_no_record(void **state)
{
    struct record_fixture *f = *state;
    record_read(f->store, ID, on_record, f);
    wait_answer(f);
    assert_int_equal(f->status, STORE_OK);
    assert_false(f->found);
}

static void a_waiting_call_has_no_status_and_no_attempts(void **state)
{
    struct record_fixture *f = *state;
    store_it(f, SPAN_NONE, 0);
    json_t *call = read_json(f);
    assert_text(call, "tenant", "acme");
    assert_text(call, "campaign", "maize");
    assert_text(call, "call_id", "c-1");
    assert_text(call, "phase", "waiting");
    assert_text(call, "status", NULL);
    assert_text(call, "drop_reason", NULL);
    assert_false(json_boolean_value(json_object_get(call, "final")));
    assert_true(json_is_string(json_object_get(call, "created_at")));
    assert_true(json_is_string(json_object_get(call, "updated_at")));
    assert_int_equal(json_array_size(json_object_get(call, "attempts")), 0);
    assert_whole(call, "attempts_omitted", 0);
    json_decref(call);
}

static void a_claimed_call_is_being_placed(void **state)
{
    struct record_fixture *f = *state;
    store_it(f, TOKEN, 0);
    json_t *call = read_json(f);
    assert_text(call, "phase", "placing");
    assert_text(call, "status", NULL);
    const json_t *att = json_array_get(json_object_get(call, "attempts"), 0);
    assert_whole(att, "attempt", 1);
    assert_text(att, "status", NULL);
    assert_text(att, "provider_call_id", NULL);
    assert_text(att, "reason", NULL);
    assert_text(att, "cost", NULL);
    assert_text(att, "ring_seconds", NULL);
    assert_int_equal(json_array_size(json_object_get(att, "hops")), 0);
    json_decref(call);
}

static void a_dropped_call_names_its_reason(void **state)
{
    struct record_fixture *f = *state;
    store_it(f, TOKEN, 1);
    json_t *call = read_json(f);
    assert_text(call, "phase", "dropped");
    assert_text(call, "drop_reason", "expired");
    assert_true(json_boolean_value(json_object_get(call, "final")));
    json_decref(call);
}

static void an_attempt_shows_what_the_provider_said(void **state)
{
    struct record_fixture *f = *state;
    store_it(f, TOKEN, 0);
    accept_it(f);
    report_busy(f);
    json_t *call = read_json(f);
    assert_text(call, "phase", "waiting");
    assert_text(call, "status", "User_busy");
    assert_true(json_is_string(json_object_get(call, "next_attempt_at")));
    assert_whole(call, "seq", 3);
    const json_t *att = json_array_get(json_object_get(call, "attempts"), 0);
    assert_text(att, "channel", "ke-main");
    assert_text(att, "provider", "twilio");
    assert_text(att, "provider_call_id", "CA1");
    assert_text(att, "status", "User_busy");
    assert_text(json_object_get(att, "reason"), "code", "486");
    assert_text(json_object_get(att, "cost"), "amount", "0.0065");
    assert_text(json_object_get(att, "cost"), "currency", "USD");
    assert_whole(att, "ring_seconds", 7);
    assert_text(att, "talk_seconds", NULL);
    const json_t *hops = json_object_get(att, "hops");
    assert_int_equal(json_array_size(hops), 2);
    assert_text(json_array_get(hops, 0), "hop", "message_out");
    assert_text(json_array_get(hops, 0), "detail", NULL);
    assert_text(json_array_get(hops, 1), "hop", "terminate");
    assert_text(json_array_get(hops, 1), "at", "2025-11-22T18:50:50.123Z");
    json_decref(call);
}

static void numbers_are_masked_wherever_they_stand(void **state)
{
    struct record_fixture *f = *state;
    store_it(f, TOKEN, 0);
    accept_it(f);
    report_busy(f);
    json_t *call = read_json(f);
    assert_text(call, "to", "+2547****0111");
    assert_null(strstr(f->text, "254722000111"));
    json_decref(call);
}

static void attempts_come_in_the_order_of_their_numbers(void **state)
{
    static const struct record_attempt attempts[] = {
        {.number = 1, .ring_seconds = -1, .talk_seconds = -1, .cost_micros = -1},
        {.number = 12, .ring_seconds = -1, .talk_seconds = -1, .cost_micros = -1},
    };
    const struct record record = {.id = ID,
                                  .request = SPAN_LIT(REQUEST),
                                  .campaign = SPAN_LIT("acme/maize"),
                                  .phase = PHASE_DONE,
                                  .attempt = 12,
                                  .attempts = attempts,
                                  .attempts_n = 2};
    struct buf b;
    (void)state;
    buf_init(&b, 64 * 1024);
    pii_setup(PHONE_PLAIN, SPAN_NONE);
    record_add_json(&b, &record);
    pii_setup(PHONE_MASK, SPAN_NONE);
    json_t *call = json_parse(buf_span(&b), 64 * 1024, NULL);
    assert_text(call, "to", "+254722000111");
    assert_whole(call, "attempts_omitted", 10);
    assert_whole(json_array_get(json_object_get(call, "attempts"), 1), "attempt", 12);
    json_decref(call);
    buf_done(&b);
}

static void without_redis_the_status_says_so(void **state)
{
    struct record_fixture *f = *state;
    record_read(f->store, ID, on_record, f);
    redis_free(&f->redis);
    f->answered = false;
    assert_int_not_equal(f->status, STORE_OK);
    assert_false(f->found);
}

/* ---- references ---- */

static void on_ref(enum store_status status, struct span ref, void *arg)
{
    struct record_fixture *f = arg;
    free(f->text);
    f->text = strndup(ref.n > 0 ? ref.p : "", ref.n);
    f->status = status;
    f->answered = true;
}

static void on_link(enum store_status status, const struct calls_parked *parked, size_t n, void *arg)
{
    struct record_fixture *f = arg;
    (void)parked;
    assert_int_equal(status, STORE_OK);
    assert_int_equal(n, 0);
    f->answered = true;
}

static void a_provider_s_id_is_found_once_it_is_linked(void **state)
{
    struct record_fixture *f = *state;
    const struct calls_call call = {SPAN_LIT("twilio:CA1"), SPAN_LIT("main")},
                            elsewhere = {SPAN_LIT("twilio:CA1"), SPAN_LIT("other")};
    ref_read(f->store, &call, on_ref, f);
    wait_answer(f);
    assert_int_equal(f->status, STORE_OK);
    assert_string_equal(f->text, "");
    calls_link(f->store, &call, SPAN_LIT("acme/c-1/1"), on_link, f);
    wait_answer(f);
    ref_read(f->store, &call, on_ref, f);
    wait_answer(f);
    assert_int_equal(f->status, STORE_OK);
    assert_string_equal(f->text, "acme/c-1/1");
    ref_read(f->store, &elsewhere, on_ref, f);
    wait_answer(f);
    assert_string_equal(f->text, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_call_is_no_record),
        TEST(a_waiting_call_has_no_status_and_no_attempts),
        TEST(a_claimed_call_is_being_placed),
        TEST(a_dropped_call_names_its_reason),
        TEST(an_attempt_shows_what_the_provider_said),
        TEST(numbers_are_masked_wherever_they_stand),
        TEST(without_redis_the_status_says_so),
        TEST(a_provider_s_id_is_found_once_it_is_linked),
        cmocka_unit_test(attempts_come_in_the_order_of_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
