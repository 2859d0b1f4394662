/*
 * An HTTP/2 server over TLS, frame by frame, because no real one refuses a stream or leaves in the middle of
 * one on request. A thread a connection. What to do with a request is its body (the path lies in compressed
 * headers):
 *
 *   ok         200                          held       200 once `release_at` are held in all, or on `release`
 *   silent     nothing                      release    200, for it and for all that this connection holds
 *   refuse     RST_STREAM(REFUSED_STREAM)   internal   RST_STREAM(INTERNAL_ERROR)
 *   http11     RST_STREAM(HTTP_1_1_REQUIRED)
 *   unserved   GOAWAY that names it as not processed; what is held is answered
 *   last       GOAWAY that names it as processed, then 200
 *   close      TLS and TCP end              reset      TCP is reset
 *   half       a status and half a body, then the end
 *   broken     a status, then RST_STREAM(INTERNAL_ERROR)
 */
#ifndef IVR_UNIT_HTTP2_SERVER_H
#define IVR_UNIT_HTTP2_SERVER_H

#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/unit/http_caller.h"
#include "tests/unit/http_identity.h"

enum { H2_CONNECTIONS = 256, H2_STREAMS = 256, H2_FRAME = 16 * 1024 };

enum h2_frame { H2_DATA, H2_HEADERS, H2_RST_STREAM = 3, H2_SETTINGS, H2_PING = 6, H2_GOAWAY };

enum h2_error { H2_NO_ERROR, H2_INTERNAL_ERROR = 2, H2_REFUSED_STREAM = 7, H2_HTTP_1_1_REQUIRED = 13 };

struct h2_server {
    struct identity identity;
    SSL_CTX *ctx;
    pthread_t thread;
    int listener;
    int port;
    int release_at; /* 0: never by number */
    atomic_bool stop;
    atomic_int connections; /* that agreed on HTTP/2 and said so with their first bytes */
    atomic_int requests;    /* on all connections */
    atomic_int held;
    pthread_t threads[H2_CONNECTIONS];
    int threads_n;
};

struct h2_stream {
    char body[32];
    size_t n;
};

struct h2_connection {
    struct h2_server *server;
    SSL *ssl;
    int fd;
    bool over;
    uint32_t held[H2_STREAMS];
    int held_n;
    struct h2_stream streams[H2_STREAMS]; /* by number, round and round */
    unsigned char payload[H2_FRAME];
};

static inline bool h2_read(struct h2_connection *c, void *to, size_t n)
{
    unsigned char *p = to;
    while (n > 0) {
        int got = SSL_read(c->ssl, p, (int)n);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static inline void h2_put32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static inline void h2_say(struct h2_connection *c, enum h2_frame type, int flags, uint32_t stream,
                          const void *payload, size_t n)
{
    unsigned char frame[9 + 64];
    assert_true(n <= 64);
    h2_put32(frame, (uint32_t)n << 8 | type);
    frame[4] = (unsigned char)flags;
    h2_put32(frame + 5, stream);
    if (n > 0)
        memcpy(frame + 9, payload, n);
    (void)SSL_write(c->ssl, frame, (int)(9 + n));
}

static inline void h2_say_error(struct h2_connection *c, uint32_t stream, enum h2_error error)
{
    unsigned char payload[4];
    h2_put32(payload, error);
    h2_say(c, H2_RST_STREAM, 0, stream, payload, sizeof(payload));
}

static inline void h2_say_goaway(struct h2_connection *c, uint32_t last_stream)
{
    unsigned char payload[8];
    h2_put32(payload, last_stream);
    h2_put32(payload + 4, H2_NO_ERROR);
    h2_say(c, H2_GOAWAY, 0, 0, payload, sizeof(payload));
}

/* ":status: 200" is one byte of HPACK's static table. */
static inline void h2_say_status(struct h2_connection *c, uint32_t stream)
{
    h2_say(c, H2_HEADERS, 4, stream, "\x88", 1);
}

static inline void h2_say_ok(struct h2_connection *c, uint32_t stream)
{
    h2_say_status(c, stream);
    h2_say(c, H2_DATA, 1, stream, "yes", 3);
}

static inline void h2_release(struct h2_connection *c)
{
    for (int i = 0; i < c->held_n; i++)
        h2_say_ok(c, c->held[i]);
    c->held_n = 0;
}

static inline void h2_hang_up(struct h2_connection *c, bool reset)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    else
        (void)SSL_shutdown(c->ssl);
    c->over = true;
}

static inline void h2_hold(struct h2_connection *c, uint32_t stream)
{
    assert_true(c->held_n < H2_STREAMS);
    c->held[c->held_n++] = stream;
    c->server->held++;
}

static inline void h2_obey(struct h2_connection *c, uint32_t stream, const char *what)
{
    bool status = strcmp(what, "half") == 0 || strcmp(what, "broken") == 0;
    if (strcmp(what, "last") == 0)
        h2_say_goaway(c, stream);
    if (status)
        h2_say_status(c, stream);
    if (strcmp(what, "ok") == 0 || strcmp(what, "last") == 0 || strcmp(what, "release") == 0)
        h2_say_ok(c, stream);
    if (strcmp(what, "release") == 0)
        h2_release(c);
    if (strcmp(what, "held") == 0)
        h2_hold(c, stream);
    if (strcmp(what, "refuse") == 0)
        h2_say_error(c, stream, H2_REFUSED_STREAM);
    if (strcmp(what, "http11") == 0)
        h2_say_error(c, stream, H2_HTTP_1_1_REQUIRED);
    if (strcmp(what, "internal") == 0 || strcmp(what, "broken") == 0)
        h2_say_error(c, stream, H2_INTERNAL_ERROR);
    if (strcmp(what, "unserved") == 0) {
        h2_say_goaway(c, stream > 1 ? stream - 2 : 0);
        h2_release(c);
    }
    if (strcmp(what, "half") == 0)
        h2_say(c, H2_DATA, 0, stream, "y", 1);
    if (strcmp(what, "half") == 0 || strcmp(what, "close") == 0 || strcmp(what, "reset") == 0)
        h2_hang_up(c, what[0] == 'r');
}

static inline void h2_data(struct h2_connection *c, uint32_t number, bool end, size_t n)
{
    struct h2_stream *stream = &c->streams[number / 2 % H2_STREAMS];
    assert_true(stream->n + n < sizeof(stream->body));
    memcpy(stream->body + stream->n, c->payload, n);
    stream->n += n;
    if (!end)
        return;
    stream->body[stream->n] = '\0';
    stream->n = 0;
    c->server->requests++;
    h2_obey(c, number, stream->body);
}

static inline void h2_frame(struct h2_connection *c)
{
    unsigned char head[9];
    if (!h2_read(c, head, sizeof(head))) {
        c->over = true;
        return;
    }
    size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    uint32_t number = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    if (n > sizeof(c->payload) || !h2_read(c, c->payload, n)) {
        c->over = true;
        return;
    }
    if (head[3] == H2_DATA)
        h2_data(c, number, head[4] & 1, n);
    else if (head[3] == H2_SETTINGS && !(head[4] & 1))
        h2_say(c, H2_SETTINGS, 1, 0, NULL, 0);
    else if (head[3] == H2_PING && !(head[4] & 1))
        h2_say(c, H2_PING, 1, 0, c->payload, 8);
}

static inline bool h2_greet(struct h2_connection *c)
{
    char hello[24];
    const unsigned char *chosen = NULL;
    unsigned chosen_n = 0;
    if (SSL_accept(c->ssl) != 1)
        return false;
    SSL_get0_alpn_selected(c->ssl, &chosen, &chosen_n);
    if (!h2_read(c, hello, sizeof(hello)))
        return false;
    if (chosen_n != 2 || memcmp(hello, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", sizeof(hello)) != 0) {
        c->server->requests++; /* in HTTP/1.1: it stays unanswered, but it was sent */
        return false;
    }
    c->server->connections++;
    h2_say(c, H2_SETTINGS, 0, 0, NULL, 0);
    return true;
}

static inline void *h2_serve(void *arg)
{
    struct h2_connection *c = arg;
    struct h2_server *server = c->server;
    c->over = !h2_greet(c);
    while (!c->over && !server->stop) {
        struct pollfd ready = {.fd = c->fd, .events = POLLIN};
        if (SSL_pending(c->ssl) > 0 || poll(&ready, 1, 10) == 1)
            h2_frame(c);
        if (server->release_at > 0 && server->held >= server->release_at)
            h2_release(c);
    }
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
    return NULL;
}

static inline int h2_choose(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                            const unsigned char *offered, unsigned offered_n, void *arg)
{
    (void)ssl, (void)arg;
    for (unsigned i = 0; i < offered_n; i += offered[i] + 1U) {
        if (offered[i] == 2 && memcmp(offered + i + 1, "h2", 2) == 0) {
            *out = offered + i + 1;
            *out_n = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static inline void *h2_listen(void *arg)
{
    struct h2_server *server = arg;
    struct pollfd ready = {.fd = server->listener, .events = POLLIN};
    while (!server->stop) {
        if (poll(&ready, 1, 10) != 1)
            continue;
        struct h2_connection *c = mem_calloc(1, sizeof(*c));
        c->server = server;
        c->fd = accept(server->listener, NULL, NULL);
        c->ssl = SSL_new(server->ctx);
        SSL_set_fd(c->ssl, c->fd);
        assert_true(server->threads_n < H2_CONNECTIONS);
        assert_int_equal(pthread_create(&server->threads[server->threads_n++], NULL, h2_serve, c), 0);
    }
    return NULL;
}

static inline void h2_start(struct h2_server *server)
{
    identity_make(&server->identity);
    server->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server->ctx, server->identity.cert);
    SSL_CTX_use_PrivateKey(server->ctx, server->identity.key);
    SSL_CTX_set_alpn_select_cb(server->ctx, h2_choose, NULL);
    server->listener = listen_on_loopback(&server->port);
    assert_int_equal(pthread_create(&server->thread, NULL, h2_listen, server), 0);
}

/* Clients must be gone: a thread may wait for the rest of a frame. */
static inline void h2_stop(struct h2_server *server)
{
    server->stop = true;
    pthread_join(server->thread, NULL);
    for (int i = 0; i < server->threads_n; i++)
        pthread_join(server->threads[i], NULL);
    close(server->listener);
    SSL_CTX_free(server->ctx);
    identity_done(&server->identity);
}

#endif
