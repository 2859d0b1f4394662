/*
 * hiredis' async context on libuv. Ours because Debian's header differs between releases and writes at once:
 * here a command that is queued asks for nothing but a flag, the batch is written once at the end of the turn
 * (redis_poll_flush), and the socket is polled for writing only while it did not take everything.
 */
#ifndef IVR_COMMON_REDIS_POLL_H
#define IVR_COMMON_REDIS_POLL_H

#include <stdbool.h>
#include <uv.h>

struct redisAsyncContext;
struct redis_poll;

/* `gone` is called from inside hiredis when the context dies, whoever ended it, with hiredis' words: forget
 * the context. `turned` is called after each time hiredis was let at the socket: nothing of hiredis is on the
 * stack any more. */
struct redis_poll_events {
    void (*gone)(const char *error, void *arg);
    void (*turned)(void *arg);
    void *arg;
};

/* Attaches to a context that is being connected. Lives until the context is freed. NULL when libuv
 * refuses. */
struct redis_poll *redis_poll_attach(struct redisAsyncContext *ac, uv_loop_t *loop,
                                     const struct redis_poll_events *events);
/* Writes what was queued. The context may be gone afterwards. */
void redis_poll_flush(struct redis_poll *poll);

#endif
