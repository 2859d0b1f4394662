/*
 * One who asks over common/http and notes what the client says. Before anything is asked, `base` says of
 * whom.
 */
#ifndef IVR_UNIT_HTTP_CALLER_H
#define IVR_UNIT_HTTP_CALLER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/http/http.h"

struct seen_reply {
    int times;
    enum http_outcome outcome;
    int status;
    char body[1024];
    size_t body_n;
    int64_t retry_after_ms;
    bool refused_late;
    bool unreachable;
    char error[256];
    char redirected_to[256];
    int64_t seconds_us;
};

struct caller {
    struct loop *loop;
    struct http_client *client;
    char base[64]; /* "http://127.0.0.1:4711" */
    struct http_request request;
    struct http_limits limits;
    struct seen_reply seen;
    int left;    /* replies to come before the loop ends */
    int replies; /* HTTP_REPLY among them */
    bool again;  /* on_reply sends once more from within */
};

enum { CALLER_TRANSFERS = 1024 };

static inline void caller_open(struct caller *c, const char *ca_file)
{
    const struct http_client_options options = {
        .max_transfers = CALLER_TRANSFERS, .user_agent = "ivr-test/1", .ca_file = ca_file};
    struct err err = ERR_INIT;
    memset(c, 0, sizeof(*c));
    c->loop = loop_new();
    assert_int_equal(http_client_new(&c->client, c->loop, &options, &err), 0);
    http_request_init(&c->request);
    c->limits = (struct http_limits){.timeout_ms = 30000, .idle_timeout_ms = 15000};
}

static inline void caller_close(struct caller *c)
{
    http_client_free(&c->client);
    http_request_done(&c->request);
    loop_free(&c->loop);
}

static inline void fill(struct caller *c, const char *method, const char *path)
{
    http_request_clear(&c->request);
    c->request.method = method;
    c->request.once = true;
    buf_addf(&c->request.url, "%s%s", c->base, path);
    if (strcmp(method, "POST") == 0)
        buf_adds(&c->request.body, "To=%2B254722000111");
}

static inline void send_filled(struct caller *c);

static inline void on_reply(const struct http_reply *reply, void *arg)
{
    struct caller *c = arg;
    struct seen_reply *seen = &c->seen;
    if (c->again) {
        c->again = false;
        send_filled(c); /* the slot is free already and is taken again: the body must stay readable */
    }
    *seen = (struct seen_reply){.times = seen->times + 1,
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
    if (reply->redirected_to.n > 0)
        (void)snprintf(seen->redirected_to, sizeof(seen->redirected_to), "%.*s",
                       SPAN_ARG(reply->redirected_to));
    (void)snprintf(seen->error, sizeof(seen->error), "%s", reply->error);
    c->replies += reply->outcome == HTTP_REPLY;
    if (--c->left == 0)
        loop_quit(c->loop);
}

static inline void send_filled(struct caller *c)
{
    struct http_slot *slot = http_slot_take(c->client);
    int times = c->seen.times;
    assert_non_null(slot);
    c->left++;
    http_send(c->client, &slot, &c->request, &c->limits, on_reply, c);
    assert_null(slot);
    assert_int_equal(c->seen.times, times); /* never called back before http_send() returns */
}

/* Sends one request and waits for its outcome. */
static inline const struct seen_reply *ask(struct caller *c, const char *method, const char *path)
{
    fill(c, method, path);
    c->seen.times = 0;
    send_filled(c);
    loop_run(c->loop);
    assert_int_equal(c->seen.times, 1);
    assert_int_equal(http_slots_free(c->client), CALLER_TRANSFERS);
    return &c->seen;
}

static inline void end_turns(void *arg)
{
    loop_quit(((struct caller *)arg)->loop);
}

static inline void turn_for(struct caller *c, int64_t ms)
{
    struct loop_timer *timer = loop_timer_start(c->loop, ms, 0, end_turns, c);
    loop_run(c->loop);
    loop_timer_stop(&timer);
}

static inline int listen_on_loopback(int *port)
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

#endif
