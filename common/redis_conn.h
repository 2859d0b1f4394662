/*
 * One connection to one Redis server, kept up for ever. struct redis has one today; a cluster has one a node.
 *
 * States: DOWN (waiting to try again; commands are refused) -> RESOLVING (the host's name) -> CONNECTING ->
 * SETUP (AUTH, SELECT, PING, ROLE, the maxmemory-policy) -> UP -> DOWN. Whatever ends a connection goes
 * through one function, which answers every pending command with REDIS_LOST, in order, and plans the next
 * attempt.
 *
 * A command is in exactly one list: `queue` (this turn's batch), `sent` (replies are positional: its head is
 * the oldest), `held` (replied, but WAIT has not answered), `refused` (came while DOWN). With replicas to
 * wait for, one batch is out at a time: the next one collects meanwhile, otherwise batches behind a slow WAIT
 * would time out for no fault of theirs.
 */
#ifndef IVR_COMMON_REDIS_CONN_H
#define IVR_COMMON_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/redis_url.h"
#include "common/redis_wire.h"

struct redis_conn;

struct redis_conn_options {
    struct loop *loop;
    const struct redis_address *address; /* outlives the connection */
    int replicas;
    int64_t timeout_ms;
    void (*state)(bool up, void *arg);
    void *arg;
};

/* Starts to connect at once, in the background. */
struct redis_conn *redis_conn_new(const struct redis_conn_options *options);
/* Answers what is pending before it returns. */
void redis_conn_free(struct redis_conn **conn);

/* Takes the command; its answer never comes before this returns. */
void redis_conn_queue(struct redis_conn *conn, struct redis_cmd *cmd);
/* The end of a turn: refuses what cannot be sent, sends the batch. True when answers were given. */
bool redis_conn_flush(struct redis_conn *conn);

bool redis_conn_up(const struct redis_conn *conn);
size_t redis_conn_pending(const struct redis_conn *conn);
bool redis_conn_ready(const struct redis_conn *conn, struct buf *why);

#endif
