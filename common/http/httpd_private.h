/* What the files of the HTTP server share; httpd.h is the manual. */
#ifndef IVR_COMMON_HTTPD_PRIVATE_H
#define IVR_COMMON_HTTPD_PRIVATE_H

#include "common/base/buf.h"
#include "common/http/httpd.h"
#include "common/http/httpd_chunked.h"
#include "common/http/httpd_head.h"
#include "common/run/metrics.h"

/*
 * A connection is in the list of its state, behind those that came into this state before it: so the first of
 * a list has waited longest. Only conn_move() changes it.
 *
 *     idle       waits for a request
 *     turn       has bytes of the next request already, and reads on at the next turn of the loop
 *     reading    a request is arriving
 *     serving    the request is with the handler, which is in its call or will answer later
 *     sending    the reply did not fit the socket's buffer
 *     lingering  answered and closed for writing, while the peer still sends: closing it at once would be a
 *                reset, which can take the reply away from under the peer
 *     closed     in no list; freed when the loop has let go
 */
enum conn_state {
    CONN_IDLE,
    CONN_TURN,
    CONN_READING,
    CONN_SERVING,
    CONN_SENDING,
    CONN_LINGERING,
    CONN_CLOSED
};
enum { CONN_LISTS = CONN_CLOSED };

/* Why a connection ends that did not end by itself: the reason in ivr_http_refused_total. */
enum httpd_reason { REASON_FULL, REASON_DESCRIPTORS, REASON_MEMORY, REASON_LATE, REASON_MALFORMED, REASONS };

struct conn {
    struct conn *prev, *next;
    struct httpd *server;
    uv_poll_t poll;
    int fd;
    enum conn_state state;
    int64_t since_mono_ms; /* in this state */
    int watched;           /* UV_READABLE, UV_WRITABLE */
    bool feeding;          /* conn_feed() is below us on the stack */
    bool close_after;      /* the reply on its way */
    bool linger_after;     /* the same, and the peer may still be sending */
    size_t charged;        /* of the server's memory */
    size_t lingered;       /* bytes read past */
    struct httpd_request *req;
    struct buf later; /* bytes behind the request that is with the handler */
    struct buf out;   /* what is left to send */
    size_t out_sent;
};

struct conn_list {
    struct conn *first, *last;
    size_t n;
};

struct httpd_request {
    struct httpd_request *next; /* among the spare ones */
    struct httpd *server;
    struct conn *conn;
    struct buf text; /* the head, as it came */
    size_t scanned;  /* so much of it holds no end of the head */
    unsigned blank_lines;
    bool headed;
    struct httpd_head head;
    struct buf body;
    size_t max_body;
    uint64_t left; /* of a body with a length */
    struct chunked chunked;
    int64_t received_wall_ms;
};

struct httpd {
    struct loop *loop;
    struct httpd_options options;
    char address[80];
    int fd; /* listens; -1 after quiesce */
    uv_poll_t poll;
    uv_timer_t sweep; /* deadlines, and trying to accept again */
    struct loop_soon *soon;
    size_t handles; /* not yet closed */
    bool quiesced, stopping;
    bool accepting;
    int max_fd; /* a connection's descriptor is below it */
    size_t max_connections;
    size_t connections;
    size_t held; /* bytes, see options.max_memory */
    int64_t timeouts_ms[CONN_LISTS];
    struct conn_list lists[CONN_LISTS];
    struct httpd_request *spare;
    size_t spare_n;
    struct metric_series *connections_metric;
    struct metric_series *refused_metric[REASONS];
    struct buf reply_head; /* of the reply that is being written */
    int64_t date_wall_s;
    char date[40]; /* the Date header's value of that second */
};

/* ---- httpd_conn.c ---- */

/* Takes the descriptor over. */
void conn_open(struct httpd *server, int fd);
/* Its descriptor is free again at the return; the struct is when the loop has let go of it. */
void conn_close(struct conn *c);
void conn_move(struct conn *c, enum conn_state state);
void conn_watch(struct conn *c, int events);
/* What the connection holds now counts. */
void conn_charge(struct conn *c);
/* The reply is on the wire, or none will be: ends the request, and goes on with what follows. */
void conn_replied(struct conn *c);
/* Sends what is left; the peer may be gone afterwards. */
void conn_flush(struct conn *c);
/* Each connection that waits for its turn has it. */
void conns_take_turns(void *server);
void conn_free_spare(struct httpd *server);

/* ---- httpd_listen.c ---- */

int listener_open(struct httpd *server, const char *text, struct err *err);
/* Accepts from now on, or again. */
void listener_start(struct httpd *server);
void listener_pause(struct httpd *server);
/* Counts and logs why a connection ends. */
void listener_note(struct httpd *server, enum httpd_reason reason);
/* Whether `bytes` more may be held; ends requests that are arriving, but not `self`, where that helps. */
bool listener_has_room(struct httpd *server, const struct conn *self, size_t bytes);
/* Closes what is past its deadline. */
void listener_sweep(struct httpd *server);

/* ---- httpd_reply.c ---- */

/* An answer of the server itself to a request that it does not take; the connection is closed behind it. */
void reply_refusal(struct conn *c, int status, const char *why);
/* "100 Continue": the peer waits for leave to send its body. */
void reply_continue(struct conn *c);

#endif
