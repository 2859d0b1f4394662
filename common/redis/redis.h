/*
 * Redis (hiredis' async interface) on the loop: functions by FCALL, pipelined, answered exactly once. One
 * server, the primary that Sentinel names (common/redis/redis_sentinel.h), or a cluster
 * (common/redis/redis_cluster.h): the callers see no difference.
 *
 * Commands queued during a turn leave together at its end. Replies are positional, so a command that times
 * out condemns its connection: every pending caller of it gets REDIS_LOST, the connection is opened anew
 * (backoff 100 ms to 2 s), and what was in flight MAY have been executed - every script may safely run twice.
 * A function that the server has not got is handled here: the library is loaded
 * (common/redis/redis_library.h), the caller notices nothing; so is MOVED. LOADING, OOM, READONLY,
 * CLUSTERDOWN, TRYAGAIN and the like are REDIS_REFUSED with Redis' words: certainly not executed. A refused
 * command is not kept: the caller sends it again. What may have been executed is never sent again from here.
 *
 * Whether a server takes writes is tested (redis_prove): once a second each server runs a script that writes.
 * While it refuses that (OOM, MISCONF, NOREPLICAS, NOPERM, or any other word), it is neither up nor ready,
 * one log row has its words, and writing scripts are answered with these words at once, without being sent.
 * So callers that repeat them cost the server nothing. Scripts that only read or remove, and plain commands,
 * are still sent.
 *
 * With `replicas` > 0 every batch of writing scripts ends with a write of no meaning and WAIT, on each
 * connection that the batch went to; too few acknowledgements within 1 s is REDIS_UNACKED for that
 * connection's part. The write is PUBLISH to ivr:fence (a user with limited
 * rights needs that channel), in a cluster SET of the key KEYS[1]:fence.
 */
#ifndef IVR_COMMON_REDIS_H
#define IVR_COMMON_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/loop.h"

/* A library of functions as the build embeds it (build/gen/scripts.h): text without comments, and the name
 * that it gives itself, which no other content has. */
struct redis_library {
    const char *name;
    const char *text;
    size_t len;
};

/* One function of it. */
struct redis_script {
    const char *name;     /* "claim", for metrics and logs */
    const char *function; /* its name in Redis, unique among all libraries */
    bool writes;
    bool removes; /* it writes, but needs no memory: asked also of a Redis that refuses writes */
};

enum redis_status {
    REDIS_OK,      /* `reply` is set and no error */
    REDIS_REFUSED, /* an error reply: not executed (or a script error); `error` has Redis' words */
    REDIS_LOST,    /* no reply: may or may not have been executed */
    REDIS_UNACKED, /* executed, and `reply` is set, but too few replicas have it: a failover may undo it */
};

struct redis_result {
    enum redis_status status;
    const void *reply; /* struct redisReply, borrowed until the callback returns; NULL unless REDIS_OK
                          or REDIS_UNACKED */
    const char *error; /* "" when REDIS_OK */
};

typedef void (*redis_fn)(const struct redis_result *result, void *arg);

struct redis;

struct redis_options {
    const char *url;      /* common/redis/redis_url.h */
    const char *password; /* overrides the URL's; NULL */
    int replicas;
    int64_t timeout_ms;                  /* a command without reply for so long condemns the connection */
    const struct redis_library *library; /* of redis_eval(); NULL: plain commands alone */
};

/* ERR_CONFIG for a URL that does not parse or a scheme that this build cannot speak. Connects in the
 * background. */
int redis_new(struct redis **redis, struct loop *loop, const struct redis_options *options, struct err *err);
/* Checks the URL alone (--check). */
int redis_check_url(const char *url, struct err *err);
/* Pending callers get REDIS_LOST before it returns. Not to be called from a redis_fn. */
void redis_free(struct redis **redis);

/*
 * Queues FCALL with one key (all keys of a script begin with it and share its slot; a key of just that name
 * must never exist, common/redis/redis_cluster.h says why) and `argc` arguments, which are copied before it
 * returns. `fn` is called exactly once, never before redis_eval() returns. While there is no connection the
 * answer is REDIS_REFUSED ("not connected").
 */
void redis_eval(struct redis *redis, const struct redis_script *script, struct span key,
                const struct span *args, size_t argc, redis_fn fn, void *arg);
/* Any command but those that change what replies mean (SUBSCRIBE, MONITOR, ...); argv[0] its name. For
 * start-up checks and tools; `key_index` says which argument carries the slot (-1: none). */
void redis_command(struct redis *redis, const struct span *argv, size_t argc, int key_index, redis_fn fn,
                   void *arg);

/* The same for a question about a server's keys: how many servers have keys (a cluster's primaries), and one
 * of them, by number. */
size_t redis_servers(const struct redis *redis);
void redis_command_of(struct redis *redis, size_t server, const struct span *argv, size_t argc, redis_fn fn,
                      void *arg);

/* What is to be proved of each server, from its set-up on: `script` is run with one of `keys` (the first, on
 * each node of a cluster one of that node's). Both are borrowed for ever. Before the first turn of the
 * loop. */
void redis_prove(struct redis *redis, const struct redis_script *script, const struct span *keys, size_t n);

/* Connected (each primary), and writing scripts are taken. */
bool redis_up(const struct redis *redis);
/* A server answers, but refuses writing scripts, or us (NOAUTH, READONLY, no more clients): in its words. */
bool redis_refuses(struct redis *redis, struct buf *why);
/* Commands queued or out. */
size_t redis_pending(const struct redis *redis);
/* Connected (each primary), has our functions, takes what is proved, maxmemory-policy is noeviction, enough
 * replicas; otherwise why. FOR_PEOPLE also: no script was refused within the last seconds. */
enum redis_ready_for { REDIS_FOR_WORK, REDIS_FOR_PEOPLE };
bool redis_ready(struct redis *redis, enum redis_ready_for whom, struct buf *why);
/* Called at each change between up and down; one listener, may be NULL. */
void redis_on_state(struct redis *redis, void (*fn)(bool up, void *arg), void *arg);

/* Replies. Each returns false when the reply has another type. */
bool redis_reply_span(const void *reply, struct span *out); /* string or status */
bool redis_reply_int(const void *reply, int64_t *out);
bool redis_reply_nil(const void *reply);
/* Array: length, or -1. */
long redis_reply_len(const void *reply);
const void *redis_reply_at(const void *reply, size_t i);

#endif
