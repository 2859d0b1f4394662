#include "workers/report/removal.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "scripts.h"
#include "workers/calls/summary.h"
#include "workers/store/private.h"

enum {
    SWEEP_MS = 60000,
    NAMES_MAX = 200,                    /* of a shard and sweep; the rest comes with the next ones */
    WINDOWS_KEEP_MS = 49 * 3600 * 1000, /* an hour longer than their counters */
};

/*
 * One sweep: shard after shard, and of a shard's old names one after the other, so that a campaign which
 * stands in several shards is looked at once: after it was removed, the next shard does not name it.
 */
struct removal {
    struct worker *worker;
    int64_t next_mono_ms;
    unsigned shard;
    bool sweeping;
    bool waiting; /* for an answer */
    bool stopped;
    char **names; /* of this shard, what is left to look at */
    size_t names_n;
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
    char before[24];
    snprintf(before, sizeof(before), "%lld", (long long)removed_before_ms(removal));
    const struct span args[] = {name, span_str(before)};
    for (unsigned shard = 0; shard < store_shards(store); shard++) {
        store_command_began(store);
        redis_eval(store_redis(store), &script_forget, store_shard_key(store, shard), args, 2, on_removed,
                   removal);
    }
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
    removal->waiting = false;
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
    removal->waiting = true;
    summary_read(removal->worker->store, &key, on_summary, removal);
}

/* ---- one shard ---- */

static void on_names(const struct redis_result *result, void *arg)
{
    struct removal *removal = arg;
    store_command_ended(removal->worker->store);
    removal->waiting = false;
    removal->shard++;
    if (removal->stopped || result->status != REDIS_OK)
        return;
    long n = redis_reply_len(result->reply);
    for (long i = 0; i < n && i < NAMES_MAX; i++) {
        struct span name = SPAN_NONE;
        if (redis_reply_span(redis_reply_at(result->reply, (size_t)i), &name))
            removal->names[removal->names_n++] = mem_strndup(name.p, name.n);
    }
}

static void ask_names(struct removal *removal)
{
    struct store *store = removal->worker->store;
    struct buf campaigns, windows;
    char before[24], windows_before[24], most[24];
    buf_init(&campaigns, 256);
    buf_init(&windows, 256);
    buf_addspan(&campaigns, store_shard_key(store, removal->shard));
    buf_addspan(&windows, store_shard_key(store, removal->shard));
    buf_adds(&campaigns, ":campaigns");
    buf_adds(&windows, ":windows");
    snprintf(before, sizeof(before), "%lld", (long long)removed_before_ms(removal));
    snprintf(windows_before, sizeof(windows_before), "%lld", (long long)(clock_wall_ms() - WINDOWS_KEEP_MS));
    snprintf(most, sizeof(most), "%d", NAMES_MAX);
    const struct span old_windows[] = {SPAN_LIT("ZREMRANGEBYSCORE"), buf_span(&windows), SPAN_LIT("-inf"),
                                       span_str(windows_before)};
    const struct span names[] = {
        SPAN_LIT("ZRANGEBYSCORE"), buf_span(&campaigns), SPAN_LIT("-inf"), span_str(before),
        SPAN_LIT("LIMIT"),         SPAN_LIT("0"),        span_str(most)};
    removal->waiting = true;
    store_command_began(store);
    redis_command(store_redis(store), old_windows, 4, 1, on_removed, removal);
    store_command_began(store);
    redis_command(store_redis(store), names, 7, 1, on_names, removal);
    buf_done(&campaigns);
    buf_done(&windows);
}

/* ---- the sweep ---- */

static void note_owned(int32_t partition_id, void *arg)
{
    struct removal *removal = arg;
    if (partition_id >= 0 && partition_id < removal->partitions)
        removal->owned[partition_id] = true;
}

static void begin(struct removal *removal, struct kafka_consumer *consumer)
{
    removal->partitions = kafka_consumer_partitions(consumer);
    removal->owned = mem_realloc(removal->owned, ((size_t)removal->partitions + 1) * sizeof(*removal->owned));
    memset(removal->owned, 0, ((size_t)removal->partitions + 1) * sizeof(*removal->owned));
    kafka_each_partition(consumer, note_owned, removal);
    removal->sweeping = true;
    removal->shard = 0;
}

void removal_turn(struct removal *removal, struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(removal->worker->loop);
    if (removal->stopped || removal->waiting || (!removal->sweeping && now < removal->next_mono_ms))
        return;
    if (!removal->sweeping) {
        begin(removal, consumer);
    } else if (removal->names_n > 0) {
        look_at_next(removal);
    } else if (removal->shard < store_shards(removal->worker->store)) {
        ask_names(removal);
    } else {
        removal->sweeping = false;
        removal->next_mono_ms = now + SWEEP_MS;
    }
}

struct removal *removal_new(struct worker *worker)
{
    struct removal *removal = mem_calloc(1, sizeof(*removal));
    removal->worker = worker;
    removal->names = mem_calloc(NAMES_MAX, sizeof(char *));
    removal->next_mono_ms = loop_mono_ms(worker->loop) + SWEEP_MS;
    return removal;
}

void removal_stop(struct removal *removal)
{
    removal->stopped = true;
}

void removal_free(struct removal **pointer)
{
    struct removal *removal = *pointer;
    *pointer = NULL;
    if (removal == NULL)
        return;
    while (removal->names_n > 0)
        drop_name(removal);
    free(removal->names);
    free(removal->owned);
    free(removal);
}
