/*
 * A request that waits for Redis: asked at once, asked again every LOOKUP_AGAIN_MS while the answer is "not
 * yet" or Redis does not answer, and given up at the deadline. Whoever serves the request embeds the struct
 * as the first member of its own, sets the members that are not private, and calls lookup_start().
 *
 * Each answer of the store is handled like this:
 *
 *     static void on_answer(enum store_status status, ..., void *arg)
 *     {
 *         struct mine *mine = arg;
 *         if (!lookup_answered(&mine->lookup))
 *             return;                       the request was given up meanwhile, and `mine` is freed
 *         if (status != STORE_OK)
 *             return;                       it is asked again later
 *         if (there is one more question)
 *             lookup_ask(&mine->lookup);    asks it at once
 *         else {
 *             respond_...();
 *             lookup_end(&mine->lookup);    the request was answered: frees `mine`
 *         }
 *     }
 */
#ifndef IVR_GATEWAY_LOOKUP_H
#define IVR_GATEWAY_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "workers/gateway/gateway.h"

enum {
    LOOKUP_AGAIN_MS = 100,
    LOOKUP_LIMIT_MS = 1800, /* contract: within 2 s; noticed up to LOOKUP_AGAIN_MS later */
};

struct lookup {
    struct gateway *g;
    struct httpd_request *req;
    void (*ask)(struct lookup *lookup);     /* one question to the store */
    void (*give_up)(struct lookup *lookup); /* answers the request: the time is over */
    void (*free)(struct lookup *lookup);    /* frees the whole struct */
    /* private */
    struct lookup *prev, *next;
    int64_t until_mono_ms;
    bool asking; /* an answer of the store is still to come */
    bool ended;  /* the request is answered */
};

void lookup_start(struct lookup *lookup);
/* STORE_UNREADABLE: 500 with what is wrong, since asking again does not help. True when it was that. */
bool lookup_unreadable(struct lookup *lookup, enum store_status status) __attribute__((warn_unused_result));
bool lookup_answered(struct lookup *lookup) __attribute__((warn_unused_result));
void lookup_ask(struct lookup *lookup);
void lookup_end(struct lookup *lookup);

/* The timer behind all of them; lookups_close() frees those whose answer is not to come any more (the others
 * are freed by it). */
void lookups_open(struct gateway *g);
void lookups_close(struct gateway *g);

#endif
