/*
 * common/http where the peer offers HTTP/2: many requests share a connection, and a connection or a stream
 * that ends badly never makes libcurl send one of them a second time. The server counts what reached it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "tests/unit/http2_server.h"

enum { MANY = 1000, SLOTS_A_CONNECTION = 16 };

struct http2_fixture {
    struct caller caller;
    struct h2_server server;
};

static int set_up(void **state)
{
    struct http2_fixture *f = mem_calloc(1, sizeof(*f));
    h2_start(&f->server);
    caller_open(&f->caller, f->server.identity.cert_file);
    (void)snprintf(f->caller.base, sizeof(f->caller.base), "https://127.0.0.1:%d", f->server.port);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct http2_fixture *f = *state;
    caller_close(&f->caller);
    h2_stop(&f->server);
    free(f);
    return 0;
}

static void post(struct caller *c, const char *what)
{
    fill(c, "POST", "/");
    buf_clear(&c->request.body);
    buf_adds(&c->request.body, what);
    send_filled(c);
}

static const struct seen_reply *ask_for(struct caller *c, const char *what)
{
    post(c, what);
    loop_run(c->loop);
    return &c->seen;
}

/* Waits until the server has `n` requests. */
static void wait_requests(struct http2_fixture *f, int n)
{
    int64_t give_up_mono_ms = clock_mono_ms() + 10000;
    while (f->server.requests < n && clock_mono_ms() < give_up_mono_ms)
        turn_for(&f->caller, 5);
    assert_int_equal(f->server.requests, n);
}

/* ---- the promises ---- */

static void requests_are_streams_where_tls_offers_http2(void **state)
{
    struct http2_fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY);
        assert_int_equal(f->caller.seen.status, 200);
        assert_string_equal(f->caller.seen.body, "yes");
    }
    assert_int_equal(f->server.requests, 10);
    assert_int_equal(f->server.connections, 1);
}

static void a_thousand_transfers_share_few_connections(void **state)
{
    struct http2_fixture *f = *state;
    f->server.release_at = MANY;
    for (int round = 1; round <= 2; round++) {
        f->server.held = 0;
        f->caller.replies = 0;
        for (int i = 0; i < MANY; i++)
            post(&f->caller, "held");
        loop_run(f->caller.loop);
        assert_int_equal(f->caller.replies, MANY);
        assert_int_equal(f->server.requests, round * MANY);
        assert_int_equal(f->server.connections, (MANY + SLOTS_A_CONNECTION - 1) / SLOTS_A_CONNECTION);
    }
}

/* `what` ends badly, once on a fresh connection and once on a kept one: in doubt, and never sent again. */
static void assert_sent_once(struct http2_fixture *f, const char *what)
{
    for (int kept = 0; kept < 2; kept++) {
        caller_close(&f->caller);
        caller_open(&f->caller, f->server.identity.cert_file);
        (void)snprintf(f->caller.base, sizeof(f->caller.base), "https://127.0.0.1:%d", f->server.port);
        f->server.requests = 0;
        if (kept)
            assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY);
        assert_int_equal(ask_for(&f->caller, what)->outcome, HTTP_IN_DOUBT);
        assert_int_equal(f->caller.seen.status, 0);
        assert_true(f->caller.seen.error[0]);
        turn_for(&f->caller, 100);
        assert_int_equal(f->server.requests, kept + 1);
        assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY); /* and the client goes on */
    }
}

static void a_refused_stream_is_not_sent_again(void **state)
{
    assert_sent_once(*state, "refuse");
}

static void a_stream_that_goaway_leaves_out_is_not_sent_again(void **state)
{
    assert_sent_once(*state, "unserved");
}

static void a_demand_for_http_1_1_is_not_met_by_sending_again(void **state)
{
    assert_sent_once(*state, "http11");
}

static void a_stream_that_ends_in_an_error_is_not_sent_again(void **state)
{
    assert_sent_once(*state, "internal");
    assert_sent_once(*state, "broken");
}

static void a_connection_that_ends_mid_stream_is_not_followed_by_another_send(void **state)
{
    assert_sent_once(*state, "close");
    assert_sent_once(*state, "reset");
    assert_sent_once(*state, "half");
}

/* The same without `once`: libcurl resends by itself, which is why the tests above prove something. */
static void without_once_libcurl_does_send_again(void **state)
{
    static const char *const whats[] = {"refuse", "http11"};
    struct http2_fixture *f = *state;
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY);
        f->server.requests = 0;
        fill(&f->caller, "POST", "/");
        f->caller.request.once = false;
        buf_clear(&f->caller.request.body);
        buf_adds(&f->caller.request.body, whats[i]);
        send_filled(&f->caller);
        loop_run(f->caller.loop);
        assert_int_equal(f->caller.seen.outcome, HTTP_IN_DOUBT);
        turn_for(&f->caller, 100);
        assert_true(f->server.requests > 1);
    }
}

static void every_stream_of_a_lost_connection_is_in_doubt_and_none_is_sent_again(void **state)
{
    static const char *const ends[] = {"close", "reset"};
    struct http2_fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        f->server.requests = f->caller.replies = 0;
        assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY);
        for (int n = 0; n < 8; n++)
            post(&f->caller, "held");
        wait_requests(f, 9);
        f->caller.seen.times = 0;
        assert_int_equal(ask_for(&f->caller, ends[i])->outcome, HTTP_IN_DOUBT);
        assert_int_equal(f->caller.seen.times, 9);
        assert_int_equal(f->caller.replies, 1); /* the first "ok" */
        turn_for(&f->caller, 100);
        assert_int_equal(f->server.requests, 10);
    }
}

static void what_goaway_keeps_is_answered_and_what_it_leaves_out_is_in_doubt(void **state)
{
    struct http2_fixture *f = *state;
    for (int n = 0; n < 4; n++)
        post(&f->caller, "held");
    wait_requests(f, 4);
    f->caller.seen.times = 0;
    (void)ask_for(&f->caller, "unserved");
    assert_int_equal(f->caller.seen.times, 5);
    assert_int_equal(f->caller.replies, 4);
    turn_for(&f->caller, 100);
    assert_int_equal(f->server.requests, 5);
}

static void after_goaway_the_next_request_takes_a_new_connection(void **state)
{
    struct http2_fixture *f = *state;
    assert_int_equal(ask_for(&f->caller, "last")->outcome, HTTP_REPLY);
    assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_REPLY);
    assert_int_equal(f->server.requests, 2);
    assert_int_equal(f->server.connections, 2);
}

static void a_stream_that_times_out_or_is_too_late_leaves_the_others_alone(void **state)
{
    struct http2_fixture *f = *state;
    for (int n = 0; n < 4; n++)
        post(&f->caller, "held");
    wait_requests(f, 4);
    f->caller.left = 0; /* the loop ends with the next reply */
    f->caller.limits.timeout_ms = 150;
    assert_int_equal(ask_for(&f->caller, "silent")->outcome, HTTP_IN_DOUBT);
    f->caller.limits.timeout_ms = 30000;
    f->caller.limits.send_before_mono_ms = clock_mono_ms() - 1;
    assert_int_equal(ask_for(&f->caller, "ok")->outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.refused_late);
    f->caller.limits.send_before_mono_ms = 0;
    f->caller.left = 4;
    (void)ask_for(&f->caller, "release");
    assert_int_equal(f->caller.replies, 5);
    assert_int_equal(f->server.requests, 6);
    assert_int_equal(f->server.connections, 1);
}

/* They wait for the first one's connection, to share it. Nobody accepts it. */
static void what_waits_for_a_connection_that_never_comes_ends_in_time_unsent(void **state)
{
    struct http2_fixture *f = *state;
    int port, fd = listen_on_loopback(&port);
    (void)snprintf(f->caller.base, sizeof(f->caller.base), "https://127.0.0.1:%d", port);
    f->caller.limits.timeout_ms = 400;
    f->caller.limits.connect_timeout_ms = 150;
    int64_t before_mono_ms = clock_mono_ms();
    for (int i = 0; i < SLOTS_A_CONNECTION; i++)
        post(&f->caller, "ok");
    loop_run(f->caller.loop);
    assert_in_range(clock_mono_ms() - before_mono_ms, 140, 3000);
    assert_int_equal(f->caller.seen.times, SLOTS_A_CONNECTION);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    close(fd);
}

/* ---- a server that others wrote ---- */

struct nghttpd {
    pid_t pid;
    int port;
    char log_file[128];
    char page[128];
};

static void exec_nghttpd(const struct nghttpd *peer, const struct identity *identity)
{
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", peer->port);
    int log = open(peer->log_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)setenv("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin", 1);
    execlp("nghttpd", "nghttpd", "-v", "-a", "127.0.0.1", "-d", identity->dir, port, identity->key_file,
           identity->cert_file, (char *)NULL);
    _exit(127);
}

static bool accepts(int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
    close(fd);
    return yes;
}

static void nghttpd_start(struct nghttpd *peer, const struct identity *identity)
{
    int fd = listen_on_loopback(&peer->port);
    close(fd);
    (void)snprintf(peer->log_file, sizeof(peer->log_file), "%s/log", identity->dir);
    (void)snprintf(peer->page, sizeof(peer->page), "%s/Calls.json", identity->dir);
    FILE *page = fopen(peer->page, "we");
    assert_non_null(page);
    assert_true(fputs("{}", page) >= 0);
    (void)fclose(page);
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0)
        exec_nghttpd(peer, identity);
    for (int i = 0; i < 500 && !accepts(peer->port); i++) {
        assert_int_equal(waitpid(peer->pid, NULL, WNOHANG), 0); /* it needs nghttp2-server: make deps-test */
        usleep(10000);
    }
}

static void nghttpd_stop(struct nghttpd *peer)
{
    (void)kill(peer->pid, SIGTERM);
    (void)waitpid(peer->pid, NULL, 0);
    (void)unlink(peer->log_file);
    (void)unlink(peer->page);
}

/* Requests, and connections that had any. The log's lines begin with "[id=7]"; a line of the request follows.
 */
static void nghttpd_count(const struct nghttpd *peer, int *requests, int *connections)
{
    char line[1024];
    bool met[4096] = {false};
    FILE *log = fopen(peer->log_file, "re");
    *requests = *connections = 0;
    assert_non_null(log);
    while (fgets(line, sizeof(line), log)) {
        const char *id = strstr(line, "[id=");
        if (!id || !strstr(line, ":method: POST"))
            continue;
        unsigned long number = strtoul(id + 4, NULL, 10) % 4096;
        *connections += !met[number];
        met[number] = true;
        ++*requests;
    }
    (void)fclose(log);
}

static void a_real_server_gets_each_request_once_on_few_connections(void **state)
{
    struct http2_fixture *f = *state;
    struct nghttpd peer;
    int requests, connections;
    nghttpd_start(&peer, &f->server.identity);
    (void)snprintf(f->caller.base, sizeof(f->caller.base), "https://127.0.0.1:%d", peer.port);
    fill(&f->caller, "POST", "/Calls.json");
    for (int round = 0; round < 3; round++) {
        f->caller.replies = 0;
        for (int i = 0; i < 512; i++)
            send_filled(&f->caller);
        loop_run(f->caller.loop);
        assert_int_equal(f->caller.replies, 512);
        assert_int_equal(f->caller.seen.status, 200);
        assert_string_equal(f->caller.seen.body, "{}");
    }
    nghttpd_count(&peer, &requests, &connections);
    nghttpd_stop(&peer);
    assert_int_equal(requests, 3 * 512);
    assert_int_equal(connections, 512 / SLOTS_A_CONNECTION);
}

static void a_real_server_that_dies_gets_nothing_twice(void **state)
{
    struct http2_fixture *f = *state;
    struct nghttpd peer;
    nghttpd_start(&peer, &f->server.identity);
    (void)snprintf(f->caller.base, sizeof(f->caller.base), "https://127.0.0.1:%d", peer.port);
    assert_int_equal(ask(&f->caller, "POST", "/Calls.json")->outcome, HTTP_REPLY);
    assert_int_equal(kill(peer.pid, SIGSTOP), 0);
    fill(&f->caller, "POST", "/Calls.json");
    for (int i = 0; i < SLOTS_A_CONNECTION; i++)
        send_filled(&f->caller);
    turn_for(&f->caller, 100); /* they are out: on the kept connection, in the socket's buffer */
    assert_int_equal(kill(peer.pid, SIGKILL), 0);
    f->caller.seen.times = f->caller.replies = 0;
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.times, SLOTS_A_CONNECTION);
    assert_int_equal(f->caller.replies, 0);
    assert_int_equal(f->caller.seen.outcome, HTTP_IN_DOUBT);
    nghttpd_stop(&peer);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(requests_are_streams_where_tls_offers_http2),
        PROMISE(a_thousand_transfers_share_few_connections),
        PROMISE(a_refused_stream_is_not_sent_again),
        PROMISE(a_stream_that_goaway_leaves_out_is_not_sent_again),
        PROMISE(a_demand_for_http_1_1_is_not_met_by_sending_again),
        PROMISE(a_stream_that_ends_in_an_error_is_not_sent_again),
        PROMISE(a_connection_that_ends_mid_stream_is_not_followed_by_another_send),
        PROMISE(without_once_libcurl_does_send_again),
        PROMISE(every_stream_of_a_lost_connection_is_in_doubt_and_none_is_sent_again),
        PROMISE(what_goaway_keeps_is_answered_and_what_it_leaves_out_is_in_doubt),
        PROMISE(after_goaway_the_next_request_takes_a_new_connection),
        PROMISE(a_stream_that_times_out_or_is_too_late_leaves_the_others_alone),
        PROMISE(what_waits_for_a_connection_that_never_comes_ends_in_time_unsent),
        PROMISE(a_real_server_gets_each_request_once_on_few_connections),
        PROMISE(a_real_server_that_dies_gets_nothing_twice),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* servers here write to connections that clients have closed */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
