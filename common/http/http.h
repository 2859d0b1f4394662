/*
 * The HTTP client (libcurl, curl_multi_socket_action on our loop): placing calls, looking them up.
 *
 * A transfer slot is the right to have one request out. The caller takes the slot BEFORE it claims a call,
 * because between claim and send nothing may wait. At most `max_transfers` slots exist; their easy handles
 * are reused. Several multi handles share the load: a multi looks for an idle connection along a list, so
 * small ones are cheaper than one large.
 *
 * What a caller is told is how far the request got, not only that it failed ("did it happen?" apart from "did
 * it fail?"):
 *
 * - HTTP_REPLY: a complete response: status, headers we keep, body.
 * - HTTP_NOT_SENT: certainly no byte of this request reached the peer: name not resolved, connection
 *   refused or not made in time, TLS failed, our own limit before the send. `refused_late` says that it would
 *   have left later than `send_before_mono_ms` (the owner may be a zombie that just woke up).
 * - HTTP_IN_DOUBT: anything else: time-out or reset after the request may have left, a broken or too large
 *   response.
 *
 * The trap this closes: libcurl resends a request by itself when a kept connection dies without a byte of
 * reply, and reports the second answer as if nothing had happened. Every send, on whatever connection, passes
 * CURLOPT_PREREQFUNCTION, which counts them; for a request marked `once` a second send is refused and the
 * outcome is HTTP_IN_DOUBT. Redirects are never followed. Idle connections are closed after the channel's
 * idle_timeout (15 s), since a stale one puts calls in doubt. A Retry-After header is parsed.
 *
 * Compressed replies are asked for and read: gzip and deflate, brotli and zstd as libcurl was built. The
 * bound (HTTP_MAX_REPLY) is that of what comes out. A body that cannot be unpacked is an empty one, with its
 * status.
 *
 * Over TLS it is HTTP/2 where the peer offers it: the transfers of one multi, at most 16, are streams of one
 * connection. A stream that fails leaves the others alone; a connection that dies puts all of its in doubt.
 * libcurl sends again here, too (a refused stream, a demand for HTTP/1.1), and is refused as above: also what
 * the peer says it has not processed is in doubt, because libcurl does not tell us that it said so.
 */
#ifndef IVR_COMMON_HTTP_H
#define IVR_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/loop.h"

enum { HTTP_MAX_REPLY = 256 * 1024, HTTP_MAX_HEADERS = 16 };

/*
 * What to send. The adapter fills it; everything is copied or used before http_send() returns. A request that
 * overflowed a buffer (URL 8 KiB, headers 16 KiB, user 1 KiB, password 8 KiB, body 1 MiB) or has no URL ends
 * as HTTP_NOT_SENT.
 */
struct http_request {
    const char *method; /* "POST", "GET", "PUT", "DELETE"; static */
    struct buf url;
    struct buf headers; /* "Name: value\n" lines, at most HTTP_MAX_HEADERS (with the Authorization) */
    struct buf user;    /* Basic authentication: user name; empty: none */
    struct buf password;
    struct buf body;
    bool once; /* a second send of it must never happen: every placement */
};

void http_request_init(struct http_request *request);
void http_request_clear(struct http_request *request); /* keeps the memory */
void http_request_done(struct http_request *request);  /* wipes and frees: it held secrets */

/* HTTP_NOTHING: there is no outcome yet; no callback gets it. */
enum http_outcome { HTTP_NOTHING, HTTP_REPLY, HTTP_NOT_SENT, HTTP_IN_DOUBT };

struct http_reply {
    enum http_outcome outcome;
    int status;                /* 0 unless HTTP_REPLY */
    struct span body;          /* borrowed until the callback returns; complete only with HTTP_REPLY */
    struct span redirected_to; /* of a 3xx: where Location points, as an absolute URL, borrowed as `body` is;
                                  SPAN_NONE without, and where it is too long */
    int64_t retry_after_ms;    /* from Retry-After (seconds or date), -1 without */
    bool refused_late;         /* HTTP_NOT_SENT because of send_before_mono_ms or reuse_before_mono_ms */
    int64_t sent_mono_ms;      /* when it left; 0: it did not */
    bool unreachable;          /* HTTP_NOT_SENT because the peer could not be contacted (DNS, connect, TLS) */
    const char *error;         /* libcurl's words, "" when HTTP_REPLY */
    int64_t seconds_us;        /* how long it took, microseconds */
};

typedef void (*http_fn)(const struct http_reply *reply, void *arg);

struct http_client;
struct http_slot;

struct http_client_options {
    unsigned max_transfers;
    const char *user_agent; /* copied; NULL: "ivr-workers" */
    /* Copied; PEM of the authorities that TLS peers must be signed by. NULL: the system's. */
    const char *ca_file;
};

struct http_limits {
    int64_t timeout_ms;          /* for the whole request */
    int64_t connect_timeout_ms;  /* for name, TCP and TLS; what it ends was not sent; 0: timeout_ms alone */
    int64_t idle_timeout_ms;     /* how long a kept connection may have been idle to be used again */
    int64_t send_before_mono_ms; /* the request line must not leave later than this; 0: no such limit */
    /* The same on a connection that stood already; 0: no such limit. Nobody knows beforehand how long a new
     * one takes, and it would be closed unused. */
    int64_t reuse_before_mono_ms;
};

int http_client_new(struct http_client **client, struct loop *loop, const struct http_client_options *options,
                    struct err *err);
/* Ends what is still out (their callbacks are NOT called) and frees. Not from within a callback of this
 * client. */
void http_client_free(struct http_client **client);

/* NULL when all are taken. Give it back with http_slot_release unless http_send() took it over. */
struct http_slot *http_slot_take(struct http_client *client);
void http_slot_release(struct http_client *client, struct http_slot **slot);
unsigned http_slots_free(const struct http_client *client);

/* Sends; takes the slot over (sets it NULL), which is free again just before `fn` runs. `fn` is called
 * exactly once, never before http_send() returns. */
void http_send(struct http_client *client, struct http_slot **slot, const struct http_request *request,
               const struct http_limits *limits, http_fn fn, void *arg);

#endif
