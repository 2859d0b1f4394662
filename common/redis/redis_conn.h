/*
 * One connection to one Redis server, kept up for ever: to the one Redis, to the primary that Sentinel names,
 * to each node of a cluster, to a Sentinel.
 *
 * States: DOWN (waiting to try again; commands are refused) -> LOCATING (Sentinel is asked where) ->
 * RESOLVING (the host's name) -> CONNECTING -> SETUP (AUTH, SELECT, PING, ROLE, the
 * maxmemory-policy, FUNCTION LOAD, the first proof) -> UP -> DOWN. Whatever ends a connection goes through
 * one function, which answers every pending command with REDIS_LOST, in order, and plans the next attempt.
 *
 * A command is in exactly one list: `queue` (this turn's batch), `sent` (replies are positional: its head is
 * the oldest), `held` (replied, but WAIT has not answered), `refused` (came while DOWN). With replicas to
 * wait for, one batch is out at a time: the next one collects meanwhile, otherwise batches behind a slow WAIT
 * would time out for no fault of theirs. What a cluster's node redirects goes back to the cluster.
 */
#ifndef IVR_COMMON_REDIS_CONN_H
#define IVR_COMMON_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/redis/redis_url.h"
#include "common/redis/redis_wire.h"
#include "common/run/loop.h"

struct redis_conn;

enum redis_conn_kind {
    CONN_NOTHING,
    CONN_PRIMARY,  /* a server that must be a primary */
    CONN_NODE,     /* of a cluster: a replica redirects by itself, and can tell the map */
    CONN_SENTINEL, /* user and password are for when it asks for them */
};

/* What is proved again and again (redis_prove); without a script: nothing. */
struct redis_proof {
    const struct redis_script *script;
    const struct span *keys; /* one of each slot that matters; a single server takes the first */
    size_t n;
};

struct redis_conn_options {
    struct loop *loop;
    const struct redis_address *address; /* outlives the connection */
    const struct redis_library *library; /* the same; NULL without functions */
    enum redis_conn_kind kind;
    int replicas;
    int64_t timeout_ms;
    const struct redis_proof *proof;      /* outlives the connection; may be filled in later, NULL: none */
    void (*state)(bool takes, void *arg); /* at each change of redis_conn_takes() */
    /* Before each attempt, where it is not NULL: answer with redis_conn_located() or redis_conn_unlocated(),
     * also before it returns. */
    void (*locate)(void *arg);
    /* CONN_NODE: a command with a slot got an error of the cluster's kind (ERROR_MOVED and those after it).
     * True when the command is taken over; it was not executed. Called from inside hiredis. */
    bool (*redirect)(struct redis_cmd *cmd, const struct redisReply *reply, void *arg);
    void *arg;
};

/* Starts to connect at once, in the background. */
struct redis_conn *redis_conn_new(const struct redis_conn_options *options);
/* Answers what is pending before it returns. */
void redis_conn_free(struct redis_conn **conn);

/* Takes the command; its answer never comes before this returns. */
void redis_conn_queue(struct redis_conn *conn, struct redis_cmd *cmd);
/* The same for a question about the server itself, of a connection that is up: it waits for no WAIT, and
 * leaves at once. */
void redis_conn_ask(struct redis_conn *conn, struct redis_cmd *cmd);
/* The end of a turn: refuses what cannot be sent, sends the batch. True when answers were given. */
bool redis_conn_flush(struct redis_conn *conn);

/* Where the server is, for an attempt that asked. */
void redis_conn_located(struct redis_conn *conn, const char *host, int port);
void redis_conn_unlocated(struct redis_conn *conn, const char *error);
/* Ends what there is and begins anew at once: the server is another one now. Not from inside a callback of
 * this connection. */
void redis_conn_renew(struct redis_conn *conn, const char *why);

/* Connected. */
bool redis_conn_up(const struct redis_conn *conn);
/* Connected, and the last proof was granted: it takes writing scripts. */
bool redis_conn_takes(const struct redis_conn *conn);
/* It answers, and refuses them, or us: in its words. */
bool redis_conn_refuses(const struct redis_conn *conn, struct buf *why);
/* CONN_NODE: with which key to prove (borrowed), {NULL, 0} where none of ours is there. */
void redis_conn_prove(struct redis_conn *conn, struct span key);
/* Neither up nor trying at this moment. */
bool redis_conn_down(const struct redis_conn *conn);
size_t redis_conn_pending(const struct redis_conn *conn);
bool redis_conn_ready(const struct redis_conn *conn, enum redis_ready_for whom, struct buf *why);

#endif
