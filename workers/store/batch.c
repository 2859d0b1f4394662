#include "workers/store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "scripts.h"
#include "workers/store/pack.h"

enum { RECORD_MAX = 256 * 1024, BATCH_BYTES = 8 * 1024 * 1024, REPLY_VALUES = 3 };

struct waiter {
    store_deliver_fn deliver;
    void (*fn)(void);
    void *arg;
};

/* One script call: first filled, then out. Reused through a free list. */
struct batch {
    struct batches *owner;
    struct batch *next;
    const struct redis_script *script;
    struct script_batches *of; /* NULL: a call by itself, with one waiter for the whole results array */
    unsigned shard;
    size_t n;
    struct waiter waiters[STORE_BATCH];
    size_t ends[STORE_BATCH]; /* where each record ends in `records` */
    struct buf records;
};

/*
 * The batches of one script, by shard. While a call of it is out to a shard, the next one fills: under load
 * batches grow by themselves, when idle a record leaves at the end of its turn.
 */
struct script_batches {
    struct script_batches *next;
    const struct redis_script *script;
    struct batch **filling; /* NULL: none */
    unsigned *out;          /* script calls without an answer */
    unsigned *touched;      /* shards with a batch, so that a turn's end does not look at all */
    size_t touched_n;
};

struct batches {
    struct batches_with with;
    struct buf config;
    store_events_fn events;
    store_lost_fn lost;
    void *events_arg;
    struct script_batches *of[SCRIPT_COUNT]; /* NULL: no record of the script came yet */
    struct script_batches *first;            /* of those that are there */
    struct batch *free;
    size_t pending;
};

static struct batch *batch_get(struct batches *batches, const struct redis_script *script, unsigned shard)
{
    struct batch *batch = batches->free;
    if (batch != NULL) {
        batches->free = batch->next;
    } else {
        batch = mem_calloc(1, sizeof(*batch));
        buf_init(&batch->records, BATCH_BYTES);
        batch->owner = batches;
    }
    batch->script = script;
    batch->of = NULL;
    batch->shard = shard;
    batch->n = 0;
    buf_clear(&batch->records);
    return batch;
}

static void batch_put(struct batch *batch)
{
    batch->next = batch->owner->free;
    batch->owner->free = batch;
}

/* {'unreadable', sentence} instead of a result: lib/reading.lua, not_read(). */
static bool is_unreadable(const msgpack_object *result)
{
    return result->type == MSGPACK_OBJECT_ARRAY && result->via.array.size == 2 &&
           span_is(pack_get_span(result, 0), "unreadable");
}

static void deliver_to(const struct batch *batch, const struct waiter *w, enum store_status status,
                       const msgpack_object *result)
{
    if (result == NULL || !is_unreadable(result)) {
        w->deliver(status, result, w->fn, w->arg);
        return;
    }
    unreadable_note(batch->owner->with.unreadable, pack_get_span(result, 1));
    w->deliver(STORE_UNREADABLE, NULL, w->fn, w->arg);
}

static void deliver(struct batch *batch, enum store_status status, const msgpack_object *results)
{
    if (batch->of == NULL)
        deliver_to(batch, &batch->waiters[0], status, results);
    else
        for (size_t i = 0; i < batch->n; i++)
            deliver_to(batch, &batch->waiters[i], status,
                       results != NULL ? &results->via.array.ptr[i] : NULL);
}

/* Behind the three values of a reply: calls that cannot be read, as sentences. */
static void report_unreadable(struct batches *batches, const void *reply)
{
    for (long i = REPLY_VALUES; i < redis_reply_len(reply); i++) {
        struct span why = SPAN_NONE;
        redis_reply_span(redis_reply_at(reply, (size_t)i), &why);
        unreadable_report(batches->with.unreadable, why);
    }
}

/* A reply is {outbox id, packed events, packed results, unreadable calls ...}. Events first: they are on
 * their way before the record counts as done. */
static void on_reply(const struct redis_result *result, void *arg)
{
    struct batch *batch = arg;
    struct batches *batches = batch->owner;
    struct span entry, events, packed;
    enum store_status status = store_status_of(result);
    batches->pending -= batch->n;
    if (batch->of != NULL)
        batch->of->out[batch->shard]--;
    if (status == STORE_REFUSED || status == STORE_LOST) {
        if (status == STORE_LOST && batches->lost != NULL)
            batches->lost(batch->shard, batches->events_arg);
        deliver(batch, status, NULL);
        batch_put(batch);
        return;
    }
    bool fits = redis_reply_len(result->reply) >= REPLY_VALUES &&
                redis_reply_span(redis_reply_at(result->reply, 0), &entry) &&
                redis_reply_span(redis_reply_at(result->reply, 1), &events) &&
                redis_reply_span(redis_reply_at(result->reply, 2), &packed);
    assert(fits);
    (void)fits;
    report_unreadable(batches, result->reply);
    if (status == STORE_UNACKED && entry.n > 0 && batches->lost != NULL)
        batches->lost(batch->shard, batches->events_arg); /* a failover can undo them: not before it cannot */
    else if (entry.n > 0 && batches->events != NULL)
        batches->events(batch->shard, entry, events, batches->events_arg);
    if (packed.n == 0) {
        assert(batch->of == NULL);
        deliver(batch, status, NULL);
    } else {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        msgpack_unpack_return rc = msgpack_unpack_next(&unpacked, packed.p, packed.n, NULL);
        assert(rc == MSGPACK_UNPACK_SUCCESS && unpacked.data.type == MSGPACK_OBJECT_ARRAY);
        (void)rc;
        assert(batch->of == NULL || unpacked.data.via.array.size == batch->n);
        deliver(batch, status, &unpacked.data);
        msgpack_unpacked_destroy(&unpacked);
    }
    batch_put(batch);
}

static void eval(struct batches *batches, struct batch *batch, const struct span *args, size_t argc)
{
    redis_eval(batches->with.redis, batch->script, batches->with.shard_keys[batch->shard], args, argc,
               on_reply, batch);
}

static void batch_send(struct batches *batches, struct batch *batch)
{
    struct span args[1 + STORE_BATCH];
    size_t from = 0;
    args[0] = buf_span(&batches->config);
    for (size_t i = 0; i < batch->n; i++) {
        args[1 + i] = span_of(batch->records.p + from, batch->ends[i] - from);
        from = batch->ends[i];
    }
    batch->of->out[batch->shard]++;
    eval(batches, batch, args, 1 + batch->n);
}

/* What was collected of a script leaves, unless its shard still works on the batch before. */
static bool flush_script(struct batches *batches, struct script_batches *of)
{
    size_t n = of->touched_n, kept = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned shard = of->touched[i];
        if (of->out[shard] > 0) {
            of->touched[kept++] = shard;
            continue;
        }
        struct batch *batch = of->filling[shard];
        of->filling[shard] = NULL;
        batch_send(batches, batch);
    }
    of->touched_n = kept;
    return kept < n;
}

/* The end of a turn. */
static bool flush(void *arg)
{
    struct batches *batches = arg;
    bool sent = false;
    for (struct script_batches *of = batches->first; of != NULL; of = of->next)
        sent = flush_script(batches, of) || sent;
    return sent;
}

static struct script_batches *batches_of(struct batches *batches, const struct redis_script *script)
{
    size_t place = (size_t)(script - scripts);
    assert(place < SCRIPT_COUNT);
    struct script_batches *of = batches->of[place];
    if (of != NULL)
        return of;
    unsigned shards = batches->with.shards;
    of = mem_calloc(1, sizeof(*of));
    of->filling = mem_calloc(shards, sizeof(struct batch *));
    of->out = mem_calloc(shards, sizeof(unsigned));
    of->touched = mem_calloc(shards, sizeof(unsigned));
    of->next = batches->first;
    batches->first = of;
    batches->of[place] = of;
    return of;
}

static struct batch *batch_begin(struct batches *batches, struct script_batches *of,
                                 const struct redis_script *script, unsigned shard)
{
    struct batch *batch = batch_get(batches, script, shard);
    batch->of = of;
    of->filling[shard] = batch;
    return batch;
}

void batch_add(struct batches *batches, const struct redis_script *script, unsigned shard, struct span record,
               store_deliver_fn deliver_fn, void (*fn)(void), void *arg)
{
    struct script_batches *of = batches_of(batches, script);
    struct batch *batch = of->filling[shard];
    assert(record.n <= RECORD_MAX);
    if (batch == NULL) {
        batch = batch_begin(batches, of, script, shard);
        of->touched[of->touched_n++] = shard;
    } else if (batch->n == STORE_BATCH || batch->records.n + record.n > BATCH_BYTES) {
        batch_send(batches, batch);
        batch = batch_begin(batches, of, script, shard);
    }
    buf_addspan(&batch->records, record);
    batch->ends[batch->n] = batch->records.n;
    batch->waiters[batch->n++] = (struct waiter){deliver_fn, fn, arg};
    batches->pending++;
}

void batch_run(struct batches *batches, const struct redis_script *script, unsigned shard,
               const struct span *args, size_t argc, store_deliver_fn deliver_fn, void (*fn)(void), void *arg)
{
    struct span all[1 + STORE_RUN_ARGS];
    assert(argc <= STORE_RUN_ARGS);
    struct batch *batch = batch_get(batches, script, shard);
    batch->n = 1;
    batch->waiters[0] = (struct waiter){deliver_fn, fn, arg};
    batches->pending++;
    all[0] = buf_span(&batches->config);
    memcpy(all + 1, args, argc * sizeof(*args));
    eval(batches, batch, all, 1 + argc);
}

struct batches *batches_new(const struct batches_with *with)
{
    struct batches *batches = mem_calloc(1, sizeof(*batches));
    batches->with = *with;
    buf_init(&batches->config, 64);
    buf_addspan(&batches->config, with->config);
    loop_at_turn_end(with->loop, flush, batches);
    return batches;
}

static void script_batches_free(struct script_batches *of)
{
    for (size_t i = 0; i < of->touched_n; i++)
        batch_put(of->filling[of->touched[i]]);
    free(of->filling);
    free(of->touched);
    free(of->out);
    free(of);
}

void batches_free(struct batches **batches)
{
    struct batches *b = *batches;
    *batches = NULL;
    while (b->first != NULL) {
        struct script_batches *of = b->first;
        b->first = of->next;
        script_batches_free(of);
    }
    while (b->free != NULL) {
        struct batch *batch = b->free;
        b->free = batch->next;
        buf_done(&batch->records);
        free(batch);
    }
    buf_done(&b->config);
    free(b);
}

void batches_on_events(struct batches *batches, store_events_fn fn, store_lost_fn lost, void *arg)
{
    batches->events = fn;
    batches->lost = lost;
    batches->events_arg = arg;
}

size_t batches_pending(const struct batches *batches)
{
    return batches->pending;
}
