/*
 * common/http against a server of plain sockets in a thread of its own, which counts what really reached it:
 * the number of requests on the server's side decides whether somebody would have been dialled twice.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/mem.h"

enum { MAX_CONNECTIONS = 1200, CONNECTION_BYTES = 8192, MANY = 1000, HELD_AT_MOST_MS = 20000 };

/* ---- the server ---- */

struct connection {
    char in[CONNECTION_BYTES];
    size_t n;
    int64_t reply_at_mono_ms; /* 0: nothing held back */
};

struct server {
    pthread_t thread;
    int listener;
    int port;
    atomic_bool stop;
    atomic_int connections; /* accepted so far */
    atomic_int requests;    /* complete requests received so far */
    atomic_int most_held;   /* requests being held at once */
    struct pollfd fds[MAX_CONNECTIONS];
    struct connection *conns[MAX_CONNECTIONS];
    int fds_n;
    int held;
};

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void say_body(int fd, const char *head, const char *body, size_t n)
{
    char line[512];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, n);
    say(fd, line);
    while (n > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        ssize_t put = send(fd, body, n, MSG_NOSIGNAL);
        if (put < 0 && (errno != EAGAIN || poll(&ready, 1, 2000) != 1))
            return;
        body += put > 0 ? put : 0;
        n -= put > 0 ? (size_t)put : 0;
    }
}

static void server_drop(struct server *server, int i, bool reset)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        (void)setsockopt(server->fds[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(server->fds[i].fd);
    free(server->conns[i]);
    server->fds[i] = server->fds[--server->fds_n];
    server->conns[i] = server->conns[server->fds_n];
}

/* What the path asks for. False: the connection is gone. */
static bool server_answer(struct server *server, int i, const char *path, size_t whole)
{
    int fd = server->fds[i].fd;
    char text[256];
    if (strncmp(path, "/unanswered", 11) == 0 || strncmp(path, "/reset", 6) == 0) {
        server_drop(server, i, path[1] == 'r');
        return false;
    }
    if (strncmp(path, "/held", 5) == 0) {
        server->conns[i]->reply_at_mono_ms = clock_mono_ms() + HELD_AT_MOST_MS;
        if (++server->held > server->most_held)
            server->most_held = server->held;
    } else if (strncmp(path, "/garbage", 8) == 0) {
        say(fd, "SIP/2.0 200 whatever\n\n\n");
        server_drop(server, i, false);
        return false;
    } else if (strncmp(path, "/partial", 8) == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        server_drop(server, i, false);
        return false;
    } else if (strncmp(path, "/large", 6) == 0) {
        char *large = mem_calloc(1, HTTP_MAX_REPLY + 1);
        memset(large, 'x', HTTP_MAX_REPLY + 1);
        say_body(fd, "200 OK", large, HTTP_MAX_REPLY + (path[6] == '+' ? 1 : 0));
        free(large);
    } else if (strncmp(path, "/wait-seconds", 13) == 0) {
        say_body(fd, "429 Too Many Requests\r\nRetry-After: 7", "", 0);
    } else if (strncmp(path, "/wait-date", 10) == 0) {
        struct tm tm;
        time_t when = (time_t)(clock_wall_ms() / 1000 + 60);
        char date[64];
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
        (void)snprintf(text, sizeof(text), "503 Service Unavailable\r\nretry-after: %s", date);
        say_body(fd, text, "", 0);
    } else if (strncmp(path, "/wait-nonsense", 14) == 0) {
        say_body(fd, "503 Service Unavailable\r\nRetry-After: soon, perhaps", "", 0);
    } else if (strncmp(path, "/moved", 6) == 0) {
        say_body(fd, "307 Temporary Redirect\r\nLocation: /ok", "", 0);
    } else if (strncmp(path, "/silent", 7) != 0) {
        say_body(fd, "200 OK", server->conns[i]->in, whole); /* the request itself */
    }
    return true;
}

/* The length of the first complete request in `c`, 0 while there is none. */
static size_t server_whole(const struct connection *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");
    if (!end)
        return 0;
    size_t whole = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return whole <= c->n ? whole : 0;
}

/* False: the connection is gone. */
static bool server_read(struct server *server, int i)
{
    struct connection *c = server->conns[i];
    ssize_t got = recv(server->fds[i].fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);
    if (got <= 0) {
        server_drop(server, i, false);
        return false;
    }
    c->n += (size_t)got;
    c->in[c->n] = '\0';
    size_t whole = server_whole(c);
    if (!whole)
        return true;
    char path[64] = "";
    const char *from = strchr(c->in, ' ');
    if (from)
        (void)snprintf(path, sizeof(path), "%.60s", from + 1);
    server->requests++;
    if (!server_answer(server, i, path, whole))
        return false;
    memmove(c->in, c->in + whole, c->n - whole + 1);
    c->n -= whole;
    return true;
}

static void server_accept(struct server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || server->fds_n == MAX_CONNECTIONS)
        return;
    server->connections++;
    server->fds[server->fds_n] = (struct pollfd){.fd = fd, .events = POLLIN};
    server->conns[server->fds_n++] = mem_calloc(1, sizeof(struct connection));
}

/* What is held is answered once all MANY are there; the deadline is for a client that never sends so many. */
static void server_release_held(struct server *server)
{
    int64_t now_mono_ms = clock_mono_ms() + (server->held == MANY ? HELD_AT_MOST_MS : 0);
    for (int i = 1; i < server->fds_n; i++) {
        struct connection *c = server->conns[i];
        if (!c->reply_at_mono_ms || c->reply_at_mono_ms > now_mono_ms)
            continue;
        c->reply_at_mono_ms = 0;
        server->held--;
        say_body(server->fds[i].fd, "200 OK", "held", 4);
    }
}

static void *server_main(void *arg)
{
    struct server *server = arg;
    while (!server->stop) {
        (void)poll(server->fds, (nfds_t)server->fds_n, 5);
        for (int i = 1; i < server->fds_n; i++)
            if (server->fds[i].revents && !server_read(server, i))
                i--;
        server_release_held(server);
        if (server->fds[0].revents)
            server_accept(server);
    }
    while (server->fds_n > 1)
        server_drop(server, 1, false);
    return NULL;
}

static int listen_on_loopback(int *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

/* ---- the client ---- */

struct seen {
    int times;
    enum http_outcome outcome;
    int status;
    char body[1024];
    size_t body_n;
    int64_t retry_after_ms;
    bool refused_late;
    bool unreachable;
    char error[256];
    int64_t seconds_us;
};

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct server server;
    struct http_request request;
    struct http_limits limits;
    struct seen seen;
    int left;    /* replies to come before the loop ends */
    int replies; /* HTTP_REPLY among them */
    bool again;  /* on_reply sends once more from within */
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    const struct http_client_options options = {.max_transfers = 1024, .user_agent = "ivr-test/1"};
    f->loop = loop_new();
    assert_int_equal(http_client_new(&f->client, f->loop, &options, &err), 0);
    f->server.listener = listen_on_loopback(&f->server.port);
    f->server.fds[0] = (struct pollfd){.fd = f->server.listener, .events = POLLIN};
    f->server.fds_n = 1;
    assert_int_equal(pthread_create(&f->server.thread, NULL, server_main, &f->server), 0);
    http_request_init(&f->request);
    f->limits = (struct http_limits){.timeout_ms = 30000, .idle_timeout_ms = 15000};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_client_free(&f->client);
    http_request_done(&f->request);
    f->server.stop = true;
    pthread_join(f->server.thread, NULL);
    close(f->server.listener);
    loop_free(&f->loop);
    free(f);
    return 0;
}

static void fill(struct fixture *f, const char *method, const char *path)
{
    http_request_clear(&f->request);
    f->request.method = method;
    f->request.once = true;
    buf_addf(&f->request.url, "http://127.0.0.1:%d%s", f->server.port, path);
    if (strcmp(method, "POST") == 0)
        buf_adds(&f->request.body, "To=%2B254722000111");
}

static void send_filled(struct fixture *f);

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct fixture *f = arg;
    struct seen *seen = &f->seen;
    if (f->again) {
        f->again = false;
        send_filled(f); /* the slot is free already and is taken again: the body must stay readable */
    }
    *seen = (struct seen){.times = seen->times + 1,
                          .outcome = reply->outcome,
                          .status = reply->status,
                          .body_n = reply->body.n,
                          .retry_after_ms = reply->retry_after_ms,
                          .refused_late = reply->refused_late,
                          .unreachable = reply->unreachable,
                          .seconds_us = reply->seconds_us};
    size_t n = reply->body.n < sizeof(seen->body) - 1 ? reply->body.n : sizeof(seen->body) - 1;
    if (n)
        memcpy(seen->body, reply->body.p, n);
    (void)snprintf(seen->error, sizeof(seen->error), "%s", reply->error);
    f->replies += reply->outcome == HTTP_REPLY;
    if (--f->left == 0)
        loop_quit(f->loop);
}

static void send_filled(struct fixture *f)
{
    struct http_slot *slot = http_slot_take(f->client);
    int times = f->seen.times;
    assert_non_null(slot);
    f->left++;
    http_send(f->client, &slot, &f->request, &f->limits, on_reply, f);
    assert_null(slot);
    assert_int_equal(f->seen.times, times); /* never called back before http_send() returns */
}

/* Sends one request and waits for its outcome. */
static const struct seen *ask(struct fixture *f, const char *method, const char *path)
{
    fill(f, method, path);
    f->seen.times = 0;
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.times, 1);
    assert_int_equal(http_slots_free(f->client), 1024);
    return &f->seen;
}

static void end_turns(void *arg)
{
    loop_quit(((struct fixture *)arg)->loop);
}

static void turn_for(struct fixture *f, int64_t ms)
{
    struct loop_timer *timer = loop_timer_start(f->loop, ms, 0, end_turns, f);
    loop_run(f->loop);
    loop_timer_stop(&timer);
}

/* ---- the promises ---- */

static void a_request_arrives_as_it_was_filled(void **state)
{
    struct fixture *f = *state;
    fill(f, "POST", "/echo?x=%20y");
    buf_adds(&f->request.headers, "Content-Type: text/csv\nX-One: 1\n");
    buf_adds(&f->request.user, "AC123");
    buf_adds(&f->request.password, "secret:x");
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_REPLY);
    assert_int_equal(f->seen.status, 200);
    assert_memory_equal(f->seen.body, "POST /echo?x=%20y HTTP/1.1\r\n", 28);
    assert_non_null(strstr(f->seen.body, "\r\nContent-Type: text/csv\r\n"));
    assert_non_null(strstr(f->seen.body, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(f->seen.body, "\r\nUser-Agent: ivr-test/1\r\n"));
    assert_non_null(strstr(f->seen.body, "\r\nAuthorization: Basic QUMxMjM6c2VjcmV0Ong=\r\n"));
    assert_non_null(strstr(f->seen.body, "\r\n\r\nTo=%2B254722000111"));
    assert_null(strcasestr(f->seen.body, "expect:"));
    assert_null(strcasestr(f->seen.body, "accept-encoding:"));
    assert_string_equal(f->seen.error, "");
    assert_int_equal(f->seen.retry_after_ms, -1);
    assert_true(f->seen.seconds_us > 0);
}

static void nothing_of_one_request_leaks_into_the_next(void **state)
{
    struct fixture *f = *state;
    a_request_arrives_as_it_was_filled(state);
    const struct seen *seen = ask(f, "GET", "/second");
    assert_memory_equal(seen->body, "GET /second HTTP/1.1\r\n", 22);
    assert_null(strstr(seen->body, "Authorization"));
    assert_null(strstr(seen->body, "X-One"));
    assert_null(strcasestr(seen->body, "content-"));
    assert_memory_equal(ask(f, "DELETE", "/third")->body, "DELETE /third HTTP/1.1\r\n", 24);
    assert_memory_equal(ask(f, "PUT", "/4")->body, "PUT /4 HTTP/1.1\r\n", 17);
    seen = ask(f, "POST", "/5");
    assert_memory_equal(seen->body, "POST /5 HTTP/1.1\r\n", 18);
    assert_non_null(strstr(seen->body, "\r\n\r\nTo="));
    assert_int_equal(f->server.connections, 1); /* kept all the time */
}

static void a_kept_connection_that_dies_unanswered_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    const struct seen *seen = ask(f, "POST", "/unanswered");
    assert_int_equal(seen->outcome, HTTP_IN_DOUBT);
    assert_int_equal(seen->status, 0);
    assert_false(seen->unreachable);
    turn_for(f, 100);
    assert_int_equal(f->server.requests, 2); /* the first, and this one once */
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
}

/* The same without `once`: this is what libcurl does by itself, and why the test above proves something. */
static void without_once_libcurl_does_send_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    fill(f, "POST", "/unanswered");
    f->request.once = false;
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_IN_DOUBT);
    turn_for(f, 100);
    assert_int_equal(f->server.requests, 3);
}

static void a_kept_connection_that_is_reset_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(ask(f, "POST", "/reset")->outcome, HTTP_IN_DOUBT);
    turn_for(f, 100);
    assert_int_equal(f->server.requests, 2);
}

static void a_fresh_connection_that_dies_after_the_request_is_in_doubt(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/reset")->outcome, HTTP_IN_DOUBT);
    assert_int_equal(ask(f, "POST", "/unanswered")->outcome, HTTP_IN_DOUBT);
    turn_for(f, 100);
    assert_int_equal(f->server.requests, 2);
}

static void a_connection_refused_is_not_sent(void **state)
{
    struct fixture *f = *state;
    int port, fd = listen_on_loopback(&port);
    close(fd);
    http_request_clear(&f->request);
    buf_addf(&f->request.url, "http://127.0.0.1:%d/", port);
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_true(f->seen.unreachable);
    assert_false(f->seen.refused_late);
    assert_non_null(strstr(f->seen.error, "onnect"));
}

static void a_name_that_does_not_exist_is_not_sent(void **state)
{
    struct fixture *f = *state;
    http_request_clear(&f->request);
    buf_adds(&f->request.url, "http://no-such-host.invalid/");
    f->limits.timeout_ms = 1000;
    int64_t before_mono_ms = clock_mono_ms();
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_true(f->seen.unreachable);
    assert_in_range(clock_mono_ms() - before_mono_ms, 0,
                    1900); /* a slow resolver does not hold up the loop */
}

static void a_url_that_is_none_is_not_sent_and_says_nothing_of_the_peer(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"http://", "ftp://127.0.0.1/", "http://a b/", "file:///etc/passwd",
                                       ""};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        http_request_clear(&f->request);
        buf_adds(&f->request.url, urls[i]);
        send_filled(f);
        loop_run(f->loop);
        assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
        assert_false(f->seen.unreachable);
        assert_true(f->seen.error[0]);
    }
}

static void a_request_that_ran_into_a_bound_is_not_sent(void **state)
{
    struct fixture *f = *state;
    fill(f, "POST", "/ok");
    for (int i = 0; i < 2000 && buf_ok(&f->request.headers); i++)
        buf_adds(&f->request.headers, "X-Long: 0123456789012345678901234567890123456789\n");
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_int_equal(f->server.requests, 0);
}

static void a_timeout_after_the_request_is_in_doubt(void **state)
{
    struct fixture *f = *state;
    f->limits.timeout_ms = 150;
    int64_t before_mono_ms = clock_mono_ms();
    assert_int_equal(ask(f, "POST", "/silent")->outcome, HTTP_IN_DOUBT);
    assert_in_range(clock_mono_ms() - before_mono_ms, 140, 2000);
    assert_int_equal(f->server.requests, 1);
}

/* A listener whose backlog is full answers no SYN. */
static void a_timeout_while_connecting_is_not_sent(void **state)
{
    struct fixture *f = *state;
    int port, fd = listen_on_loopback(&port), fillers[4];
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&sa, sizeof(sa));
    }
    http_request_clear(&f->request);
    buf_addf(&f->request.url, "http://127.0.0.1:%d/", port);
    f->limits.timeout_ms = 200;
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_true(f->seen.unreachable);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

static void a_broken_or_cut_or_too_large_reply_is_in_doubt(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/garbage", "/partial", "/large+"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct seen *seen = ask(f, "POST", paths[i]);
        assert_int_equal(seen->outcome, HTTP_IN_DOUBT);
        assert_int_equal(seen->status, 0);
        assert_int_equal(seen->body_n, 0);
        assert_true(seen->error[0]);
    }
    assert_int_equal(f->server.requests, 3);
}

static void the_largest_reply_allowed_arrives_whole(void **state)
{
    const struct seen *seen = ask(*state, "POST", "/large");
    assert_int_equal(seen->outcome, HTTP_REPLY);
    assert_int_equal(seen->body_n, HTTP_MAX_REPLY);
}

static void retry_after_is_read_in_both_forms(void **state)
{
    struct fixture *f = *state;
    const struct seen *seen = ask(f, "POST", "/wait-seconds");
    assert_int_equal(seen->status, 429);
    assert_int_equal(seen->retry_after_ms, 7000);
    seen = ask(f, "POST", "/wait-date");
    assert_int_equal(seen->status, 503);
    assert_in_range(seen->retry_after_ms, 57000, 61000);
    assert_int_equal(ask(f, "POST", "/wait-nonsense")->retry_after_ms, -1);
    assert_int_equal(ask(f, "POST", "/ok")->retry_after_ms, -1);
}

static void redirects_are_not_followed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/moved")->status, 307);
    assert_int_equal(f->server.requests, 1);
}

static void a_request_that_is_late_is_not_sent(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    f->limits.send_before_mono_ms = clock_mono_ms() - 1;
    const struct seen *seen = ask(f, "POST", "/ok"); /* on the kept connection */
    assert_int_equal(seen->outcome, HTTP_NOT_SENT);
    assert_true(seen->refused_late);
    assert_false(seen->unreachable);
    turn_for(f, 50);
    assert_int_equal(f->server.requests, 1);
    f->limits.send_before_mono_ms = clock_mono_ms() + 5000;
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
}

static void tls_that_fails_is_not_sent(void **state)
{
    struct fixture *f = *state;
    http_request_clear(&f->request);
    buf_addf(&f->request.url, "https://127.0.0.1:%d/garbage", f->server.port);
    f->limits.timeout_ms = 300; /* the server waits for more of what it takes for a request */
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_true(f->seen.unreachable);
    assert_int_equal(f->server.requests, 0);
}

struct tls_server {
    int listener;
    const char *cert_file; /* where to leave the certificate; may be NULL */
    atomic_bool ready;
    bool shaken;
};

/* One connection with a certificate that nobody signed. */
static void *tls_main(void *arg)
{
    struct tls_server *server = arg;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"127.0.0.1", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_set_version(cert, 2);
    X509_add_ext(cert, name, -1);
    X509_EXTENSION_free(name);
    X509_sign(cert, key, EVP_sha256());
    SSL_CTX_use_certificate(ctx, cert);
    SSL_CTX_use_PrivateKey(ctx, key);
    if (server->cert_file) {
        FILE *file = fopen(server->cert_file, "we");
        PEM_write_X509(file, cert);
        fclose(file);
    }
    server->ready = true;
    int fd = accept(server->listener, NULL, NULL);
    SSL *ssl = SSL_new(ctx);
    char bytes[4096];
    static const char reply[] = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes";
    SSL_set_fd(ssl, fd);
    server->shaken = SSL_accept(ssl) == 1 && SSL_read(ssl, bytes, sizeof(bytes)) > 0;
    if (server->shaken && SSL_write(ssl, reply, sizeof(reply) - 1) > 0)
        while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
            ;
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(ctx);
    X509_free(cert);
    EVP_PKEY_free(key);
    return NULL;
}

static void a_certificate_that_nobody_signed_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct tls_server server = {0};
    pthread_t thread;
    int port;
    server.listener = listen_on_loopback(&port);
    assert_int_equal(pthread_create(&thread, NULL, tls_main, &server), 0);
    http_request_clear(&f->request);
    buf_addf(&f->request.url, "https://127.0.0.1:%d/", port);
    send_filled(f);
    loop_run(f->loop);
    pthread_join(thread, NULL);
    close(server.listener);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_true(f->seen.unreachable);
    assert_non_null(strcasestr(f->seen.error, "certificate"));
    assert_false(server.shaken); /* no byte of the request */
}

static void a_certificate_that_the_given_authority_signed_is_accepted(void **state)
{
    struct fixture *f = *state;
    char cert_file[] = P_tmpdir "/ivr-test-http-XXXXXX";
    int temporary = mkstemp(cert_file);
    struct tls_server server = {.cert_file = cert_file};
    const struct http_client_options options = {.max_transfers = 1024, .ca_file = cert_file};
    struct err err = ERR_INIT;
    pthread_t thread;
    int port;
    assert_true(temporary >= 0);
    close(temporary);
    server.listener = listen_on_loopback(&port);
    assert_int_equal(pthread_create(&thread, NULL, tls_main, &server), 0);
    while (!server.ready)
        usleep(1000);
    http_client_free(&f->client);
    assert_int_equal(http_client_new(&f->client, f->loop, &options, &err), 0);
    fill(f, "POST", "");
    buf_clear(&f->request.url);
    buf_addf(&f->request.url, "https://127.0.0.1:%d/", port);
    send_filled(f);
    loop_run(f->loop);
    http_client_free(&f->client);
    pthread_join(thread, NULL);
    close(server.listener);
    (void)unlink(cert_file);
    assert_int_equal(f->seen.outcome, HTTP_REPLY);
    assert_int_equal(f->seen.status, 201);
    assert_string_equal(f->seen.body, "yes");
}

static void authorities_that_cannot_be_read_let_nothing_through(void **state)
{
    struct fixture *f = *state;
    const struct http_client_options options = {.max_transfers = 1024, .ca_file = "/no/such/file.pem"};
    struct err err = ERR_INIT;
    http_client_free(&f->client);
    assert_int_equal(http_client_new(&f->client, f->loop, &options, &err), 0);
    http_request_clear(&f->request);
    buf_addf(&f->request.url, "https://127.0.0.1:%d/", f->server.port);
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_int_equal(f->server.requests, 0);
}

static void a_connection_idle_for_too_long_is_closed_and_not_used(void **state)
{
    struct fixture *f = *state;
    f->limits.idle_timeout_ms = 2000;
    (void)ask(f, "POST", "/ok");
    turn_for(f, 500);
    (void)ask(f, "POST", "/ok");
    assert_int_equal(f->server.connections, 1);
    turn_for(f, 2400);
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
    assert_int_equal(f->server.requests, 3);
}

/* Even where the loop was stuck so long that nothing swept. */
static void a_connection_idle_while_we_were_stuck_is_not_used(void **state)
{
    struct fixture *f = *state;
    f->limits.idle_timeout_ms = 1000;
    (void)ask(f, "POST", "/ok");
    usleep(2100000);
    fill(f, "POST", "/ok");
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
}

static void the_peer_closing_an_idle_connection_costs_nothing(void **state)
{
    struct fixture *f = *state;
    (void)ask(f, "POST", "/ok");
    f->server.stop = true; /* closes every connection; the listener stays */
    pthread_join(f->server.thread, NULL);
    f->server.stop = false;
    assert_int_equal(pthread_create(&f->server.thread, NULL, server_main, &f->server), 0);
    uint64_t before = (uint64_t)clock();
    turn_for(f, 300);
    assert_true(((uint64_t)clock() - before) * 1000 / CLOCKS_PER_SEC <
                150); /* no busy loop over the end of file */
    assert_int_equal(ask(f, "POST", "/ok")->outcome, HTTP_REPLY);
    assert_int_equal(f->server.connections, 2);
}

static void a_thousand_transfers_run_at_once(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        fill(f, "POST", "/held");
        f->replies = 0;
        for (int i = 0; i < MANY; i++)
            send_filled(f);
        assert_int_equal(http_slots_free(f->client), 1024 - MANY);
        loop_run(f->loop);
        assert_int_equal(f->replies, MANY);
        assert_int_equal(http_slots_free(f->client), 1024);
    }
    assert_int_equal(f->server.requests, 2 * MANY);
    assert_int_equal(f->server.most_held, MANY);
    assert_int_equal(f->server.connections, MANY); /* the second round came on kept ones */
}

static void there_are_no_more_slots_than_transfers(void **state)
{
    struct fixture *f = *state;
    struct http_slot *slots[1024];
    for (int i = 0; i < 1024; i++) {
        slots[i] = http_slot_take(f->client);
        assert_non_null(slots[i]);
    }
    assert_null(http_slot_take(f->client));
    for (int i = 0; i < 1024; i++)
        http_slot_release(f->client, &slots[i]);
    assert_null(slots[0]);
    assert_int_equal(http_slots_free(f->client), 1024);
}

static void a_callback_may_send_the_next_request(void **state)
{
    struct fixture *f = *state;
    f->again = true;
    fill(f, "POST", "/one");
    send_filled(f);
    loop_run(f->loop);
    assert_int_equal(f->seen.times, 2);
    assert_memory_equal(f->seen.body, "POST /one HTTP/1.1\r\n", 20);
    assert_int_equal(f->server.connections, 1);
}

static void freeing_the_client_forgets_what_is_out(void **state)
{
    struct fixture *f = *state;
    fill(f, "POST", "/silent");
    for (int i = 0; i < 20; i++)
        send_filled(f);
    turn_for(f, 50);
    http_client_free(&f->client);
    assert_null(f->client);
    turn_for(f, 50);
    assert_int_equal(f->seen.times, 0);
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
        PROMISE(a_broken_or_cut_or_too_large_reply_is_in_doubt),
        PROMISE(the_largest_reply_allowed_arrives_whole),
        PROMISE(retry_after_is_read_in_both_forms),
        PROMISE(redirects_are_not_followed),
        PROMISE(a_request_that_is_late_is_not_sent),
        PROMISE(tls_that_fails_is_not_sent),
        PROMISE(a_certificate_that_nobody_signed_is_not_sent),
        PROMISE(a_certificate_that_the_given_authority_signed_is_accepted),
        PROMISE(authorities_that_cannot_be_read_let_nothing_through),
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
