/*
 * The HTTP server (libmicrohttpd, its epoll descriptor on our loop): the gateway's public side, the admin
 * listener, and the simulator. HTTP/1.1, keep-alive, no TLS of its own (an ingress ends it).
 *
 * A request reaches the handler when its body is complete. The handler answers now or later, on this thread,
 * exactly once, with httpd_reply(); the request and all that it points to live until then. When the peer goes
 * away first, the handler's reply is swallowed: nothing else to do.
 */
#ifndef IVR_COMMON_HTTPD_H
#define IVR_COMMON_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/span.h"

struct httpd;
struct httpd_request;

typedef void (*httpd_fn)(struct httpd_request *req, void *arg);

struct httpd_options {
    const char *listen;       /* "0.0.0.0:8080", "127.0.0.1:0", "[::]:8080" */
    size_t max_body;          /* bytes; above it the peer gets 413 and the handler is not called */
    unsigned max_connections; /* further ones wait in the kernel's backlog */
    int64_t idle_timeout_ms;  /* connections with nothing to do, and requests that do not arrive, are closed
                                 after it */
    /* May be NULL: max_body holds for all. Asked when the headers are there: how large this body may be, at
     * most max_body. */
    size_t (*body_limit)(const struct httpd_request *req, void *arg);
    /* May be NULL. Told once of a request whose body is too large. */
    void (*too_large)(const struct httpd_request *req, void *arg);
    httpd_fn handler;
    void *arg;
};

/* ERR_CONFIG for an address that does not parse or bind. Ownership of nothing passes; `listen` is copied. */
int httpd_start(struct httpd **server, struct loop *loop, const struct httpd_options *options,
                struct err *err);
/* "127.0.0.1:43121": the address it got. */
const char *httpd_address(const struct httpd *server);
/* Stops accepting; requests already there, and those on kept connections, are still answered (and told to
 * close). */
void httpd_quiesce(struct httpd *server);
/* Requests handed to the handler and not yet answered. */
size_t httpd_open_requests(const struct httpd *server);
/* Closes everything, unanswered requests included (their handles die), and frees. Not from within the
 * handler. */
void httpd_stop(struct httpd **server);

const char *httpd_method(const struct httpd_request *req); /* "POST" */
struct span
httpd_target(const struct httpd_request *req);           /* path and query as sent, undecoded: "/a%20b?x=1" */
struct span httpd_path(const struct httpd_request *req); /* the part before '?', undecoded */
struct span
httpd_query(const struct httpd_request *req); /* the part after '?', undecoded; SPAN_NONE without */
struct span httpd_body(const struct httpd_request *req);
/* Case-insensitive name; SPAN_NONE when absent. */
struct span httpd_header(const struct httpd_request *req, const char *name);
int64_t httpd_received_wall_ms(const struct httpd_request *req);

/* The reply's body is copied. `type` NULL: no Content-Type. `extra` is NULL or "Name: value\r\n..." lines,
 * names below 64 bytes and values below 1 KiB. */
void httpd_reply(struct httpd_request *req, int status, const char *type, struct span body,
                 const char *extra);
/* For fault injection in the simulator: closes the connection without a byte of reply (RST when `reset`). */
void httpd_drop(struct httpd_request *req, bool reset);

#endif
