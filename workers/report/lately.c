#include "workers/report/lately.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "workers/report/due.h"
#include "workers/store/private.h"

enum {
    LATELY_MS = 10 * 60 * 1000,
    FORGOTTEN_MS = 49 * 3600 * 1000, /* windows are gone by then */
    AGAIN_MS = 1000,
    MARK_MS = 30000,
    BEHIND_MS = 60000, /* what is due for so long is behind */
    ZOMBIE_MS = 5000,  /* between the last record that a zombie could send and our look at what it left */
};

/* A set of partition numbers. */
struct numbers {
    int32_t *items;
    size_t n;
};

/* A partition to be looked at once more. */
struct later {
    struct later *next;
    int32_t partition_id;
    int64_t at_mono_ms;
};

struct lately {
    struct worker *worker;
    struct dirty *dirty;
    struct numbers gained;  /* not looked at yet */
    struct later *later;    /* oldest first */
    struct numbers looking; /* by the questions that are out */
    int32_t partitions;     /* of the topic, when the questions left */
    int64_t since_ms;       /* the earliest mark of them */
    size_t out;
    bool failed;
    bool stopped;
    size_t found;
    int64_t not_before_mono_ms;
    int64_t mark_mono_ms; /* when to write the marks next */
};

struct question {
    struct lately *lately;
    bool windows;
};

static bool numbers_has(const struct numbers *numbers, int32_t number)
{
    for (size_t i = 0; i < numbers->n; i++)
        if (numbers->items[i] == number)
            return true;
    return false;
}

static void numbers_add(struct numbers *numbers, int32_t number)
{
    if (numbers_has(numbers, number))
        return;
    numbers->items = mem_realloc(numbers->items, (numbers->n + 1) * sizeof(*numbers->items));
    numbers->items[numbers->n++] = number;
}

static void numbers_done(struct numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct numbers){NULL, 0};
}

/* An event's key is tenant/campaign; windows of a campaign are where its events are. */
static int32_t partition_of(const struct lately *lately, const struct summary_key *key)
{
    char event_key[256];
    int n =
        snprintf(event_key, sizeof(event_key), "%.*s/%.*s", SPAN_ARG(key->tenant), SPAN_ARG(key->campaign));
    assert(n > 0 && (size_t)n < sizeof(event_key)); /* 64 and 128 characters at most */
    return kafka_key_partition(span_of(event_key, (size_t)n), lately->partitions);
}

static bool is_theirs(const struct lately *lately, const struct summary_key *key)
{
    return numbers_has(&lately->looking, partition_of(lately, key));
}

static void mark(struct lately *lately, bool window, struct span name)
{
    struct summary_key key;
    struct worker *worker = lately->worker;
    if (!summary_key_of_name(&key, window, name) || !is_theirs(lately, &key))
        return;
    int64_t in_ms = due_in_ms(&key, worker->settings->report_interval_ms, loop_wall_ms(worker->loop));
    dirty_mark(lately->dirty, &key, loop_mono_ms(worker->loop) + in_ms, NULL, false);
    lately->found++;
}

/* What was found is published, or known to be behind, before the next marks are written: until then the old
 * ones say where whoever comes after us has to look. */
static void all_answered(struct lately *lately)
{
    int64_t now = loop_mono_ms(lately->worker->loop);
    lately->mark_mono_ms = now + lately->worker->settings->report_interval_ms + BEHIND_MS + AGAIN_MS;
    if (lately->failed) {
        for (size_t i = 0; i < lately->looking.n; i++)
            numbers_add(&lately->gained, lately->looking.items[i]);
        lately->not_before_mono_ms = now + AGAIN_MS;
    } else {
        LOG_INFO("publishing again what changed lately", LOG_INT("partitions", lately->looking.n),
                 LOG_INT("summaries", lately->found));
    }
    numbers_done(&lately->looking);
}

static void on_changed(const struct redis_result *result, void *arg)
{
    struct question question = *(struct question *)arg;
    struct lately *lately = question.lately;
    free(arg);
    store_command_ended(lately->worker->store);
    lately->out--;
    if (lately->stopped)
        return;
    if (result->status != REDIS_OK)
        lately->failed = true;
    for (long i = 0; result->status == REDIS_OK && i < redis_reply_len(result->reply); i++) {
        struct span name = SPAN_NONE;
        redis_reply_span(redis_reply_at(result->reply, (size_t)i), &name);
        mark(lately, question.windows, name);
    }
    if (lately->out == 0)
        all_answered(lately);
}

static void ask_names(struct lately *lately, unsigned shard, bool windows, struct span since)
{
    struct store *store = lately->worker->store;
    struct question *question = mem_alloc(sizeof(*question));
    struct buf key;
    *question = (struct question){lately, windows};
    buf_init(&key, 256);
    buf_addspan(&key, store_shard_key(store, shard));
    buf_adds(&key, windows ? ":windows" : ":campaigns");
    const struct span argv[] = {SPAN_LIT("ZRANGEBYSCORE"), buf_span(&key), since, SPAN_LIT("+inf")};
    lately->out++;
    store_command_began(store);
    redis_command(store_redis(store), argv, 4, 1, on_changed, question);
    buf_done(&key);
}

static void ask_all_names(struct lately *lately)
{
    char since[24];
    int64_t forgotten_ms = clock_wall_ms() - FORGOTTEN_MS;
    int64_t since_ms = lately->since_ms - LATELY_MS;
    snprintf(since, sizeof(since), "%lld", (long long)(since_ms > forgotten_ms ? since_ms : forgotten_ms));
    for (unsigned shard = 0; shard < store_shards(lately->worker->store); shard++) {
        ask_names(lately, shard, false, span_str(since));
        ask_names(lately, shard, true, span_str(since));
    }
}

/* ---- marks ---- */

static void add_mark_key(const struct lately *lately, struct buf *b, int32_t partition_id)
{
    struct store *store = lately->worker->store;
    unsigned shard = (unsigned)partition_id % store_shards(store);
    buf_addspan(b, store_shard_key(store, shard));
    buf_adds(b, ":reported:");
    buf_addint(b, partition_id);
}

/* A partition without a mark was nobody's for long, or Redis forgot: all that is left is looked at. */
static void on_mark(const struct redis_result *result, void *arg)
{
    struct lately *lately = arg;
    struct span text = SPAN_NONE;
    int64_t mark_ms = 0;
    store_command_ended(lately->worker->store);
    lately->out--;
    if (lately->stopped)
        return;
    if (result->status != REDIS_OK)
        lately->failed = true;
    else if (redis_reply_span(result->reply, &text))
        for (size_t i = 0; i < text.n && i < 15 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
            mark_ms = mark_ms * 10 + (text.p[i] - '0');
    if (mark_ms < lately->since_ms)
        lately->since_ms = mark_ms;
    if (lately->out > 0)
        return;
    if (lately->failed)
        all_answered(lately);
    else
        ask_all_names(lately);
}

static void ask_mark(struct lately *lately, int32_t partition_id)
{
    struct buf key;
    buf_init(&key, 256);
    add_mark_key(lately, &key, partition_id);
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    lately->out++;
    store_command_began(lately->worker->store);
    redis_command(store_redis(lately->worker->store), argv, 2, 1, on_mark, lately);
    buf_done(&key);
}

static void on_written(const struct redis_result *result, void *arg)
{
    struct lately *lately = arg;
    (void)result; /* an older mark only means that more is published again */
    store_command_ended(lately->worker->store);
}

static void write_mark(int32_t partition_id, void *arg)
{
    struct lately *lately = arg;
    char now[24], keep[24];
    struct buf key;
    if (numbers_has(&lately->gained, partition_id) || numbers_has(&lately->looking, partition_id))
        return; /* what its last owner left is not even known yet */
    buf_init(&key, 256);
    add_mark_key(lately, &key, partition_id);
    snprintf(now, sizeof(now), "%lld", (long long)clock_wall_ms());
    snprintf(keep, sizeof(keep), "%d", FORGOTTEN_MS);
    const struct span argv[] = {SPAN_LIT("SET"), buf_span(&key), span_str(now), SPAN_LIT("PX"),
                                span_str(keep)};
    store_command_began(lately->worker->store);
    redis_command(store_redis(lately->worker->store), argv, 5, 1, on_written, lately);
    buf_done(&key);
}

static void write_marks(struct lately *lately, struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(lately->worker->loop);
    if (now < lately->mark_mono_ms || dirty_behind(lately->dirty, now, BEHIND_MS))
        return;
    lately->mark_mono_ms = now + MARK_MS;
    kafka_each_partition(consumer, write_mark, lately);
}

/* ---- once more ---- */

static void look_later(struct lately *lately, int32_t partition_id)
{
    struct later **last = &lately->later, *later = mem_alloc(sizeof(*later));
    while (*last != NULL)
        last = &(*last)->next;
    *later = (struct later){.partition_id = partition_id,
                            .at_mono_ms = loop_mono_ms(lately->worker->loop) + ZOMBIE_MS +
                                          kafka_producer_timeout_ms(lately->worker->producer)};
    *last = later;
}

static void add_owned(int32_t partition_id, void *arg)
{
    numbers_add(arg, partition_id);
}

/* What we lost meanwhile is its new owner's business. */
static void look_once_more(struct lately *lately, struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(lately->worker->loop);
    struct numbers owned = {NULL, 0};
    if (lately->later == NULL || now < lately->later->at_mono_ms)
        return;
    kafka_each_partition(consumer, add_owned, &owned);
    while (lately->later != NULL && now >= lately->later->at_mono_ms) {
        struct later *later = lately->later;
        lately->later = later->next;
        if (numbers_has(&owned, later->partition_id))
            numbers_add(&lately->gained, later->partition_id);
        free(later);
    }
    numbers_done(&owned);
}

/* ---- the outside ---- */

void lately_turn(struct lately *lately, struct kafka_consumer *consumer)
{
    if (lately->stopped)
        return;
    write_marks(lately, consumer);
    look_once_more(lately, consumer);
    if (lately->gained.n == 0 || lately->out > 0 ||
        loop_mono_ms(lately->worker->loop) < lately->not_before_mono_ms)
        return;
    lately->partitions = kafka_consumer_partitions(consumer);
    if (lately->partitions <= 0)
        return;
    lately->looking = lately->gained;
    lately->gained = (struct numbers){NULL, 0};
    lately->failed = false;
    lately->found = 0;
    lately->since_ms = clock_wall_ms();
    for (size_t i = 0; i < lately->looking.n; i++)
        ask_mark(lately, lately->looking.items[i]);
}

void lately_gained(struct lately *lately, int32_t partition_id)
{
    numbers_add(&lately->gained, partition_id);
    look_later(lately, partition_id);
}

void lately_unsure(struct lately *lately, const struct summary_key *key)
{
    int32_t partition_id = partition_of(lately, key);
    for (const struct later *later = lately->later; later != NULL; later = later->next)
        if (later->partition_id == partition_id &&
            later->at_mono_ms > loop_mono_ms(lately->worker->loop) + ZOMBIE_MS)
            return;
    look_later(lately, partition_id);
}

struct lately *lately_new(struct worker *worker, struct dirty *dirty)
{
    struct lately *lately = mem_calloc(1, sizeof(*lately));
    lately->worker = worker;
    lately->dirty = dirty;
    return lately;
}

void lately_stop(struct lately *lately)
{
    lately->stopped = true;
}

void lately_free(struct lately **pointer)
{
    struct lately *lately = *pointer;
    *pointer = NULL;
    if (lately == NULL)
        return;
    numbers_done(&lately->gained);
    numbers_done(&lately->looking);
    while (lately->later != NULL) {
        struct later *later = lately->later;
        lately->later = later->next;
        free(later);
    }
    free(lately);
}
