/* What strangers try at the HTTP server, and what it costs the others. */
#include "tests/unit/httpd_fixture.h"

/* ---- what strangers try ---- */

static int bytes_until_end(int fd, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got;
    memset(out, 0, size);
    while (n + 1 < size && (got = recv(fd, out + n, size - n - 1, 0)) > 0)
        n += (size_t)got;
    return (int)n;
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    while ((text = strstr(text, what)) != NULL) {
        n++;
        text += strlen(what);
    }
    return n;
}

static void smuggle_client(struct httpd_fixture *f)
{
#define NEXT "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    static const char *const heads[] = {
        "Host: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello" NEXT,
        "Host: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
        "Host: h\r\nTransfer-Encoding: xchunked\r\n\r\n" NEXT,
        "Host: h\r\nTransfer-Encoding : chunked\r\n\r\n" NEXT,
        "Host: h\r\nContent-Length: 99999999999999999999999\r\n\r\n" NEXT,
        "\r\n" NEXT,
        "Host: h\r\nHost: i\r\n\r\n" NEXT,
        "Host: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" NEXT,
    };
#undef NEXT
    char reply[4096];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = dial(f);
        put(fd, "POST / HTTP/1.1\r\n");
        put(fd, heads[i]);
        (void)bytes_until_end(fd, reply, sizeof(reply));
        must(count_of(reply, "HTTP/1.1 4") == 1);
        must(strncmp(reply + 9, strstr(heads[i], "9999") ? "413" : "400", 3) == 0);
        must(strcasestr(reply, "connection: close"));
        close(fd);
    }
}

static void a_malformed_request_gets_one_answer_and_nothing_behind_it_runs(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(smuggle_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void oversized_client(struct httpd_fixture *f)
{
    char reply[4096], *text = mem_calloc(1, 40000);
    for (int i = 0; i < 3; i++) {
        int fd = dial(f);
        memset(text, 'a', 20000);
        text[20000] = '\0';
        put(fd, i == 0   ? "GET /"
                : i == 1 ? "GET / HTTP/1.1\r\nHost: h\r\nX: "
                         : "GET / HTTP/1.1\r\nHost: h\r\nCookie: ");
        (void)send(fd, text, 20000, MSG_NOSIGNAL);
        (void)bytes_until_end(fd, reply, sizeof(reply));
        must(count_of(reply, "HTTP/1.1 4") == 1);
        must(strncmp(reply + 9, i == 0 ? "414" : "431", 3) == 0);
        close(fd);
    }
    int fd = dial(f);
    int n = snprintf(text, 40000, "GET /?");
    for (int i = 0; i < 1000; i++)
        n += snprintf(text + n, (size_t)(40000 - n), "a%d=%d&", i, i);
    (void)snprintf(text + n, (size_t)(40000 - n), " HTTP/1.1\r\nHost: h\r\n\r\n");
    put(fd, text);
    must(get(fd, reply, sizeof(reply)) == 200);
    close(fd);
    free(text);
}

static void what_is_too_long_is_told_once_and_many_parameters_are_no_matter(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(oversized_client);
    assert_int_equal(f->handled, 1);
    stop(f);
}

static void forbidden_client(struct httpd_fixture *f)
{
    char reply[4096], body[5000];
    int fd = dial(f);
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    put(fd, "POST /forbidden HTTP/1.1\r\nHost: h\r\nContent-Length: 4999\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 403); /* before any of the body came */
    must(strcasestr(reply, "connection: close"));
    put(fd, body);
    must(recv(fd, reply, sizeof(reply), 0) == 0); /* no reset while it still came */
    close(fd);
    fd = dial(f);
    put(fd, "GET /forbidden HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 403);
    must(get(fd, reply, sizeof(reply)) == 200);
    close(fd);
}

static void who_is_not_admitted_is_answered_before_the_body_comes(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(forbidden_client);
    assert_int_equal(f->handled, 1);
    stop(f);
}

static void continue_client(struct httpd_fixture *f)
{
    char reply[4096];
    int fd = dial(f);
    put(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 100);
    put(fd, "ok");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(strstr(reply, "body=2:ok"));
    put(fd, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    memset(reply, 0, sizeof(reply));
    must(recv(fd, reply, sizeof(reply) - 1, 0) > 0);
    must(strstr(reply, "Content-Length: 19\r\n") && strstr(body_of(reply), "body=") == NULL);
    close(fd);
    fd = dial(f);
    put(fd, "GET / HTTP/1.0\r\n\r\n");
    (void)bytes_until_end(fd, reply, sizeof(reply));
    must(strncmp(reply, "HTTP/1.1 200 OK\r\n", 17) == 0 && strstr(reply, "\r\nDate: "));
    close(fd);
}

static void the_rest_of_http_is_kept(void **state)
{
    (void)state;
    stop(serve(continue_client));
}

static void pipelining_client(struct httpd_fixture *f)
{
    enum { REQUESTS = 500 };
    char reply[4096];
    int fd = dial(f);
    for (int i = 0; i < REQUESTS; i++)
        put(fd, i % 5 == 4 ? "GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
                           : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    for (int i = 0; i < REQUESTS; i++) {
        must(get(fd, reply, sizeof(reply)) == 200);
        must(strstr(reply, i % 5 == 4 ? "later" : "body=3:abc"));
    }
    close(fd);
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(pipelining_client);
    assert_int_equal(f->handled, 500);
    stop(f);
}

static void crowd_client(struct httpd_fixture *f)
{
    char reply[4096];
    int parked = dial(f), idle[40];
    put(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_handled(f, 1);
    for (int i = 0; i < 40; i++) { /* there is room for 10 */
        idle[i] = dial(f);
        must(idle[i] >= 0);
        if (i % 2)
            put(idle[i], "GET /drip");
    }
    int fd = dial(f);
    put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 200);
    must(recv(idle[0], reply, sizeof(reply), 0) <= 0); /* the longest idle one went first */
    put(fd, "GET /unpark HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 204);
    must(get(parked, reply, sizeof(reply)) == 200); /* with the handler: nobody takes its place */
    for (int i = 0; i < 40; i++)
        close(idle[i]);
    close(parked);
    close(fd);
}

static void where_all_places_are_taken_the_longest_idle_makes_room(void **state)
{
    (void)state;
    struct httpd_fixture *f =
        serve_options(&(struct httpd_options){.max_connections = 10, .idle_timeout_ms = 60000}, crowd_client);
    assert_int_equal(f->handled, 3);
    stop(f);
}

static void memory_client(struct httpd_fixture *f)
{
    enum { SLOW = 30 };
    char reply[4096], body[MAX_BODY + 1];
    int slow[SLOW];
    memset(body, 'x', MAX_BODY);
    body[MAX_BODY] = '\0';
    for (int i = 0; i < SLOW; i++) { /* a head and half a body each; the budget has room for half of them */
        slow[i] = dial(f);
        put(slow[i], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
        (void)send(slow[i], body, MAX_BODY / 2, MSG_NOSIGNAL);
    }
    int fd = dial(f);
    for (int i = 0; i < 10; i++) { /* and who sends it at once is heard */
        put(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
        put(fd, body);
        must(get(fd, reply, sizeof(reply)) == 200);
    }
    must(recv(slow[0], reply, sizeof(reply), 0) <= 0);
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    int parked[SLOW], served = 0, refused = 0, before = f->handled;
    for (int i = 0; i < SLOW; i++) { /* with the handler, nobody makes room: those beyond get 503 */
        parked[i] = dial(f);
        put(parked[i], "POST /park HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
        (void)send(parked[i], body, MAX_BODY, MSG_NOSIGNAL);
        for (int64_t end_mono_ms = clock_mono_ms() + 10000; f->handled + f->no_room < before + i + 1;
             usleep(200))
            must(clock_mono_ms() < end_mono_ms);
    }
    put(fd, "GET /unpark HTTP/1.1\r\nHost: h\r\n\r\n");
    must(get(fd, reply, sizeof(reply)) == 204);
    for (int i = 0; i < SLOW; i++) {
        int status = get(parked[i], reply, sizeof(reply));
        served += status == 200;
        refused += status == 503;
        close(parked[i]);
    }
    must(served > 0 && refused > 0 && served + refused == SLOW);
    close(fd);
}

static void requests_share_a_budget_and_slow_ones_make_room(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve_options(
        &(struct httpd_options){.max_connections = 100, .max_memory = 20000, .idle_timeout_ms = 60000},
        memory_client);
    assert_true(f->no_room > 0);
    stop(f);
}

static void starving_client(struct httpd_fixture *f)
{
    char reply[4096], zeros[4001];
    int fds[3];
    memset(zeros, '0', sizeof(zeros) - 1);
    zeros[sizeof(zeros) - 1] = '\0';
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(f);
        put(fds[i], "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        put(fds[i], i == 0 ? "3;" : i == 1 ? "" : "0\r\nX: ");
        for (int j = 0; j < 5 && send(fds[i], zeros, sizeof(zeros) - 1, MSG_NOSIGNAL) > 0; j++)
            ;
        must(get(fds[i], reply, sizeof(reply)) == 400);
        int fd = dial(f);
        put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        must(get(fd, reply, sizeof(reply)) == 200);
        close(fd);
        close(fds[i]);
    }
}

static void chunk_lines_without_end_are_refused_and_hold_nobody_up(void **state)
{
    (void)state;
    struct httpd_fixture *f = serve(starving_client);
    assert_int_equal(f->handled, 3);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_request_gets_one_answer_and_nothing_behind_it_runs),
        cmocka_unit_test(what_is_too_long_is_told_once_and_many_parameters_are_no_matter),
        cmocka_unit_test(who_is_not_admitted_is_answered_before_the_body_comes),
        cmocka_unit_test(the_rest_of_http_is_kept),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(where_all_places_are_taken_the_longest_idle_makes_room),
        cmocka_unit_test(requests_share_a_budget_and_slow_ones_make_room),
        cmocka_unit_test(chunk_lines_without_end_are_refused_and_hold_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
