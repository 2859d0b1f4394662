/*
 * A Redis command of ours: whom to answer, and its bytes on the wire.
 *
 * The bytes are written once, by hand, into the command's own allocation, and kept until the answer is there,
 * because a function that the server had not got is called again once it has (common/redis/redis_library.h).
 * Life: queued -> sent -> [held until WAIT] -> answered, freed; the connection (redis_conn) moves it from
 * list to list.
 */
#ifndef IVR_COMMON_REDIS_WIRE_H
#define IVR_COMMON_REDIS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fifo.h"
#include "common/base/span.h"
#include "common/redis/redis.h"

struct redisReply;
struct metric_series;

/* What a connection knows of one script: a list of all that were called on it. */
struct redis_script_use {
    struct redis_script_use *next;
    const struct redis_script *script;
    struct metric_series *seconds;
};

/* Made on first use. */
struct redis_script_use *redis_script_use(struct redis_script_use **list, const struct redis_script *script);
void redis_script_uses_free(struct redis_script_use **list);

struct redis_cmd {
    struct fifo_link link;
    const struct redis_script *script; /* NULL: a plain command */
    struct redis_script_use *use;      /* the connection's notes on the script, set when first queued */
    redis_fn fn;                       /* may be NULL: nobody wants to know */
    void *arg;
    int64_t queued_mono_us;
    int64_t sent_mono_ms;
    uint64_t sent_seq;       /* position among all commands sent on this connection */
    struct redisReply *held; /* owned: the reply, until the replicas acknowledged */
    int resends;
    int redirects; /* how often a cluster sent it elsewhere */
    int slot;      /* of its key in a cluster, -1: it has none */
    size_t key_at; /* where in `wire` a script's key stands */
    size_t key_n;
    bool asking; /* ASKING goes before it */
    bool hold;   /* a WAIT follows it */
    size_t wire_n;
    char wire[];
};

/* Of a list of commands: its first (NULL when it is empty), left in it or taken out, and the one behind. */
#define REDIS_CMD_FIRST(list) FIFO_FIRST(list, struct redis_cmd, link)
#define REDIS_CMD_TAKE(list)  FIFO_TAKE(list, struct redis_cmd, link)
#define REDIS_CMD_NEXT(cmd)   FIFO_NEXT(cmd, struct redis_cmd, link)

/* FCALL with one key. */
struct redis_cmd *redis_cmd_eval(const struct redis_script *script, struct span key, const struct span *args,
                                 size_t argc, redis_fn fn, void *arg);
struct redis_cmd *redis_cmd_plain(const struct span *argv, size_t argc, redis_fn fn, void *arg);
/* Frees; `held` too. */
void redis_cmd_free(struct redis_cmd **cmd);

#endif
