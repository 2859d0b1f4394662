/*
 * Beginning a connection: the name is looked up on the loop (hiredis would block), then hiredis connects to
 * one of its addresses.
 */
#ifndef IVR_COMMON_REDIS_DIAL_H
#define IVR_COMMON_REDIS_DIAL_H

#include <uv.h>

struct redisAsyncContext;
struct redis_dial;

/* `ac` is being connected and the callee's, or NULL with the cause in `error`. */
typedef void (*redis_dialled_fn)(struct redisAsyncContext *ac, const char *error, void *arg);

/* Looks `host` up; `nth` picks among several addresses, round and round, since there may be dead ones among
 * them. `fn` is called once, later; NULL with `error` set when it cannot even begin. */
struct redis_dial *redis_dial_start(uv_loop_t *loop, const char *host, int port, unsigned nth,
                                    redis_dialled_fn fn, void *arg, const char **error);
/* `fn` will not be called any more. */
void redis_dial_cancel(struct redis_dial **dial);

#endif
