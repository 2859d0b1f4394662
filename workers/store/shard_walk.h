/*
 * A walk over all shards, round after round, for as long as a worker lives: looking for what is due, what is
 * overdue and what somebody left behind. The walk says whose turn it is; whoever walks asks the shard.
 *
 *                   a round (`round_ms`)        a round              a round
 *   one by one      0 . 1 . 2 . 3 . 4 . 5 . 6 | 0 . 1 . 2 . 3 . ...              evenly over the round
 *   together        36124 0 5 6             . | 24560 1 3 ...                    all of them, from any one on
 *
 * Replicas do not walk in step: each begins at a random shard and at a random moment.
 */
#ifndef IVR_STORE_SHARD_WALK_H
#define IVR_STORE_SHARD_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/run/loop.h"

struct shard_walk;

struct shard_walk_rules {
    int64_t round_ms; /* in which each shard has its turn; a step is at least 1 ms */
    bool together;    /* all shards at the beginning of the round; otherwise one by one */
    bool alone;       /* no question while another one is without an answer, whatever the shard */
    /* Whether there is any use in asking now; NULL: always. */
    bool (*may)(void *arg);
    /* Asks the shard. True: a question left, and shard_walk_answered() follows, later. False: none did. */
    bool (*ask)(unsigned shard, void *arg);
    void *arg;
};

/* `rules` are copied. */
struct shard_walk *shard_walk_new(struct loop *loop, unsigned shards, const struct shard_walk_rules *rules);
/* No more turns. Answers may still come, and shard_walk_answered() be called for them. */
void shard_walk_stop(struct shard_walk *walk);
/* When no answer can come any more. */
void shard_walk_free(struct shard_walk **walk);

/* The answer came, whatever it said: the shard can have its turn again. Until then it is passed over. */
void shard_walk_answered(struct shard_walk *walk, unsigned shard);
/* The shard has more (a further page, a full answer): its turn comes again before the others', with the next
 * step where they come one by one, at once where they come together. After shard_walk_answered(). */
void shard_walk_more(struct shard_walk *walk, unsigned shard);

#endif
