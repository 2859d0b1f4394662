#include "workers/report/removal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/run/log.h"
#include "scripts.h"
#include "workers/calls/summary.h"
#include "workers/store/shard_walk.h"
#include "workers/store/verbs.h"

enum {
    ROUND_MS = 60000,
    NAMES_MAX = 200,                    /* of a shard and round; the rest comes with the next ones */
    WINDOWS_KEEP_MS = 49 * 3600 * 1000, /* an hour longer than their counters */
    KEY_MAX = 256,
};

/*
 * Shard after shard, and of a shard's old names one after the other, so that a campaign which stands in
 * several shards is looked at once: after it was removed, the next shard does not name it.
 */
struct removal {
    struct worker *worker;
    struct shard_walk *walk;
    unsigned shard; /* whose names these are */
    char **names;   /* what is left to look at */
    size_t names_n;
    bool reading; /* the summary behind the last of them */
    bool stopped;
    bool *owned; /* by partition */
    int32_t partitions;
};

/* ---- one campaign ---- */

static void on_removed(const struct redis_result *result, void *arg)
{
    struct removal *removal = arg;
    (void)result; /* a shard that did not answer still names it for the next sweep */
    store_command_ended(removal->worker->store);
}

static int64_t removed_before_ms(const struct removal *removal)
{
    return clock_wall_ms() - removal->worker->settings->retention_ms;
}

static void remove_everywhere(struct removal *removal, struct span name)
{
    struct store *store = removal->worker->store;
    char before[NUMBER_LEN];
    const struct span args[] = {name, number_write(before, removed_before_ms(removal))};
    for (unsigned shard = 0; shard < store_shards(store); shard++)
        store_eval(store, &script_forget, shard, args, 2, on_removed, removal);
    LOG_INFO("counters of an old campaign removed", LOG_SPAN("campaign", name));
}

static void drop_name(struct removal *removal)
{
    free(removal->names[--removal->names_n]);
}

/* A call that still waits keeps its campaign, however long ago anything changed. */
static void on_summary(enum store_status status, const struct summary *summary, void *arg)
{
    struct removal *removal = arg;
    removal->reading = false;
    if (removal->stopped)
        return;
    bool old = summary == NULL ||
               (summary_complete(summary) && summary_last_change_ms(summary) < removed_before_ms(removal));
    if (status == STORE_OK && old)
        remove_everywhere(removal, span_str(removal->names[removal->names_n - 1]));
    drop_name(removal);
}

static void look_at_next(struct removal *removal)
{
    struct span name = span_str(removal->names[removal->names_n - 1]);
    struct summary_key key;
    bool ours = removal->partitions > 0 && removal->owned[kafka_key_partition(name, removal->partitions)];
    if (!ours || !summary_key_of_name(&key, false, name)) {
        drop_name(removal);
        return;
    }
    removal->reading = true;
    summary_read(removal->worker->store, &key, on_summary, removal);
}

/* ---- one shard ---- */

static void on_names(const struct redis_result *result, void *arg)
{
    struct removal *removal = arg;
    store_command_ended(removal->worker->store);
    shard_walk_answered(removal->walk, removal->shard);
    if (removal->stopped || result->status != REDIS_OK)
        return;
    long n = redis_reply_len(result->reply);
    for (long i = 0; i < n && i < NAMES_MAX; i++) {
        struct span name = SPAN_NONE;
        if (redis_reply_span(redis_reply_at(result->reply, (size_t)i), &name))
            removal->names[removal->names_n++] = mem_strndup(name.p, name.n);
    }
}

static void forget_windows(struct removal *removal, unsigned shard)
{
    struct store *store = removal->worker->store;
    struct buf key;
    char before[NUMBER_LEN];
    buf_init(&key, KEY_MAX);
    key_add(&key, store_shard_key(store, shard), KEY_WINDOWS, SPAN_NONE);
    const struct span argv[] = {SPAN_LIT("ZREMRANGEBYSCORE"), buf_span(&key), SPAN_LIT("-inf"),
                                number_write(before, clock_wall_ms() - WINDOWS_KEEP_MS)};
    store_command(store, argv, 4, on_removed, removal);
    buf_done(&key);
}

static bool ask_names(unsigned shard, void *arg)
{
    struct removal *removal = arg;
    struct store *store = removal->worker->store;
    struct buf key;
    char before[NUMBER_LEN], most[NUMBER_LEN];
    buf_init(&key, KEY_MAX);
    key_add(&key, store_shard_key(store, shard), KEY_CAMPAIGNS, SPAN_NONE);
    const struct span argv[] = {SPAN_LIT("ZRANGEBYSCORE"),
                                buf_span(&key),
                                SPAN_LIT("-inf"),
                                number_write(before, removed_before_ms(removal)),
                                SPAN_LIT("LIMIT"),
                                SPAN_LIT("0"),
                                number_write(most, NAMES_MAX)};
    removal->shard = shard;
    forget_windows(removal, shard);
    store_command(store, argv, 7, on_names, removal);
    buf_done(&key);
    return true;
}

/* ---- the turns ---- */

static bool may_ask(void *arg)
{
    const struct removal *removal = arg;
    return removal->names_n == 0;
}

static void note_owned(int32_t partition_id, void *arg)
{
    struct removal *removal = arg;
    if (partition_id >= 0 && partition_id < removal->partitions)
        removal->owned[partition_id] = true;
}

static void read_owned(struct removal *removal, struct kafka_consumer *consumer)
{
    removal->partitions = kafka_consumer_partitions(consumer);
    removal->owned = mem_realloc(removal->owned, ((size_t)removal->partitions + 1) * sizeof(*removal->owned));
    memset(removal->owned, 0, ((size_t)removal->partitions + 1) * sizeof(*removal->owned));
    kafka_each_partition(consumer, note_owned, removal);
}

void removal_turn(struct removal *removal, struct kafka_consumer *consumer)
{
    if (removal->stopped || removal->reading || removal->names_n == 0)
        return;
    read_owned(removal, consumer);
    look_at_next(removal);
}

struct removal *removal_new(struct worker *worker)
{
    struct removal *removal = mem_calloc(1, sizeof(*removal));
    const struct shard_walk_rules walking = {
        .round_ms = ROUND_MS, .alone = true, .may = may_ask, .ask = ask_names, .arg = removal};
    removal->worker = worker;
    removal->names = mem_calloc(NAMES_MAX, sizeof(char *));
    removal->walk = shard_walk_new(worker->loop, store_shards(worker->store), &walking);
    return removal;
}

void removal_stop(struct removal *removal)
{
    removal->stopped = true;
    shard_walk_stop(removal->walk);
}

void removal_free(struct removal **pointer)
{
    struct removal *removal = *pointer;
    *pointer = NULL;
    if (removal == NULL)
        return;
    while (removal->names_n > 0)
        drop_name(removal);
    shard_walk_free(&removal->walk);
    free(removal->names);
    free(removal->owned);
    free(removal);
}
