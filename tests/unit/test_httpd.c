/* common/httpd against a client that is a plain blocking socket in a thread of its own. */
#include "tests/unit/httpd_fixture.h"

/* ---- the promises ---- */

static void echo_client(struct httpd_fixture *f)
{
    char reply[2048];
    int fd = dial(f);
    put(fd,
        "POST /a%20b/c?x=1&y=%2B HTTP/1.1\r\nHost: h\r\nX-Something: else\r\nContent-Length: 5\r\n\r\nhello");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strcmp(body_of(reply), "POST /a%20b/c ?x=1&y=%2B x=else body=5:hello") == 0);
    must(strstr(reply, "X-One: 1\r\n"));
    must(strstr(reply, "X-Two: two words\r\n"));
    must(strstr(reply, "Content-Type: text/plain\r\n"));
    put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strcmp(body_of(reply), "GET / ? x= body=0:") == 0);
    close(fd);
}

static void target_headers_and_body_arrive_as_sent_on_a_kept_connection(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(echo_client);
    assert_int_equal(f->handled, 2);
    stop(f);
}

static void later_client(struct httpd_fixture *f)
{
    char reply[2048];
    int fd = dial(f);
    for (int i = 0; i < 3; i++) {
        put(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
        must(get(fd, reply, sizeof(reply)) == 200);
        must(strcmp(body_of(reply), "later") == 0);
    }
    put(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strstr(reply, "GET /x"));
    close(fd);
}

static void a_reply_may_come_later_from_any_callback(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(later_client);
    assert_int_equal(f->handled, 5);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void chunked_client(struct httpd_fixture *f)
{
    char reply[2048];
    int fd = dial(f);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    usleep(20000);
    put(fd, "4\r\ndefg\r\n0\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strstr(reply, "body=7:abcdefg"));
    close(fd);
}

static void a_chunked_body_is_put_together(void **state)
{
    (void)state;
    stop(serve(chunked_client));
}

static void large_client(struct httpd_fixture *f)
{
    char reply[2048], head[128], *body = mem_calloc(1, MAX_BODY + 2);
    int fd = dial(f);
    memset(body, 'x', MAX_BODY);
    (void)snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", MAX_BODY);
    put(fd, head);
    put(fd, body);
    must(get(fd, reply, sizeof(reply)) == 200);
    body[MAX_BODY] = 'x';
    (void)snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
                   MAX_BODY + 1);
    put(fd, head);
    put(fd, body);
    must(get(fd, reply, sizeof(reply)) == 413);
    must(strcasestr(reply, "connection: close"));
    close(fd);
    fd = dial(f);
    (void)snprintf(head, sizeof(head),
                   "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                   (unsigned)MAX_BODY + 1);
    put(fd, head);
    put(fd, body);
    put(fd, "\r\n0\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 413);
    close(fd);
    fd = dial(f);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000000\r\nExpect: 100-continue\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 413);
    close(fd);
    free(body);
}

static void a_body_over_the_limit_gets_413_and_no_handler(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(large_client);
    assert_int_equal(f->handled, 1);
    assert_int_equal(f->too_large, 3);
    stop(f);
}

static void small_client(struct httpd_fixture *f)
{
    char reply[2048];
    int fd = dial(f);
    put(fd, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
    must(get(fd, reply, sizeof(reply)) == 200);
    put(fd, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890");
    must(get(fd, reply, sizeof(reply)) == 413);
    close(fd);
    fd = dial(f);
    put(fd, "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 413);
    close(fd);
    fd = dial(f);
    put(fd, "POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890");
    must(get(fd, reply, sizeof(reply)) == 200);
    close(fd);
}

static void a_path_may_have_a_smaller_limit(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(small_client);
    assert_int_equal(f->handled, 2);
    assert_int_equal(f->too_large, 2);
    stop(f);
}

static void endless_client(struct httpd_fixture *f)
{
    char piece[4100];
    int fd = dial(f);
    int sent = 0;
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(piece, 'x', sizeof(piece));
    memcpy(piece, "ffa\r\n", 5);
    memcpy(piece + 5 + 0xffa, "\r\n", 2);
    while (sent < 100000 && send(fd, piece, 5 + 0xffa + 2, MSG_NOSIGNAL) > 0)
        sent++;
    must(sent < 100000);
    close(fd);
}

static void an_endless_body_is_cut_off(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(endless_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void drop_client(struct httpd_fixture *f)
{
    char reply[256];
    int fd = dial(f);
    put(fd, "POST /drop HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    must(get(fd, reply, sizeof(reply)) == 0);
    close(fd);
    fd = dial(f);
    put(fd, "POST /reset HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    must(get(fd, reply, sizeof(reply)) == -ECONNRESET);
    close(fd);
}

static void a_drop_closes_without_a_byte_and_resets_on_request(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(drop_client);
    assert_int_equal(f->handled, 2);
    stop(f);
}

static void gone_client(struct httpd_fixture *f)
{
    char reply[256];
    for (int i = 0; i < 20; i++) {
        int fd = dial(f);
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        put(fd, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
        wait_handled(f, i + 1); /* a connection reset before that is one the server never heard of */
        if (i % 2)
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(fd);
    }
    int fd = dial(f);
    put(fd, "GET /unpark HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 204);
    put(fd, "GET /still-there HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    close(fd);
}

static void a_reply_to_a_peer_that_went_away_is_swallowed(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(gone_client);
    assert_int_equal(f->handled, 22);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void park_client(struct httpd_fixture *f)
{
    int fd[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = dial(f);
        put(fd[i], "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    char reply[256];
    int other = dial(f);
    put(other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(other, reply, sizeof(reply)) == 200);
    wait_handled(f, 4);
}

static void stopping_ends_unanswered_requests(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(park_client);
    assert_int_equal(httpd_open_requests(f->server), 3);
    stop(f);
}

/* In a process of its own: both ends together need more descriptors than one process may have. */
static void many_client_process(const struct httpd_fixture *f)
{
    int *fds = mem_calloc(MANY, sizeof(*fds));
    char reply[256];
    int fd = dial(f);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(f);
        must(fds[i] >= 0);
        put(fds[i], "POST /park HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    }
    do { /* until the handler has seen every one */
        put(fd, "GET /unpark-many HTTP/1.1\r\nHost: h\r\n\r\n");
        usleep(10000);
    } while (get(fd, reply, sizeof(reply)) != 204);
    for (int i = 0; i < MANY; i++) {
        must(get(fds[i], reply, sizeof(reply)) == 200);
        must(strcmp(body_of(reply), "parked") == 0);
        close(fds[i]);
    }
    close(fd);
    free(fds);
}

static void many_client(struct httpd_fixture *f)
{
    int status = 0;
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        many_client_process(f);
        _exit(0);
    }
    must(waitpid(pid, &status, 0) == pid);
    must(status == 0);
}

static void ten_thousand_requests_may_be_open_at_once(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve_with(60000, many_client);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void idle_client(struct httpd_fixture *f)
{
    char reply[256];
    int64_t before_mono_ms = clock_mono_ms();
    int fd = dial(f);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    must(get(fd, reply, sizeof(reply)) == 0);
    must(clock_mono_ms() - before_mono_ms < 5000);
    close(fd);
    fd = dial(f);
    put(fd, "GET /");
    for (int i = 0; i < 60; i++) { /* a byte now and then keeps it busy, but it never comes to an end */
        usleep(100000);
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
            break;
    }
    must(send(fd, "x", 1, MSG_NOSIGNAL) < 0);
    close(fd);
}

static void a_request_that_does_not_arrive_is_cut_off(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve_with(1000, idle_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void quiesce_client(struct httpd_fixture *f)
{
    char reply[512];
    int kept = dial(f), parked = dial(f), fd = dial(f);
    put(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_handled(f, 1);
    put(kept, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(kept, reply, sizeof(reply)) == 200);
    put(fd, "GET /quiesce HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strcasestr(reply, "connection: close"));
    must(dial(f) == -1);
    put(kept, "GET /unpark HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(kept, reply, sizeof(reply)) == 204);
    must(get(parked, reply, sizeof(reply)) == 200);
    close(fd);
    close(kept);
    close(parked);
}

static void after_quiesce_nobody_new_comes_in_and_the_rest_is_answered(void **state)
{
    (void)state;
    stop(serve(quiesce_client));
}

static void garbage_client(struct httpd_fixture *f)
{
    static const char *const garbage[] = {
        "\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    char reply[1024];
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        int fd = dial(f);
        put(fd, garbage[i]);
        shutdown(fd, SHUT_WR);
        while (recv(fd, reply, sizeof(reply), 0) > 0)
            ;
        close(fd);
    }
    int fd = dial(f);
    char *longest = mem_calloc(1, 100001);
    memset(longest, 'a', 100000);
    (void)send(fd, "GET /", 5, MSG_NOSIGNAL);
    (void)send(fd, longest, 100000, MSG_NOSIGNAL);
    (void)recv(fd, reply, sizeof(reply), 0);
    close(fd);
    free(longest);
}

static void what_is_no_http_never_reaches_the_handler(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(garbage_client);
    assert_true(f->handled <= 1); /* "HTTP/9.9" may be taken for a request */
    stop(f);
}

static void a_wrong_address_is_a_configuration_error_that_names_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:x",
                                        "::1:8080",
                                        "127.0.0.1:70000",
                                        "256.1.1.1:80",
                                        "192.0.2.1:0"};
    struct loop *loop = loop_new();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = ERR_INIT;
        struct httpd *server = NULL;
        struct httpd_options options = {.listen = wrong[i],
                                        .max_body = 1,
                                        .max_connections = 1,
                                        .idle_timeout_ms = 1000,
                                        .handler = handler};
        assert_int_equal(httpd_start(&server, loop, &options, &err), ERR_CONFIG);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_null(server);
    }
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_headers_and_body_arrive_as_sent_on_a_kept_connection),
        cmocka_unit_test(a_reply_may_come_later_from_any_callback),
        cmocka_unit_test(a_chunked_body_is_put_together),
        cmocka_unit_test(a_body_over_the_limit_gets_413_and_no_handler),
        cmocka_unit_test(a_path_may_have_a_smaller_limit),
        cmocka_unit_test(an_endless_body_is_cut_off),
        cmocka_unit_test(a_drop_closes_without_a_byte_and_resets_on_request),
        cmocka_unit_test(a_reply_to_a_peer_that_went_away_is_swallowed),
        cmocka_unit_test(stopping_ends_unanswered_requests),
        cmocka_unit_test(ten_thousand_requests_may_be_open_at_once),
        cmocka_unit_test(a_request_that_does_not_arrive_is_cut_off),
        cmocka_unit_test(after_quiesce_nobody_new_comes_in_and_the_rest_is_answered),
        cmocka_unit_test(what_is_no_http_never_reaches_the_handler),
        cmocka_unit_test(a_wrong_address_is_a_configuration_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
