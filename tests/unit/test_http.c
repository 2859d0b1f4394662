/* common/http against a server of plain sockets: what arrives, how far it got, and which connection it took.
 */
#include "tests/unit/http_server.h"

static void a_request_arrives_as_it_was_filled(void **state)
{
    struct http_fixture *f = *state;
    fill(&f->caller, "POST", "/echo?x=%20y");
    buf_adds(&f->caller.request.headers, "Content-Type: text/csv\nX-One: 1\n");
    buf_adds(&f->caller.request.user, "AC123");
    buf_adds(&f->caller.request.password, "secret:x");
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_REPLY);
    assert_int_equal(f->caller.seen.status, 200);
    assert_memory_equal(f->caller.seen.body, "POST /echo?x=%20y HTTP/1.1\r\n", 28);
    assert_non_null(strstr(f->caller.seen.body, "\r\nContent-Type: text/csv\r\n"));
    assert_non_null(strstr(f->caller.seen.body, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(f->caller.seen.body, "\r\nUser-Agent: ivr-test/1\r\n"));
    assert_non_null(strstr(f->caller.seen.body, "\r\nAuthorization: Basic QUMxMjM6c2VjcmV0Ong=\r\n"));
    assert_non_null(strstr(f->caller.seen.body, "\r\n\r\nTo=%2B254722000111"));
    assert_null(strcasestr(f->caller.seen.body, "expect:"));
    assert_non_null(strstr(f->caller.seen.body, "\r\nAccept-Encoding: deflate, gzip"));
    assert_string_equal(f->caller.seen.error, "");
    assert_int_equal(f->caller.seen.retry_after_ms, -1);
    assert_true(f->caller.seen.seconds_us > 0);
}

static void nothing_of_one_request_leaks_into_the_next(void **state)
{
    struct http_fixture *f = *state;
    a_request_arrives_as_it_was_filled(state);
    const struct seen_reply *seen = ask(&f->caller, "GET", "/second");
    assert_memory_equal(seen->body, "GET /second HTTP/1.1\r\n", 22);
    assert_null(strstr(seen->body, "Authorization"));
    assert_null(strstr(seen->body, "X-One"));
    assert_null(strcasestr(seen->body, "content-"));
    assert_memory_equal(ask(&f->caller, "DELETE", "/third")->body, "DELETE /third HTTP/1.1\r\n", 24);
    assert_memory_equal(ask(&f->caller, "PUT", "/4")->body, "PUT /4 HTTP/1.1\r\n", 17);
    seen = ask(&f->caller, "POST", "/5");
    assert_memory_equal(seen->body, "POST /5 HTTP/1.1\r\n", 18);
    assert_non_null(strstr(seen->body, "\r\n\r\nTo="));
    assert_int_equal(f->server.connections, 1); /* kept all the time */
}

static void a_kept_connection_that_dies_unanswered_is_not_sent_again(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    const struct seen_reply *seen = ask(&f->caller, "POST", "/unanswered");
    assert_int_equal(seen->outcome, HTTP_IN_DOUBT);
    assert_int_equal(seen->status, 0);
    assert_false(seen->unreachable);
    turn_for(&f->caller, 100);
    assert_int_equal(f->server.requests, 2); /* the first, and this one once */
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
}

/* The same without `once`: this is what libcurl does by itself, and why the test above proves something. */
static void without_once_libcurl_does_send_again(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    fill(&f->caller, "POST", "/unanswered");
    f->caller.request.once = false;
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_IN_DOUBT);
    turn_for(&f->caller, 100);
    assert_int_equal(f->server.requests, 3);
}

static void a_kept_connection_that_is_reset_is_not_sent_again(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(ask(&f->caller, "POST", "/reset")->outcome, HTTP_IN_DOUBT);
    turn_for(&f->caller, 100);
    assert_int_equal(f->server.requests, 2);
}

static void a_fresh_connection_that_dies_after_the_request_is_in_doubt(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/reset")->outcome, HTTP_IN_DOUBT);
    assert_int_equal(ask(&f->caller, "POST", "/unanswered")->outcome, HTTP_IN_DOUBT);
    turn_for(&f->caller, 100);
    assert_int_equal(f->server.requests, 2);
}

static void a_connection_refused_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    int port, fd = listen_on_loopback(&port);
    close(fd);
    http_request_clear(&f->caller.request);
    buf_addf(&f->caller.request.url, "http://127.0.0.1:%d/", port);
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    assert_false(f->caller.seen.refused_late);
    assert_non_null(strstr(f->caller.seen.error, "onnect"));
}

static void a_name_that_does_not_exist_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    http_request_clear(&f->caller.request);
    buf_adds(&f->caller.request.url, "http://no-such-host.invalid/");
    f->caller.limits.timeout_ms = 1000;
    int64_t before_mono_ms = clock_mono_ms();
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    assert_in_range(clock_mono_ms() - before_mono_ms, 0,
                    1900); /* a slow resolver does not hold up the loop */
}

static void a_url_that_is_none_is_not_sent_and_says_nothing_of_the_peer(void **state)
{
    struct http_fixture *f = *state;
    static const char *const urls[] = {"http://", "ftp://127.0.0.1/", "http://a b/", "file:///etc/passwd",
                                       ""};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        http_request_clear(&f->caller.request);
        buf_adds(&f->caller.request.url, urls[i]);
        send_filled(&f->caller);
        loop_run(f->caller.loop);
        assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
        assert_false(f->caller.seen.unreachable);
        assert_true(f->caller.seen.error[0]);
    }
}

static void a_request_that_ran_into_a_bound_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    fill(&f->caller, "POST", "/ok");
    for (int i = 0; i < 2000 && buf_ok(&f->caller.request.headers); i++)
        buf_adds(&f->caller.request.headers, "X-Long: 0123456789012345678901234567890123456789\n");
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    assert_int_equal(f->server.requests, 0);
}

static void a_timeout_after_the_request_is_in_doubt(void **state)
{
    struct http_fixture *f = *state;
    f->caller.limits.timeout_ms = 150;
    int64_t before_mono_ms = clock_mono_ms();
    assert_int_equal(ask(&f->caller, "POST", "/silent")->outcome, HTTP_IN_DOUBT);
    assert_in_range(clock_mono_ms() - before_mono_ms, 140, 2000);
    assert_int_equal(f->server.requests, 1);
}

/* A listener whose backlog is full answers no SYN. */
struct full_listener {
    int fd;
    int fillers[4];
};

static void listen_full(struct full_listener *full, struct caller *c)
{
    int port;
    full->fd = listen_on_loopback(&port);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(listen(full->fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        full->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(full->fillers[i], (struct sockaddr *)&sa, sizeof(sa));
    }
    (void)snprintf(c->base, sizeof(c->base), "http://127.0.0.1:%d", port);
}

static void full_close(struct full_listener *full)
{
    for (int i = 0; i < 4; i++)
        close(full->fillers[i]);
    close(full->fd);
}

static void a_timeout_while_connecting_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    struct full_listener full;
    listen_full(&full, &f->caller);
    f->caller.limits.timeout_ms = 200;
    assert_int_equal(ask(&f->caller, "POST", "/")->outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    full_close(&full);
}

static void the_connect_timeout_ends_only_what_is_not_connected(void **state)
{
    struct http_fixture *f = *state;
    struct full_listener full;
    f->caller.limits.connect_timeout_ms = 150;
    f->caller.limits.timeout_ms = 600;
    int64_t before_mono_ms = clock_mono_ms();
    assert_int_equal(ask(&f->caller, "POST", "/silent")->outcome, HTTP_IN_DOUBT); /* connected: timeout_ms */
    assert_in_range(clock_mono_ms() - before_mono_ms, 590, 3000);
    listen_full(&full, &f->caller);
    f->caller.limits.timeout_ms = 20000;
    before_mono_ms = clock_mono_ms();
    assert_int_equal(ask(&f->caller, "POST", "/")->outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    assert_in_range(clock_mono_ms() - before_mono_ms, 140, 3000);
    full_close(&full);
}

static void a_broken_or_cut_or_too_large_reply_is_in_doubt(void **state)
{
    struct http_fixture *f = *state;
    static const char *const paths[] = {"/garbage", "/partial", "/large+"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct seen_reply *seen = ask(&f->caller, "POST", paths[i]);
        assert_int_equal(seen->outcome, HTTP_IN_DOUBT);
        assert_int_equal(seen->status, 0);
        assert_int_equal(seen->body_n, 0);
        assert_true(seen->error[0]);
    }
    assert_int_equal(f->server.requests, 3);
}

static void the_largest_reply_allowed_arrives_whole(void **state)
{
    const struct seen_reply *seen = ask(*state, "POST", "/large");
    assert_int_equal(seen->outcome, HTTP_REPLY);
    assert_int_equal(seen->body_n, HTTP_MAX_REPLY);
}

static void retry_after_is_read_in_both_forms(void **state)
{
    struct http_fixture *f = *state;
    const struct seen_reply *seen = ask(&f->caller, "POST", "/wait-seconds");
    assert_int_equal(seen->status, 429);
    assert_int_equal(seen->retry_after_ms, 7000);
    seen = ask(&f->caller, "POST", "/wait-date");
    assert_int_equal(seen->status, 503);
    assert_in_range(seen->retry_after_ms, 57000, 61000);
    assert_int_equal(ask(&f->caller, "POST", "/wait-nonsense")->retry_after_ms, -1);
    assert_int_equal(ask(&f->caller, "POST", "/ok")->retry_after_ms, -1);
}

static void redirects_are_not_followed(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/moved")->status, 307);
    assert_int_equal(f->server.requests, 1);
}

static void where_a_redirect_points_is_told_as_a_whole_url_or_not_at_all(void **state)
{
    struct http_fixture *f = *state;
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "%s/ok", f->caller.base);
    assert_string_equal(ask(&f->caller, "POST", "/moved")->redirected_to, expected);
    const struct seen_reply *seen = ask(&f->caller, "POST", "/moved-far");
    assert_int_equal(seen->status, 302);
    assert_string_equal(seen->redirected_to, "");
    assert_string_equal(ask(&f->caller, "POST", "/ok")->redirected_to, "");
}

static void a_request_that_is_late_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    f->caller.limits.send_before_mono_ms = clock_mono_ms() - 1;
    const struct seen_reply *seen = ask(&f->caller, "POST", "/ok"); /* on the kept connection */
    assert_int_equal(seen->outcome, HTTP_NOT_SENT);
    assert_true(seen->refused_late);
    assert_false(seen->unreachable);
    turn_for(&f->caller, 50);
    assert_int_equal(f->server.requests, 1);
    f->caller.limits.send_before_mono_ms = clock_mono_ms() + 5000;
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
}

static void a_connection_idle_for_too_long_is_closed_and_not_used(void **state)
{
    struct http_fixture *f = *state;
    f->caller.limits.idle_timeout_ms = 2000;
    (void)ask(&f->caller, "POST", "/ok");
    turn_for(&f->caller, 500);
    (void)ask(&f->caller, "POST", "/ok");
    assert_int_equal(f->server.connections, 1);
    turn_for(&f->caller, 2400);
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
    assert_int_equal(f->server.requests, 3);
}

/* Even where the loop was stuck so long that nothing swept. */
static void a_connection_idle_while_we_were_stuck_is_not_used(void **state)
{
    struct http_fixture *f = *state;
    f->caller.limits.idle_timeout_ms = 1000;
    (void)ask(&f->caller, "POST", "/ok");
    usleep(2100000);
    fill(&f->caller, "POST", "/ok");
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
}

static void the_peer_closing_an_idle_connection_costs_nothing(void **state)
{
    struct http_fixture *f = *state;
    (void)ask(&f->caller, "POST", "/ok");
    f->server.stop = true; /* closes every connection; the listener stays */
    pthread_join(f->server.thread, NULL);
    f->server.stop = false;
    assert_int_equal(pthread_create(&f->server.thread, NULL, server_main, &f->server), 0);
    uint64_t before = (uint64_t)clock();
    turn_for(&f->caller, 300);
    assert_true(((uint64_t)clock() - before) * 1000 / CLOCKS_PER_SEC <
                150); /* no busy loop over the end of file */
    assert_int_equal(ask(&f->caller, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
}

static void a_thousand_transfers_run_at_once(void **state)
{
    struct http_fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        fill(&f->caller, "POST", "/held");
        f->caller.replies = 0;
        for (int i = 0; i < MANY; i++)
            send_filled(&f->caller);
        assert_int_equal(http_slots_free(f->caller.client), 1024 - MANY);
        loop_run(f->caller.loop);
        assert_int_equal(f->caller.replies, MANY);
        assert_int_equal(http_slots_free(f->caller.client), 1024);
    }
    assert_int_equal(f->server.requests, 2 * MANY);
    assert_int_equal(f->server.most_held, MANY);
    assert_int_equal(f->server.connections, MANY); /* the second round came on kept ones */
}

static void there_are_no_more_slots_than_transfers(void **state)
{
    struct http_fixture *f = *state;
    struct http_slot *slots[1024];
    for (int i = 0; i < 1024; i++) {
        slots[i] = http_slot_take(f->caller.client);
        assert_non_null(slots[i]);
    }
    assert_null(http_slot_take(f->caller.client));
    for (int i = 0; i < 1024; i++)
        http_slot_release(f->caller.client, &slots[i]);
    assert_null(slots[0]);
    assert_int_equal(http_slots_free(f->caller.client), 1024);
}

static void a_callback_may_send_the_next_request(void **state)
{
    struct http_fixture *f = *state;
    f->caller.again = true;
    fill(&f->caller, "POST", "/one");
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.times, 2);
    assert_memory_equal(f->caller.seen.body, "POST /one HTTP/1.1\r\n", 20);
    assert_int_equal(f->server.connections, 1);
}

static void freeing_the_client_forgets_what_is_out(void **state)
{
    struct http_fixture *f = *state;
    fill(&f->caller, "POST", "/silent");
    for (int i = 0; i < 20; i++)
        send_filled(&f->caller);
    turn_for(&f->caller, 50);
    http_client_free(&f->caller.client);
    assert_null(f->caller.client);
    turn_for(&f->caller, 50);
    assert_int_equal(f->caller.seen.times, 0);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(a_request_arrives_as_it_was_filled),
        PROMISE(nothing_of_one_request_leaks_into_the_next),
        PROMISE(a_kept_connection_that_dies_unanswered_is_not_sent_again),
        PROMISE(without_once_libcurl_does_send_again),
        PROMISE(a_kept_connection_that_is_reset_is_not_sent_again),
        PROMISE(a_fresh_connection_that_dies_after_the_request_is_in_doubt),
        PROMISE(a_connection_refused_is_not_sent),
        PROMISE(a_name_that_does_not_exist_is_not_sent),
        PROMISE(a_url_that_is_none_is_not_sent_and_says_nothing_of_the_peer),
        PROMISE(a_request_that_ran_into_a_bound_is_not_sent),
        PROMISE(a_timeout_after_the_request_is_in_doubt),
        PROMISE(a_timeout_while_connecting_is_not_sent),
        PROMISE(the_connect_timeout_ends_only_what_is_not_connected),
        PROMISE(a_broken_or_cut_or_too_large_reply_is_in_doubt),
        PROMISE(the_largest_reply_allowed_arrives_whole),
        PROMISE(retry_after_is_read_in_both_forms),
        PROMISE(redirects_are_not_followed),
        PROMISE(where_a_redirect_points_is_told_as_a_whole_url_or_not_at_all),
        PROMISE(a_request_that_is_late_is_not_sent),
        PROMISE(a_connection_idle_for_too_long_is_closed_and_not_used),
        PROMISE(a_connection_idle_while_we_were_stuck_is_not_used),
        PROMISE(the_peer_closing_an_idle_connection_costs_nothing),
        PROMISE(a_thousand_transfers_run_at_once),
        PROMISE(there_are_no_more_slots_than_transfers),
        PROMISE(a_callback_may_send_the_next_request),
        PROMISE(freeing_the_client_forgets_what_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
