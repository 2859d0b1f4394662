/*
 * What the files of one connection (redis_conn_life.c, redis_look.c) share among themselves.
 */
#ifndef IVR_COMMON_REDIS_CONN_INSIDE_H
#define IVR_COMMON_REDIS_CONN_INSIDE_H

#include "common/redis/redis_conn.h"
#include "common/redis/redis_fit.h"
#include "common/redis/redis_library.h"
#include "common/redis/redis_reply.h"

enum conn_state { CONN_DOWN, CONN_LOCATING, CONN_RESOLVING, CONN_CONNECTING, CONN_SETUP, CONN_UP };

struct redis_conn {
    struct redis_conn_options options;
    enum conn_state state;
    int64_t since_mono_ms; /* of the attempt to connect */
    int64_t retry_mono_ms; /* DOWN: when to try again */
    int64_t look_mono_ms;  /* UP: when to look at policy and role again */
    int64_t proof_mono_ms; /* UP: when to ask for the next proof */
    struct span proof_key; /* {NULL, 0}: nothing is proved here */
    int64_t backoff_ms;
    unsigned attempts; /* picks among the addresses of a name */
    struct redis_dial *dial;
    redisAsyncContext *ac; /* NULL when there is none */
    struct redis_poll *poll;
    struct loop_timer *tick;
    struct fifo queue;
    struct fifo sent;
    struct fifo held;
    struct fifo refused;
    struct redis_script_use *scripts;
    struct redis_loading loading;
    uint64_t seq;
    uint64_t suspect_seq; /* the command that was overdue at the last tick, 0: none */
    bool wait_out;        /* a WAIT has not been answered */
    bool fenced;          /* the PUBLISH before it was taken */
    bool refenced;        /* with the key of another script than the first time */
    char fence[200];      /* CONN_NODE: the key whose writing WAIT covers, "": none yet */
    bool wants_auth;      /* CONN_SENTINEL: it wants a password */
    bool denied;          /* the server refused the last set-up, and will again */
    char host[256];       /* where the server is */
    char shown[320];      /* the same for logs and errors */
    bool gone;            /* hiredis ended the connection, conn_settle() is due */
    bool closing;
    bool proof_out;      /* a proof has not been answered */
    bool reported_takes; /* what the owner heard of it last */
    struct redis_fit fit;
    char error[200]; /* why it is down; the first cause counts */
    char cause[200]; /* the last one, until it is up */
};

/* Why the connection has to end, or did: the first cause counts. conn_settle() ends it. */
void conn_set_error(struct redis_conn *conn, const char *error);
/* One of our own commands, past the queue. `fn` gets the connection. */
void conn_send_own(struct redis_conn *conn, redis_fn fn, const struct span *argv, size_t argc);
/* The same for a script without arguments. */
void conn_send_own_script(struct redis_conn *conn, const struct redis_script *script, struct span key,
                          redis_fn fn);
/* It is set up. */
void conn_set_up(struct redis_conn *conn);
/* Whether it takes work may have changed: reports it to the owner. */
void conn_report_state(struct redis_conn *conn);
/* A write of no meaning, and WAIT. */
void conn_send_wait(struct redis_conn *conn);

/* ---- redis_look.c ---- */

/* AUTH, SELECT and a first look; ends with conn_set_up(), or with an error. */
void look_set_up(struct redis_conn *conn);
/* What is due by now: a look, a proof. */
void look_tick(struct redis_conn *conn, int64_t now_mono_ms);
/* Workers may stop taking work while it is not fit, so nothing else would find out that it is again. */
void look_soon(struct redis_conn *conn);
/* Something was refused: a proof tells whether all is. */
void look_for_proof(struct redis_conn *conn);
/* The last proof was granted, or there is nothing to prove here. */
bool look_is_proven(const struct redis_conn *conn);

#endif
