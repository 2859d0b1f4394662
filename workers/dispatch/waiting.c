#include "workers/dispatch/waiting.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/run/metrics.h"

enum { ROUND_MS = 5000, MAX_CHANNELS = 256, KEY_MAX = 200 };

struct waiting_gauge {
    struct store *store;
    struct loop_timer *timer;
    unsigned out; /* shards that have not answered in this round */
    bool incomplete;
    size_t n;
    struct {
        char *name;
        struct metric_series *gauge;
        int64_t sum; /* of this round */
    } channels[MAX_CHANNELS];
};

static void add(struct waiting_gauge *waiting, struct span channel, int64_t count)
{
    size_t i = 0;
    while (i < waiting->n && !span_is(channel, waiting->channels[i].name))
        i++;
    if (i == MAX_CHANNELS)
        return;
    if (i == waiting->n) {
        waiting->channels[i].name = mem_strndup(channel.p, channel.n);
        waiting->channels[i].gauge = metric_series(M_WAITING, waiting->channels[i].name, NULL);
        waiting->n++;
    }
    waiting->channels[i].sum += count;
}

static void on_shard(const struct redis_result *result, void *arg)
{
    struct waiting_gauge *waiting = arg;
    waiting->incomplete = waiting->incomplete || result->status != REDIS_OK;
    for (long i = 0; result->status == REDIS_OK && i + 1 < redis_reply_len(result->reply); i += 2) {
        struct span channel = SPAN_NONE, text = SPAN_NONE;
        int64_t count;
        if (redis_reply_span(redis_reply_at(result->reply, (size_t)i), &channel) &&
            redis_reply_span(redis_reply_at(result->reply, (size_t)i + 1), &text) &&
            number_read(text, 0, INT64_MAX, &count))
            add(waiting, channel, count);
    }
    if (--waiting->out > 0 || waiting->incomplete)
        return;
    for (size_t i = 0; i < waiting->n; i++)
        metric_set(waiting->channels[i].gauge, (double)waiting->channels[i].sum);
}

static void start_round(void *arg)
{
    struct waiting_gauge *waiting = arg;
    if (waiting->out > 0 || !redis_up(store_redis(waiting->store)))
        return;
    waiting->incomplete = false;
    for (size_t i = 0; i < waiting->n; i++)
        waiting->channels[i].sum = 0;
    waiting->out = store_shards(waiting->store);
    for (unsigned shard = 0; shard < store_shards(waiting->store); shard++) {
        struct buf key;
        buf_init(&key, KEY_MAX);
        key_add(&key, store_shard_key(waiting->store, shard), KEY_WAITING, SPAN_NONE);
        const struct span argv[] = {SPAN_LIT("HGETALL"), buf_span(&key)};
        redis_command(store_redis(waiting->store), argv, 2, 1, on_shard, waiting);
        buf_done(&key);
    }
}

struct waiting_gauge *waiting_gauge_new(struct loop *loop, struct store *store)
{
    struct waiting_gauge *waiting = mem_calloc(1, sizeof(*waiting));
    waiting->store = store;
    waiting->timer = loop_timer_start(loop, 0, ROUND_MS, start_round, waiting);
    return waiting;
}

void waiting_gauge_stop(struct waiting_gauge *waiting)
{
    loop_timer_stop(&waiting->timer);
}

void waiting_gauge_free(struct waiting_gauge **waiting)
{
    for (size_t i = 0; i < (*waiting)->n; i++)
        free((*waiting)->channels[i].name);
    free(*waiting);
    *waiting = NULL;
}
