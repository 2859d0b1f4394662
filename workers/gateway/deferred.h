/*
 * A request that waits for Redis: asked at once, asked again every DEFERRED_AGAIN_MS while the answer is
 * "not yet" or Redis does not answer, and given up at the deadline. Whoever serves the request embeds the
 * struct as the first member of its own, sets the members that are not private, and calls deferred_start().
 *
 * Each answer of the store is handled like this:
 *
 *     static void on_answer(enum store_status status, ..., void *arg)
 *     {
 *         struct mine *mine = arg;
 *         if (!deferred_answered(&mine->deferred))
 *             return;                       the request was given up meanwhile, and `mine` is freed
 *         if (status != STORE_OK)
 *             return;                       it is asked again later
 *         if (there is one more question)
 *             deferred_ask(&mine->deferred);  asks it at once
 *         else {
 *             respond_...();
 *             deferred_end(&mine->deferred);  the request was answered: frees `mine`
 *         }
 *     }
 */
#ifndef IVR_GATEWAY_DEFERRED_H
#define IVR_GATEWAY_DEFERRED_H

#include <stdbool.h>
#include <stdint.h>

#include "workers/gateway/gateway.h"

enum {
    DEFERRED_AGAIN_MS = 100,
    DEFERRED_LIMIT_MS = 1800, /* contract: within 2 s; noticed up to DEFERRED_AGAIN_MS later */
};

struct deferred {
    struct gateway *g;
    struct httpd_request *req;
    void (*ask)(struct deferred *deferred);     /* one question to the store */
    void (*give_up)(struct deferred *deferred); /* answers the request: the time is over */
    void (*free)(struct deferred *deferred);    /* frees the whole struct */
    /* private */
    struct deferred *prev, *next;
    int64_t until_mono_ms;
    bool asking; /* an answer of the store is still to come */
    bool ended;  /* the request is answered */
};

void deferred_start(struct deferred *deferred);
/* STORE_UNREADABLE: 500 with what is wrong, since asking again does not help. True when it was that. */
bool deferred_unreadable(struct deferred *deferred, enum store_status status)
    __attribute__((warn_unused_result));
bool deferred_answered(struct deferred *deferred) __attribute__((warn_unused_result));
void deferred_ask(struct deferred *deferred);
void deferred_end(struct deferred *deferred);

/* The timer behind all of them; deferred_close() frees those whose answer is not to come any more (the others
 * are freed by it). */
void deferred_open(struct gateway *g);
void deferred_close(struct gateway *g);

#endif
