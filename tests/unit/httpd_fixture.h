/* A server whose handler does what the path says, and a client in a thread of its own that talks to it byte by
 * byte. */
#ifndef IVR_UNIT_HTTPD_FIXTURE_H
#define IVR_UNIT_HTTPD_FIXTURE_H

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
#define must(condition) ((condition) ? (void)0 : fail_hard(__FILE__, __LINE__, #condition))

static inline void fail_hard(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

enum { MAX_BODY = 1000, MANY = 10000, MAX_PARKED = MANY + 100 };

struct httpd_fixture {
    struct loop *loop;
    struct httpd *server;
    uv_async_t finished;
    int port;
    atomic_int handled; /* the client's thread may wait for it */
    int too_large;
    atomic_int no_room;
    struct httpd_request *parked[MAX_PARKED];
    int parked_n;
    void (*client)(struct httpd_fixture *f);
};

/* ---- the server's side ---- */

static inline void answer_later(void *arg)
{
    httpd_reply(arg, 200, "text/plain", SPAN_LIT("later"), NULL);
}

static inline void answer_parked(struct httpd_fixture *f)
{
    for (int i = 0; i < f->parked_n; i++)
        httpd_reply(f->parked[i], 200, NULL, SPAN_LIT("parked"), NULL);
    f->parked_n = 0;
}

struct later_reply {
    struct loop_timer *timer;
    struct httpd_request *req;
};

static inline void on_later(void *arg)
{
    struct later_reply *later = arg;
    answer_later(later->req);
    loop_timer_stop(&later->timer);
    free(later);
}

static inline void reply_echo(struct httpd_request *req)
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

static inline void handler(struct httpd_request *req, void *arg)
{
    struct httpd_fixture *f = arg;
    struct span path = httpd_path(req);
    f->handled++;
    if (span_is(path, "/later")) {
        struct later_reply *later = mem_calloc(1, sizeof(*later));
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

static inline size_t admit(struct httpd_request *req, void *arg)
{
    (void)arg;
    if (span_is(httpd_path(req), "/forbidden"))
        httpd_reply(req, 403, "text/plain", SPAN_LIT("not you"), NULL);
    return span_is(httpd_path(req), "/small") ? 10 : SIZE_MAX;
}

static inline void on_refused(const struct httpd_request *req, int status, void *arg)
{
    struct httpd_fixture *f = arg;
    (void)req;
    f->too_large += status == 413;
    f->no_room += status == 503;
}

/* ---- the client's side ---- */

static inline int dial(const struct httpd_fixture *f)
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

static inline void put(int fd, const char *text)
{
    size_t n = strlen(text), done = 0;
    while (done < n) {
        ssize_t got = send(fd, text + done, n - done, MSG_NOSIGNAL);
        must(got > 0);
        done += (size_t)got;
    }
}

/* Until the handler has seen n requests: what was sent to a peer under load may still be on its way. */
static inline void wait_handled(struct httpd_fixture *f, int n)
{
    for (int64_t end_mono_ms = clock_mono_ms() + 10000; atomic_load(&f->handled) < n; usleep(1000))
        must(clock_mono_ms() < end_mono_ms);
}

/* One reply: the head and as much body as Content-Length says. Returns the status, 0 at end of file, -errno.
 */
static inline int get(int fd, char *out, size_t size)
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

static inline const char *body_of(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    must(end);
    return end + 4;
}

static inline void *client_main(void *arg)
{
    struct httpd_fixture *f = arg;
    f->client(f);
    uv_async_send(&f->finished);
    return NULL;
}

static inline void on_finished(uv_async_t *handle)
{
    struct httpd_fixture *f = handle->data;
    loop_quit(f->loop);
}

static inline void start(struct httpd_fixture *f, const struct httpd_options *bounds)
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

static inline void stop(struct httpd_fixture *f)
{
    httpd_stop(&f->server);
    assert_null(f->server);
    uv_close((uv_handle_t *)&f->finished, NULL);
    loop_free(&f->loop);
    free(f);
}

/* Runs `client` in a thread against a running server; the caller checks and calls stop(). */
static inline struct httpd_fixture *serve_options(const struct httpd_options *bounds,
                                                  void (*client)(struct httpd_fixture *f))
{
    struct httpd_fixture *f = mem_calloc(1, sizeof(*f));
    pthread_t thread;
    start(f, bounds);
    f->client = client;
    assert_int_equal(pthread_create(&thread, NULL, client_main, f), 0);
    loop_run(f->loop);
    pthread_join(thread, NULL);
    return f;
}

static inline struct httpd_fixture *serve_with(int64_t idle_timeout_ms,
                                               void (*client)(struct httpd_fixture *f))
{
    return serve_options(
        &(struct httpd_options){.max_connections = MAX_PARKED, .idle_timeout_ms = idle_timeout_ms}, client);
}

static inline struct httpd_fixture *serve(void (*client)(struct httpd_fixture *f))
{
    return serve_with(5000, client);
}

#endif
