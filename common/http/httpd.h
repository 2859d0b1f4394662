/*
 * The HTTP server: the gateway's public side, the admin listener, and the simulator. HTTP/1.1, keep-alive, no
 * TLS of its own (an ingress ends it).
 *
 * A request reaches the handler when its body is complete. The handler answers now or later, on this thread,
 * exactly once, with httpd_reply(); the request and all that it points to live until then. When the peer goes
 * away first, the handler's reply is swallowed: nothing else to do.
 *
 * What strangers can take of it is bounded. Connections: when all places are taken, the one that has waited
 * longest without a request at the handler makes room (a request that drips in waits too). Descriptors: a
 * listener leaves some to the rest of the process. Memory: heads, bodies and unsent replies of all
 * connections share a budget; where it does not do, requests that are still arriving make room, and then
 * there is 503. Time: an idle connection, a request that does not become complete and a reply that is not
 * taken have deadlines. Each closing of that kind is counted in ivr_http_refused_total{listener,reason} and
 * logged, at most once a second.
 *
 * The files:
 *
 *     httpd_server    what stands here, but for the replies
 *     httpd_listen    accepting, and which connection makes room
 *     httpd_conn      a connection's life
 *     httpd_head      reading a head, strictly
 *     httpd_chunked   reading a body in chunks
 *     httpd_reply     writing replies
 *     httpd_private   what these share
 */
#ifndef IVR_COMMON_HTTPD_H
#define IVR_COMMON_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/loop.h"

struct httpd;
struct httpd_request;

typedef void (*httpd_fn)(struct httpd_request *req, void *arg);

struct httpd_options {
    const char *name;           /* in logs and metrics; kept, not copied. NULL: "http" */
    const char *listen;         /* "0.0.0.0:8080", "127.0.0.1:0", "[::]:8080" */
    size_t max_body;            /* bytes; above it the peer gets 413 and the handler is not called */
    size_t max_memory;          /* bytes of all requests together; 0: 64 MiB */
    unsigned max_connections;   /* fewer where the process may not open so many files */
    unsigned spare_descriptors; /* so many of the highest numbers this listener leaves to others */
    int64_t idle_timeout_ms;    /* kept connections without a request end after it, and replies not taken */
    int64_t request_timeout_ms; /* from its first byte a request must be complete; 0: twice the idle time */
    /*
     * May be NULL. Asked when the head is there and before any of the body is stored: how large the body may
     * be, at most max_body. When it has answered the request by its return, the body is read past and
     * forgotten, the connection closed behind the reply, and the handler is not called.
     */
    size_t (*admit)(struct httpd_request *req, void *arg);
    /* May be NULL. Told of a request whose body was not taken: 413, too large, or 503, no memory left for
     * it. */
    void (*refused)(const struct httpd_request *req, int status, void *arg);
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
/* Path and query as sent, undecoded: "/a%20b?x=1"; of a target that is a whole URL, what follows the host. */
struct span httpd_target(const struct httpd_request *req);
/* The part before '?', undecoded. */
struct span httpd_path(const struct httpd_request *req);
/* The part after '?', undecoded; SPAN_NONE without. */
struct span httpd_query(const struct httpd_request *req);
struct span httpd_body(const struct httpd_request *req);
/* Case-insensitive name; SPAN_NONE when absent. "Host" is the host that was asked for: the one of a whole URL
 * goes before the header. */
struct span httpd_header(const struct httpd_request *req, const char *name);
int64_t httpd_received_wall_ms(const struct httpd_request *req);

/* The reply's body is copied. `type` NULL: no Content-Type. `extra` is NULL or "Name: value\r\n..." lines. */
void httpd_reply(struct httpd_request *req, int status, const char *type, struct span body,
                 const char *extra);
/* For fault injection in the simulator: closes the connection without a byte of reply (RST when `reset`). */
void httpd_drop(struct httpd_request *req, bool reset);

#endif
