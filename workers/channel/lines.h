/*
 * Lines that a channel's slot forgot, and lines that nobody gave back: the two lists beside each other. The
 * shards' list (":lined", lib/layout.lua) changes with the calls and is the truth; the channel's (":lines",
 * admit.lua) is the one that is counted. Ordinarily they agree within moments, by the outbox (workers/program/give_back.h); a
 * failover can lose either's last writes.
 */
#ifndef IVR_STORE_LINES_H
#define IVR_STORE_LINES_H

#include "workers/store/store.h"

enum { LINES_PAGE = 64, LINES_CURSOR_MAX = 24 };

struct line {
    struct span channel;
    struct span ref; /* "tenant/call_id/claim" */
    int64_t deadline_ms;
};
/* A page of a shard's list; the next one begins at `cursor`, "0" after the last. A page may be longer than
 * LINES_PAGE: what is behind 2 * LINES_PAGE comes in the next round. */
typedef void (*lines_known_fn)(enum store_status status, struct span cursor, const struct line *lines,
                               size_t n, void *arg);
void lines_known(struct store *store, unsigned shard, struct span cursor, lines_known_fn fn, void *arg);
/* Puts them on their channel's list where they are not. No answer: the next round does. */
void lines_restore(struct store *store, const struct line *line);

/* A page of a channel's list, without what is in hand. */
typedef void (*lines_held_fn)(enum store_status status, struct span cursor, const struct span *refs, size_t n,
                              void *arg);
void lines_held(struct store *store, struct span channel, struct span cursor, lines_held_fn fn, void *arg);
/* Gives a line back; twice is once. */
typedef void (*lines_release_fn)(enum store_status status, void *arg);
void lines_release(struct store *store, struct span channel, struct span ref, lines_release_fn fn, void *arg);
/* Gives the line back unless the shard knows it. */
void lines_release_unknown(struct store *store, struct span channel, struct span ref);

#endif
