/*
 * A server of plain sockets in a thread of its own, which counts what really reached it: the number of
 * requests on the server's side decides whether somebody would have been dialled twice. The path says how it
 * answers.
 */
#ifndef IVR_UNIT_HTTP_SERVER_H
#define IVR_UNIT_HTTP_SERVER_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/http_caller.h"

enum { MAX_CONNECTIONS = 1200, CONNECTION_BYTES = 8192, MANY = 1000, HELD_AT_MOST_MS = 20000 };

struct connection {
    char in[CONNECTION_BYTES];
    size_t n;
    int64_t reply_at_mono_ms; /* 0: nothing held back */
};

/* What a test has the server say of some path, byte for byte. */
struct canned {
    const char *path;
    const char *head; /* status and headers, as say_body() takes them */
    const void *body;
    size_t n;
};

static const struct canned *server_canned; /* ends with a NULL path; NULL: nothing */

struct plain_server {
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

static inline void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline void say_body(int fd, const char *head, const char *body, size_t n)
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

static inline void server_drop(struct plain_server *server, int i, bool reset)
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
static inline bool server_answer(struct plain_server *server, int i, const char *path, size_t whole)
{
    int fd = server->fds[i].fd;
    char text[256];
    for (const struct canned *c = server_canned; c && c->path; c++) {
        if (strncmp(path, c->path, strlen(c->path)) == 0 && path[strlen(c->path)] == ' ') {
            say_body(fd, c->head, c->body, c->n);
            return true;
        }
    }
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
    } else if (strncmp(path, "/moved-far", 10) == 0) {
        char far[3100] = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://";
        memset(far + strlen(far), 'u', 3000);
        (void)snprintf(far + 3000, 100, "@elsewhere.example/\r\n\r\n");
        say(fd, far);
    } else if (strncmp(path, "/moved", 6) == 0) {
        say_body(fd, "307 Temporary Redirect\r\nLocation: /ok", "", 0);
    } else if (strncmp(path, "/silent", 7) != 0) {
        say_body(fd, "200 OK", server->conns[i]->in, whole); /* the request itself */
    }
    return true;
}

/* The length of the first complete request in `c`, 0 while there is none. */
static inline size_t server_whole(const struct connection *c)
{
    const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");
    if (!end)
        return 0;
    size_t whole = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return whole <= c->n ? whole : 0;
}

/* False: the connection is gone. */
static inline bool server_read(struct plain_server *server, int i)
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

static inline void server_accept(struct plain_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || server->fds_n == MAX_CONNECTIONS)
        return;
    server->connections++;
    server->fds[server->fds_n] = (struct pollfd){.fd = fd, .events = POLLIN};
    server->conns[server->fds_n++] = mem_calloc(1, sizeof(struct connection));
}

/* What is held is answered once all MANY are there; the deadline is for a client that never sends so many. */
static inline void server_release_held(struct plain_server *server)
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

static inline void *server_main(void *arg)
{
    struct plain_server *server = arg;
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

struct http_fixture {
    struct caller caller; /* first: the state of a test is both */
    struct plain_server server;
};

static inline int set_up(void **state)
{
    struct http_fixture *f = mem_calloc(1, sizeof(*f));
    caller_open(&f->caller, NULL);
    f->server.listener = listen_on_loopback(&f->server.port);
    f->server.fds[0] = (struct pollfd){.fd = f->server.listener, .events = POLLIN};
    f->server.fds_n = 1;
    assert_int_equal(pthread_create(&f->server.thread, NULL, server_main, &f->server), 0);
    (void)snprintf(f->caller.base, sizeof(f->caller.base), "http://127.0.0.1:%d", f->server.port);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct http_fixture *f = *state;
    caller_close(&f->caller);
    f->server.stop = true;
    pthread_join(f->server.thread, NULL);
    close(f->server.listener);
    free(f);
    return 0;
}

#endif
