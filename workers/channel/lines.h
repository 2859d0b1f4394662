/*
 * The lines of a channel stand in two lists of Redis. The shards' list (":lined", lib/layout.lua) changes with the
 * calls and is the truth; the channel's own list (":lines", admit.lua) is the one that is counted. Ordinarily they agree
 * within moments, by the outbox (workers/program/give_back.h). A failover can lose the last writes to either of them. So
 * the two are compared: what the channel lost is put back, and what no claim has is given back.
 */
#ifndef IVR_CHANNEL_LINES_H
#define IVR_CHANNEL_LINES_H

#include "workers/store/store.h"

enum { LINES_PAGE = 64, LINES_CURSOR_MAX = 24 };

struct line {
    struct span channel;
    struct span ref; /* "tenant/call_id/claim_no" */
    int64_t deadline_ms;
};
/* A page of a shard's list; the next one begins at `cursor`, "0" after the last. A page may be longer than
 * LINES_PAGE: what is behind 2 * LINES_PAGE comes in the next round. */
typedef void (*lines_known_fn)(enum store_status status, struct span cursor, const struct line *lines,
                               size_t n, void *arg);
void lines_known(struct store *store, unsigned shard, struct span cursor, lines_known_fn fn, void *arg);
/* Puts the line on its channel's list where it is not. Where Redis does not answer, the next round does it. */
void lines_restore(struct store *store, const struct line *line);

/* A page of a channel's list, without the lines of tickets in hand. */
typedef void (*lines_held_fn)(enum store_status status, struct span cursor, const struct span *refs, size_t n,
                              void *arg);
void lines_held(struct store *store, struct span channel, struct span cursor, lines_held_fn fn, void *arg);
/* Gives a line back. Twice is once. */
typedef void (*lines_release_fn)(enum store_status status, void *arg);
void lines_release(struct store *store, struct span channel, struct span ref, lines_release_fn fn, void *arg);
/* Gives the line back, unless the shard has it too. */
void lines_release_unknown(struct store *store, struct span channel, struct span ref);

#endif
