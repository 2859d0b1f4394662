/* common/httpd against a client that is a plain blocking socket in a thread of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/httpd.h"

/* cmocka's own assertions may only be used on the test's thread. */
#define must(condition) ((condition) ? (void)0 : fail_hard(__LINE__, #condition))

static void fail_hard(int line, const char *condition)
{
    (void)fprintf(stderr, "test_httpd.c:%d: not so: %s\n", line, condition);
    abort();
}

enum { MAX_BODY = 1000, MANY = 10000, MAX_PARKED = MANY + 100 };

struct fixture {
    struct loop *loop;
    struct httpd *server;
    uv_async_t finished;
    int port;
    atomic_int handled; /* the client's thread may wait for it */
    int too_large;
    atomic_int no_room;
    struct httpd_request *parked[MAX_PARKED];
    int parked_n;
    void (*client)(struct fixture *f);
};

/* ---- the server's side ---- */

static void answer_later(void *arg)
{
    httpd_reply(arg, 200, "text/plain", SPAN_LIT("later"), NULL);
}

static void answer_parked(struct fixture *f)
{
    for (int i = 0; i < f->parked_n; i++)
        httpd_reply(f->parked[i], 200, NULL, SPAN_LIT("parked"), NULL);
    f->parked_n = 0;
}

struct later {
    struct loop_timer *timer;
    struct httpd_request *req;
};

static void on_later(void *arg)
{
    struct later *later = arg;
    answer_later(later->req);
    loop_timer_stop(&later->timer);
    free(later);
}

static void reply_echo(struct httpd_request *req)
{
    char text[512];
    struct span path = httpd_path(req), query = httpd_query(req), head = httpd_header(req, "x-SOMETHING");
    int n = snprintf(text, sizeof(text), "%s %.*s ?%.*s x=%.*s body=%zu:%.*s", httpd_method(req),
                     SPAN_ARG(path), SPAN_ARG(query), SPAN_ARG(head), httpd_body(req).n,
                     (int)(httpd_body(req).n > 20 ? 20 : httpd_body(req).n), httpd_body(req).p);
    httpd_reply(req, 200, "text/plain",
                span_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1),
                "X-One: 1\r\nX-Two: two words\r\n");
}

static void handler(struct httpd_request *req, void *arg)
{
    struct fixture *f = arg;
    struct span path = httpd_path(req);
    f->handled++;
    if (span_is(path, "/later")) {
        struct later *later = mem_calloc(1, sizeof(*later));
        later->req = req;
        later->timer = loop_timer_start(f->loop, 20, 0, on_later, later);
    } else if (span_is(path, "/park")) {
        f->parked[f->parked_n++] = req;
    } else if (span_is(path, "/unpark")) {
        answer_parked(f);
        httpd_reply(req, 204, NULL, SPAN_NONE, NULL);
    } else if (span_is(path, "/unpark-many")) {
        bool all = f->parked_n == MANY;
        if (all)
            answer_parked(f);
        httpd_reply(req, all ? 204 : 409, NULL, SPAN_NONE, NULL);
    } else if (span_is(path, "/drop")) {
        httpd_drop(req, false);
    } else if (span_is(path, "/reset")) {
        httpd_drop(req, true);
    } else if (span_is(path, "/quiesce")) {
        httpd_quiesce(f->server);
        httpd_reply(req, 200, NULL, SPAN_LIT("bye"), NULL);
    } else {
        reply_echo(req);
    }
}

static size_t admit(struct httpd_request *req, void *arg)
{
    (void)arg;
    if (span_is(httpd_path(req), "/forbidden"))
        httpd_reply(req, 403, "text/plain", SPAN_LIT("not you"), NULL);
    return span_is(httpd_path(req), "/small") ? 10 : SIZE_MAX;
}

static void on_refused(const struct httpd_request *req, int status, void *arg)
{
    struct fixture *f = arg;
    (void)req;
    f->too_large += status == 413;
    f->no_room += status == 503;
}

/* ---- the client's side ---- */

static int dial(const struct fixture *f)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void put(int fd, const char *text)
{
    size_t n = strlen(text), done = 0;
    while (done < n) {
        ssize_t got = send(fd, text + done, n - done, MSG_NOSIGNAL);
        must(got > 0);
        done += (size_t)got;
    }
}

/* Until the handler has seen n requests: what was sent to a peer under load may still be on its way. */
static void wait_handled(struct fixture *f, int n)
{
    for (int64_t end_mono_ms = clock_mono_ms() + 10000; atomic_load(&f->handled) < n; usleep(1000))
        must(clock_mono_ms() < end_mono_ms);
}

/* One reply: the head and as much body as Content-Length says. Returns the status, 0 at end of file, -errno.
 */
static int get(int fd, char *out, size_t size)
{
    size_t n = 0, want = size;
    memset(out, 0, size);
    while (n < want && n + 1 < size) {
        ssize_t got = recv(fd, out + n, want == size ? 1 : want - n, 0);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (want == size && n >= 4 && memcmp(out + n - 4, "\r\n\r\n", 4) == 0) {
            const char *length = strcasestr(out, "content-length:");
            want = n + (length ? strtoul(length + 15, NULL, 10) : 0);
        }
    }
    return n < 12 ? 0 : (int)strtol(out + 9, NULL, 10);
}

static const char *body_of(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    must(end);
    return end + 4;
}

static void *client_main(void *arg)
{
    struct fixture *f = arg;
    f->client(f);
    uv_async_send(&f->finished);
    return NULL;
}

static void on_finished(uv_async_t *handle)
{
    struct fixture *f = handle->data;
    loop_quit(f->loop);
}

static void start(struct fixture *f, const struct httpd_options *bounds)
{
    struct err err = ERR_INIT;
    const struct httpd_options options = {.listen = "127.0.0.1:0",
                                          .max_body = MAX_BODY,
                                          .max_memory = bounds->max_memory,
                                          .max_connections = bounds->max_connections,
                                          .idle_timeout_ms = bounds->idle_timeout_ms,
                                          .admit = admit,
                                          .refused = on_refused,
                                          .handler = handler,
                                          .arg = f};
    f->loop = loop_new();
    assert_int_equal(httpd_start(&f->server, f->loop, &options, &err), 0);
    f->port = (int)strtol(strrchr(httpd_address(f->server), ':') + 1, NULL, 10);
    assert_int_equal(uv_async_init(loop_uv(f->loop), &f->finished, on_finished), 0);
    f->finished.data = f;
}

static void stop(struct fixture *f)
{
    httpd_stop(&f->server);
    assert_null(f->server);
    uv_close((uv_handle_t *)&f->finished, NULL);
    loop_free(&f->loop);
    free(f);
}

/* Runs `client` in a thread against a running server; the caller checks and calls stop(). */
static struct fixture *serve_options(const struct httpd_options *bounds, void (*client)(struct fixture *f))
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    pthread_t thread;
    start(f, bounds);
    f->client = client;
    assert_int_equal(pthread_create(&thread, NULL, client_main, f), 0);
    loop_run(f->loop);
    pthread_join(thread, NULL);
    return f;
}

static struct fixture *serve_with(int64_t idle_timeout_ms, void (*client)(struct fixture *f))
{
    return serve_options(
        &(struct httpd_options){.max_connections = MAX_PARKED, .idle_timeout_ms = idle_timeout_ms}, client);
}

static struct fixture *serve(void (*client)(struct fixture *f))
{
    return serve_with(5000, client);
}

/* ---- the promises ---- */

static void echo_client(struct fixture *f)
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
    struct fixture *f = serve(echo_client);
    assert_int_equal(f->handled, 2);
    stop(f);
}

static void later_client(struct fixture *f)
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
    struct fixture *f = serve(later_client);
    assert_int_equal(f->handled, 5);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void chunked_client(struct fixture *f)
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

static void large_client(struct fixture *f)
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
    struct fixture *f = serve(large_client);
    assert_int_equal(f->handled, 1);
    assert_int_equal(f->too_large, 3);
    stop(f);
}

static void small_client(struct fixture *f)
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
    struct fixture *f = serve(small_client);
    assert_int_equal(f->handled, 2);
    assert_int_equal(f->too_large, 2);
    stop(f);
}

static void endless_client(struct fixture *f)
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
    struct fixture *f = serve(endless_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void drop_client(struct fixture *f)
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
    struct fixture *f = serve(drop_client);
    assert_int_equal(f->handled, 2);
    stop(f);
}

static void gone_client(struct fixture *f)
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
    struct fixture *f = serve(gone_client);
    assert_int_equal(f->handled, 22);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void park_client(struct fixture *f)
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
    struct fixture *f = serve(park_client);
    assert_int_equal(httpd_open_requests(f->server), 3);
    stop(f);
}

/* In a process of its own: both ends together need more descriptors than one process may have. */
static void many_client_process(const struct fixture *f)
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

static void many_client(struct fixture *f)
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
    struct fixture *f = serve_with(60000, many_client);
    assert_int_equal(httpd_open_requests(f->server), 0);
    stop(f);
}

static void idle_client(struct fixture *f)
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
    struct fixture *f = serve_with(1000, idle_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void quiesce_client(struct fixture *f)
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

static void garbage_client(struct fixture *f)
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
    struct fixture *f = serve(garbage_client);
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

static void smuggle_client(struct fixture *f)
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
    struct fixture *f = serve(smuggle_client);
    assert_int_equal(f->handled, 0);
    stop(f);
}

static void oversized_client(struct fixture *f)
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
    struct fixture *f = serve(oversized_client);
    assert_int_equal(f->handled, 1);
    stop(f);
}

static void forbidden_client(struct fixture *f)
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
    struct fixture *f = serve(forbidden_client);
    assert_int_equal(f->handled, 1);
    stop(f);
}

static void continue_client(struct fixture *f)
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

static void pipelining_client(struct fixture *f)
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
    struct fixture *f = serve(pipelining_client);
    assert_int_equal(f->handled, 500);
    stop(f);
}

static void crowd_client(struct fixture *f)
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
    struct fixture *f =
        serve_options(&(struct httpd_options){.max_connections = 10, .idle_timeout_ms = 60000}, crowd_client);
    assert_int_equal(f->handled, 3);
    stop(f);
}

static void memory_client(struct fixture *f)
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
    struct fixture *f = serve_options(
        &(struct httpd_options){.max_connections = 100, .max_memory = 20000, .idle_timeout_ms = 60000},
        memory_client);
    assert_true(f->no_room > 0);
    stop(f);
}

static void starving_client(struct fixture *f)
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
    struct fixture *f = serve(starving_client);
    assert_int_equal(f->handled, 3);
    stop(f);
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
        cmocka_unit_test(a_malformed_request_gets_one_answer_and_nothing_behind_it_runs),
        cmocka_unit_test(what_is_too_long_is_told_once_and_many_parameters_are_no_matter),
        cmocka_unit_test(who_is_not_admitted_is_answered_before_the_body_comes),
        cmocka_unit_test(the_rest_of_http_is_kept),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(where_all_places_are_taken_the_longest_idle_makes_room),
        cmocka_unit_test(requests_share_a_budget_and_slow_ones_make_room),
        cmocka_unit_test(chunk_lines_without_end_are_refused_and_hold_nobody_up),
        cmocka_unit_test(a_wrong_address_is_a_configuration_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
