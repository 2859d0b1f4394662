#include "workers/report/republish.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/run/log.h"
#include "workers/report/due.h"
#include "workers/store/verbs.h"

enum {
    BEFORE_MARK_MS = 10 * 60 * 1000,
    FORGOTTEN_MS = 49 * 3600 * 1000, /* windows are gone by then */
    AGAIN_MS = 1000,
    MARK_MS = 30000,
    BEHIND_MS = 60000, /* what is due for so long is behind */
    ZOMBIE_MS = 5000,  /* between the last record that a zombie could send and our look at what it left */
};

/* A set of partitions, by number. */
struct partition_set {
    int32_t *items;
    size_t n;
};

/* A partition to be looked at once more. */
struct later {
    struct later *next;
    int32_t partition_id;
    int64_t at_mono_ms;
};

struct republish {
    struct worker *worker;
    struct dirty *dirty;
    struct partition_set gained;  /* not looked at yet */
    struct later *later;          /* oldest first */
    struct partition_set reading; /* by the questions that are out: what changed in them */
    int32_t partitions;           /* of the topic, when the questions left */
    int64_t since_ms;             /* the earliest mark of them */
    size_t out;
    bool failed;
    bool stopped;
    size_t found;
    int64_t not_before_mono_ms;
    int64_t mark_mono_ms; /* when to write the marks next */
};

struct names_question {
    struct republish *republish;
    bool windows;
};

static bool partitions_has(const struct partition_set *numbers, int32_t number)
{
    for (size_t i = 0; i < numbers->n; i++)
        if (numbers->items[i] == number)
            return true;
    return false;
}

static void partitions_add(struct partition_set *numbers, int32_t number)
{
    if (partitions_has(numbers, number))
        return;
    numbers->items = mem_realloc(numbers->items, (numbers->n + 1) * sizeof(*numbers->items));
    numbers->items[numbers->n++] = number;
}

static void partitions_done(struct partition_set *numbers)
{
    free(numbers->items);
    *numbers = (struct partition_set){NULL, 0};
}

/* An event's key is tenant/campaign; windows of a campaign are where its events are. */
static int32_t partition_of(const struct republish *republish, const struct summary_key *key)
{
    char event_key[256];
    int n =
        snprintf(event_key, sizeof(event_key), "%.*s/%.*s", SPAN_ARG(key->tenant), SPAN_ARG(key->campaign));
    assert(n > 0 && (size_t)n < sizeof(event_key)); /* 64 and 128 characters at most */
    return kafka_key_partition(span_of(event_key, (size_t)n), republish->partitions);
}

static bool is_theirs(const struct republish *republish, const struct summary_key *key)
{
    return partitions_has(&republish->reading, partition_of(republish, key));
}

static void mark(struct republish *republish, bool window, struct span name)
{
    struct summary_key key;
    struct worker *worker = republish->worker;
    if (!summary_key_of_name(&key, window, name) || !is_theirs(republish, &key))
        return;
    int64_t in_ms = due_in_ms(&key, worker->settings->report_interval_ms, loop_wall_ms(worker->loop));
    dirty_mark(republish->dirty, &key, loop_mono_ms(worker->loop) + in_ms, NULL, false);
    republish->found++;
}

/* What was found is published, or known to be behind, before the next marks are written: until then the old
 * ones say where whoever comes after us has to look. */
static void all_answered(struct republish *republish)
{
    int64_t now = loop_mono_ms(republish->worker->loop);
    republish->mark_mono_ms = now + republish->worker->settings->report_interval_ms + BEHIND_MS + AGAIN_MS;
    if (republish->failed) {
        for (size_t i = 0; i < republish->reading.n; i++)
            partitions_add(&republish->gained, republish->reading.items[i]);
        republish->not_before_mono_ms = now + AGAIN_MS;
    } else {
        LOG_INFO("publishing again what changed lately", LOG_INT("partitions", republish->reading.n),
                 LOG_INT("summaries", republish->found));
    }
    partitions_done(&republish->reading);
}

static void on_changed(const struct redis_result *result, void *arg)
{
    struct names_question question = *(struct names_question *)arg;
    struct republish *republish = question.republish;
    free(arg);
    store_command_ended(republish->worker->store);
    republish->out--;
    if (republish->stopped)
        return;
    if (result->status != REDIS_OK)
        republish->failed = true;
    for (long i = 0; result->status == REDIS_OK && i < redis_reply_len(result->reply); i++) {
        struct span name = SPAN_NONE;
        redis_reply_span(redis_reply_at(result->reply, (size_t)i), &name);
        mark(republish, question.windows, name);
    }
    if (republish->out == 0)
        all_answered(republish);
}

static void ask_names(struct republish *republish, unsigned shard, bool windows, struct span since)
{
    struct store *store = republish->worker->store;
    struct names_question *question = mem_alloc(sizeof(*question));
    struct buf key;
    *question = (struct names_question){republish, windows};
    buf_init(&key, 256);
    key_add(&key, store_shard_key(store, shard), windows ? KEY_WINDOWS : KEY_CAMPAIGNS, SPAN_NONE);
    const struct span argv[] = {SPAN_LIT("ZRANGEBYSCORE"), buf_span(&key), since, SPAN_LIT("+inf")};
    republish->out++;
    store_command(store, argv, 4, on_changed, question);
    buf_done(&key);
}

static void ask_all_names(struct republish *republish)
{
    char room[NUMBER_LEN];
    int64_t forgotten_ms = clock_wall_ms() - FORGOTTEN_MS;
    int64_t since_ms = republish->since_ms - BEFORE_MARK_MS;
    struct span since = number_write(room, since_ms > forgotten_ms ? since_ms : forgotten_ms);
    for (unsigned shard = 0; shard < store_shards(republish->worker->store); shard++) {
        ask_names(republish, shard, false, since);
        ask_names(republish, shard, true, since);
    }
}

/* ---- marks ---- */

static void add_mark_key(const struct republish *republish, struct buf *b, int32_t partition_id)
{
    struct store *store = republish->worker->store;
    unsigned shard = (unsigned)partition_id % store_shards(store);
    char number[16];
    snprintf(number, sizeof(number), "%d", partition_id);
    key_add(b, store_shard_key(store, shard), KEY_REPORTED, span_str(number));
}

/* A partition without a mark was nobody's for long, or Redis forgot: all that is left is looked at. */
static void on_mark(const struct redis_result *result, void *arg)
{
    struct republish *republish = arg;
    struct span text = SPAN_NONE;
    int64_t mark_ms = 0;
    store_command_ended(republish->worker->store);
    republish->out--;
    if (republish->stopped)
        return;
    if (result->status != REDIS_OK)
        republish->failed = true;
    else if (!redis_reply_span(result->reply, &text) || !number_read(text, 0, INT64_MAX, &mark_ms))
        mark_ms = 0; /* no mark */
    if (mark_ms < republish->since_ms)
        republish->since_ms = mark_ms;
    if (republish->out > 0)
        return;
    if (republish->failed)
        all_answered(republish);
    else
        ask_all_names(republish);
}

static void ask_mark(struct republish *republish, int32_t partition_id)
{
    struct buf key;
    buf_init(&key, 256);
    add_mark_key(republish, &key, partition_id);
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    republish->out++;
    store_command(republish->worker->store, argv, 2, on_mark, republish);
    buf_done(&key);
}

static void on_written(const struct redis_result *result, void *arg)
{
    struct republish *republish = arg;
    (void)result; /* an older mark only means that more is published again */
    store_command_ended(republish->worker->store);
}

static void write_mark(int32_t partition_id, void *arg)
{
    struct republish *republish = arg;
    char now[NUMBER_LEN], keep[NUMBER_LEN];
    struct buf key;
    if (partitions_has(&republish->gained, partition_id) || partitions_has(&republish->reading, partition_id))
        return; /* what its last owner left is not even known yet */
    buf_init(&key, 256);
    add_mark_key(republish, &key, partition_id);
    const struct span argv[] = {SPAN_LIT("SET"), buf_span(&key), number_write(now, clock_wall_ms()),
                                SPAN_LIT("PX"), number_write(keep, FORGOTTEN_MS)};
    store_command(republish->worker->store, argv, 5, on_written, republish);
    buf_done(&key);
}

static void write_marks(struct republish *republish, struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(republish->worker->loop);
    if (now < republish->mark_mono_ms || dirty_behind(republish->dirty, now, BEHIND_MS))
        return;
    republish->mark_mono_ms = now + MARK_MS;
    kafka_each_partition(consumer, write_mark, republish);
}

/* ---- once more ---- */

static void look_later(struct republish *republish, int32_t partition_id)
{
    struct later **last = &republish->later, *later = mem_alloc(sizeof(*later));
    while (*last != NULL)
        last = &(*last)->next;
    *later = (struct later){.partition_id = partition_id,
                            .at_mono_ms = loop_mono_ms(republish->worker->loop) + ZOMBIE_MS +
                                          kafka_producer_timeout_ms(republish->worker->producer)};
    *last = later;
}

static void add_owned(int32_t partition_id, void *arg)
{
    partitions_add(arg, partition_id);
}

/* What we lost meanwhile is its new owner's business. */
static void look_once_more(struct republish *republish, struct kafka_consumer *consumer)
{
    int64_t now = loop_mono_ms(republish->worker->loop);
    struct partition_set owned = {NULL, 0};
    if (republish->later == NULL || now < republish->later->at_mono_ms)
        return;
    kafka_each_partition(consumer, add_owned, &owned);
    while (republish->later != NULL && now >= republish->later->at_mono_ms) {
        struct later *later = republish->later;
        republish->later = later->next;
        if (partitions_has(&owned, later->partition_id))
            partitions_add(&republish->gained, later->partition_id);
        free(later);
    }
    partitions_done(&owned);
}

/* ---- the outside ---- */

void republish_turn(struct republish *republish, struct kafka_consumer *consumer)
{
    if (republish->stopped)
        return;
    write_marks(republish, consumer);
    look_once_more(republish, consumer);
    if (republish->gained.n == 0 || republish->out > 0 ||
        loop_mono_ms(republish->worker->loop) < republish->not_before_mono_ms)
        return;
    republish->partitions = kafka_consumer_partitions(consumer);
    if (republish->partitions <= 0)
        return;
    republish->reading = republish->gained;
    republish->gained = (struct partition_set){NULL, 0};
    republish->failed = false;
    republish->found = 0;
    republish->since_ms = clock_wall_ms();
    for (size_t i = 0; i < republish->reading.n; i++)
        ask_mark(republish, republish->reading.items[i]);
}

void republish_gained(struct republish *republish, int32_t partition_id)
{
    partitions_add(&republish->gained, partition_id);
    look_later(republish, partition_id);
}

void republish_unsure(struct republish *republish, const struct summary_key *key)
{
    int32_t partition_id = partition_of(republish, key);
    for (const struct later *later = republish->later; later != NULL; later = later->next)
        if (later->partition_id == partition_id &&
            later->at_mono_ms > loop_mono_ms(republish->worker->loop) + ZOMBIE_MS)
            return;
    look_later(republish, partition_id);
}

struct republish *republish_new(struct worker *worker, struct dirty *dirty)
{
    struct republish *republish = mem_calloc(1, sizeof(*republish));
    republish->worker = worker;
    republish->dirty = dirty;
    return republish;
}

void republish_stop(struct republish *republish)
{
    republish->stopped = true;
}

void republish_free(struct republish **pointer)
{
    struct republish *republish = *pointer;
    *pointer = NULL;
    if (republish == NULL)
        return;
    partitions_done(&republish->gained);
    partitions_done(&republish->reading);
    while (republish->later != NULL) {
        struct later *later = republish->later;
        republish->later = later->next;
        free(later);
    }
    free(republish);
}
