/*
 * Whether the server of a connection has our library of functions, and how it gets it.
 *
 * It is loaded whenever a connection is set up: so a server without functions is found out, and rights that
 * are missing. A server can lose it later (a restart without persistence, a failover to a replica that had
 * not got it, FUNCTION FLUSH or DELETE). The first command that misses it has it loaded, and is called again
 * behind that in the same pipeline, like all that missed it meanwhile. What missed it was not executed, so
 * nothing is executed twice.
 *
 * The name of a library is a hash of its content. So two versions of ours stand side by side, and "already
 * exists" is as good as loaded. Workers never delete another version's: one may still use it. An operator
 * may delete any, at any time (deploy/README.md): a worker that uses it loads it again.
 */
#ifndef IVR_COMMON_REDIS_LIBRARY_H
#define IVR_COMMON_REDIS_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis/redis.h"
#include "common/redis/redis_wire.h"

/* Embedded in a connection, which sets the first members. */
struct redis_loading {
    const struct redis_library *library; /* NULL: nothing is loaded */
    bool of_cluster;                     /* a replica does not load it, it has what its primary has */
    /* Sends at once, past the queue; the command is the callee's. */
    void (*send)(struct redis_cmd *cmd, void *arg);
    /* `error` is set. `for_good`: the server knows no functions. */
    void (*refused)(bool for_good, void *arg);
    void *arg;
    uint64_t sent_seq; /* when FUNCTION LOAD last went out */
    bool unknown;      /* the server does not know the command, and is asked for its version */
    char error[200];   /* why the library is not there, with Redis' words; "" */
};

/* Forgets what the server before said. */
void redis_loading_begin(struct redis_loading *loading);
void redis_loading_send(struct redis_loading *loading);
/* A command found no function: false when it is in vain to call it again, because loading was refused.
 * Otherwise the library is on its way, and what is sent from now on finds it. */
bool redis_loading_missed(struct redis_loading *loading, const struct redis_cmd *cmd);
/* Whether the command is FUNCTION LOAD: READONLY to it condemns nothing. */
bool redis_loading_is(const struct redis_cmd *cmd);

#endif
