#include "workers/program/retired.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/under_way.h"

enum { LOOK_MS = 2000 /* between two walks over the shards, and after a question that was not answered */ };

struct item {
    struct item *next;
    struct channel *channel; /* a reference */
    int64_t until_mono_ms;   /* not forgotten before */
    bool asked, found;       /* in this walk */
};

struct retired {
    struct loop *loop;
    struct store *store;
    int64_t keep_ms;
    struct item *first;
    struct loop_timer *timer;
    /* the walk that is under way */
    bool asking;
    unsigned shard;
    char cursor[UNDER_WAY_CURSOR_MAX];
};

static void show(const struct channel *channel, bool retired)
{
    metric_set(metric_series(M_CHANNEL_RETIRED, channel->name, NULL), retired);
}

struct retired *retired_new(struct loop *loop, struct store *store, const struct channels *channels,
                            int64_t keep_ms)
{
    struct retired *retired = mem_calloc(1, sizeof(*retired));
    *retired = (struct retired){.loop = loop, .store = store, .keep_ms = keep_ms};
    for (size_t i = 0; i < channels_count(channels); i++)
        show(channels_at(channels, i), false);
    return retired;
}

static void forget(struct item **link)
{
    struct item *item = *link;
    *link = item->next;
    show(item->channel, false);
    channel_unref(&item->channel);
    free(item);
}

/* ---- the walk ---- */

static void look_later(struct retired *retired);
static void ask(struct retired *retired);

static void end_walk(struct retired *retired)
{
    for (struct item **link = &retired->first; *link != NULL;) {
        if ((*link)->asked && !(*link)->found) {
            LOG_INFO(
                "the calls of a channel that is gone from the channels file have ended, it is unknown now",
                LOG_STR("channel", (*link)->channel->name));
            forget(link);
        } else {
            link = &(*link)->next;
        }
    }
    look_later(retired);
}

static void note_found(struct retired *retired, struct span channel)
{
    for (struct item *item = retired->first; item != NULL; item = item->next)
        if (span_is(channel, item->channel->name))
            item->found = true;
}

/* One call is enough to keep a channel. */
static bool all_found(const struct retired *retired)
{
    for (const struct item *item = retired->first; item != NULL; item = item->next)
        if (item->asked && !item->found)
            return false;
    return true;
}

static void on_page(enum store_status status, struct span cursor, const struct span *channels, size_t n,
                    void *arg)
{
    struct retired *retired = arg;
    retired->asking = false;
    if (status != STORE_OK || cursor.n >= sizeof(retired->cursor)) {
        look_later(retired); /* with the same page */
        return;
    }
    for (size_t i = 0; i < n; i++)
        note_found(retired, channels[i]);
    snprintf(retired->cursor, sizeof(retired->cursor), "%.*s", SPAN_ARG(cursor));
    retired->shard += span_is(cursor, "0");
    if (all_found(retired) || retired->shard == store_shards(retired->store)) {
        retired->cursor[0] = '\0';
        end_walk(retired);
    } else {
        ask(retired);
    }
}

static void ask(struct retired *retired)
{
    struct span names[UNDER_WAY_CHANNELS_MAX];
    size_t n = 0;
    for (struct item *item = retired->first; item != NULL && n < UNDER_WAY_CHANNELS_MAX; item = item->next)
        if (item->asked && !item->found)
            names[n++] = span_str(item->channel->name);
    retired->asking = true;
    under_way_page(retired->store, retired->shard, span_str(retired->cursor), names, n, on_page, retired);
}

static void begin_walk(struct retired *retired)
{
    int64_t now = loop_mono_ms(retired->loop);
    size_t n = 0;
    for (struct item *item = retired->first; item != NULL; item = item->next) {
        item->asked = now >= item->until_mono_ms && n++ < UNDER_WAY_CHANNELS_MAX;
        item->found = false;
    }
    retired->shard = 0;
    snprintf(retired->cursor, sizeof(retired->cursor), "0");
}

static void look(void *arg)
{
    struct retired *retired = arg;
    loop_timer_stop(&retired->timer);
    if (retired->cursor[0] == '\0')
        begin_walk(retired);
    if (all_found(retired)) {
        retired->cursor[0] = '\0';
        look_later(retired);
    } else {
        ask(retired);
    }
}

static void look_later(struct retired *retired)
{
    if (retired->first != NULL && retired->timer == NULL && !retired->asking)
        retired->timer = loop_timer_start(retired->loop, LOOK_MS, 0, look, retired);
}

/* ---- the outside ---- */

static bool has(const struct channels *channels, const struct channel *channel)
{
    const struct channel *same = channels_find(channels, span_str(channel->name));
    return same != NULL && same->provider == channel->provider;
}

static void retire(struct retired *retired, struct channel *channel)
{
    struct item *item = mem_calloc(1, sizeof(*item));
    *item = (struct item){.next = retired->first,
                          .channel = channel_ref(channel),
                          .until_mono_ms = loop_mono_ms(retired->loop) + retired->keep_ms};
    retired->first = item;
    show(item->channel, true);
    LOG_WARN("channel is gone from the channels file: no call is placed on it from now on, and the callbacks "
             "of its "
             "calls are taken until they have ended; a worker that starts before that does not know it",
             LOG_STR("channel", channel->name), LOG_STR("provider", channel->provider->name));
}

void retired_take(struct retired *retired, const struct channels *old, const struct channels *fresh)
{
    for (struct item **link = &retired->first; *link != NULL;) {
        if (has(fresh, (*link)->channel))
            forget(link);
        else
            link = &(*link)->next;
    }
    for (size_t i = 0; i < channels_count(old); i++)
        if (!has(fresh, channels_at(old, i)))
            retire(retired, channels_at(old, i));
    look_later(retired);
}

struct channel *retired_find(const struct retired *retired, struct span name, struct span provider)
{
    for (struct item *item = retired->first; item != NULL; item = item->next)
        if (span_is(name, item->channel->name) &&
            (provider.n == 0 || span_is(provider, item->channel->provider->name)))
            return item->channel;
    return NULL;
}

void retired_free(struct retired **pointer)
{
    struct retired *retired = *pointer;
    *pointer = NULL;
    if (retired == NULL)
        return;
    if (retired->timer != NULL)
        loop_timer_stop(&retired->timer);
    while (retired->first != NULL)
        forget(&retired->first);
    free(retired);
}
