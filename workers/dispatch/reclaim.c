#include "workers/dispatch/reclaim.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "workers/channel/lines.h"

/* A walk over the lines of all shards, or of all channels: a page a step, one page after the other. */
struct line_walk {
    struct reclaim *owner;
    struct loop_timer *timer;
    bool asking;  /* a page is on its way */
    size_t place; /* which shard, or which channel; may be more than there are: the remainder counts */
    char cursor[LINES_CURSOR_MAX];
};

struct reclaim {
    struct dispatch *dispatch;
    struct line_walk shards, channels;
};

static bool quiet(const struct line_walk *walk)
{
    const struct dispatch *d = walk->owner->dispatch;
    return walk->asking || d->draining || d->away || !redis_up(d->worker->redis);
}

/* Where Redis did not answer, the next step asks for the same page again. */
static void go_on(struct line_walk *walk, enum store_status status, struct span cursor)
{
    walk->asking = false;
    if (status != STORE_OK || cursor.n >= sizeof(walk->cursor))
        return;
    snprintf(walk->cursor, sizeof(walk->cursor), "%.*s", SPAN_ARG(cursor));
    if (span_is(cursor, "0"))
        walk->place++;
}

static void on_known(enum store_status status, struct span cursor, const struct line *lines, size_t n,
                     void *arg)
{
    struct line_walk *walk = arg;
    for (size_t i = 0; i < n; i++)
        lines_restore(walk->owner->dispatch->worker->store, &lines[i]);
    go_on(walk, status, cursor);
}

static void step_shards(void *arg)
{
    struct line_walk *walk = arg;
    struct store *store = walk->owner->dispatch->worker->store;
    if (quiet(walk))
        return;
    walk->asking = true;
    lines_known(store, (unsigned)(walk->place % store_shards(store)), span_str(walk->cursor), on_known, walk);
}

static struct channel *channel_at(const struct line_walk *walk)
{
    const struct channels *channels = walk->owner->dispatch->worker->channels;
    return channels_at(channels, walk->place % channels_count(channels));
}

static void on_held(enum store_status status, struct span cursor, const struct span *refs, size_t n,
                    void *arg)
{
    struct line_walk *walk = arg;
    struct span channel = span_str(channel_at(walk)->name);
    for (size_t i = 0; i < n; i++)
        lines_release_unknown(walk->owner->dispatch->worker->store, channel, refs[i]);
    go_on(walk, status, cursor);
}

static void step_channels(void *arg)
{
    struct line_walk *walk = arg;
    if (quiet(walk))
        return;
    walk->asking = true;
    lines_held(walk->owner->dispatch->worker->store, span_str(channel_at(walk)->name), span_str(walk->cursor),
               on_held, walk);
}

static void walk_start(struct line_walk *walk, struct reclaim *reclaim, size_t places, void (*step)(void *))
{
    uint16_t phase;
    int64_t every_ms = RECLAIM_ROUND_MS / (int64_t)places;
    crypto_random(&phase, sizeof(phase)); /* replicas do not go in step */
    every_ms = every_ms > 20 ? every_ms : 20;
    *walk = (struct line_walk){.owner = reclaim, .place = phase, .cursor = "0"};
    walk->timer = loop_timer_start(reclaim->dispatch->worker->loop, phase % every_ms, every_ms, step, walk);
}

struct reclaim *reclaim_new(struct dispatch *dispatch)
{
    struct reclaim *reclaim = mem_calloc(1, sizeof(*reclaim));
    reclaim->dispatch = dispatch;
    walk_start(&reclaim->shards, reclaim, store_shards(dispatch->worker->store), step_shards);
    walk_start(&reclaim->channels, reclaim, 8, step_channels);
    return reclaim;
}

void reclaim_stop(struct reclaim *reclaim)
{
    loop_timer_stop(&reclaim->shards.timer);
    loop_timer_stop(&reclaim->channels.timer);
}

void reclaim_free(struct reclaim **reclaim)
{
    free(*reclaim);
    *reclaim = NULL;
}
