/*
 * Where the primary is, asked of Sentinels.
 *
 * They are asked in turn, each for at most 1 s; the first that knows the name is taken, unless another one
 * has told of a newer configuration (its epoch), so that a Sentinel that was cut off does not lead back to an
 * old primary. While connected, the last one that answered is asked once a second: `moved` is called when the
 * primary is another one. Whether it really is a primary the connection finds out itself (ROLE).
 */
#ifndef IVR_COMMON_REDIS_SENTINEL_H
#define IVR_COMMON_REDIS_SENTINEL_H

#include <stdbool.h>

#include "common/redis/redis_url.h"
#include "common/run/loop.h"

struct redis_sentinel;

struct redis_sentinel_events {
    void (*found)(const char *host, int port, void *arg); /* the answer to redis_sentinel_ask() */
    void (*failed)(const char *error, void *arg);         /* each was asked in vain */
    void (*moved)(void *arg);                             /* the answer is another one than before: ask */
    void *arg;
};

/* `address` (REDIS_SENTINEL) outlives it. */
struct redis_sentinel *redis_sentinel_new(struct loop *loop, const struct redis_address *address,
                                          const struct redis_sentinel_events *events);
void redis_sentinel_free(struct redis_sentinel **sentinel);
/* Answered once, later; a second question before the answer is the same question. `another`: what the present
 * Sentinel said did not help, begin with the next. */
void redis_sentinel_ask(struct redis_sentinel *sentinel, bool another);
/* At the end of a turn: true when answers were given. */
bool redis_sentinel_flush(struct redis_sentinel *sentinel);

#endif
