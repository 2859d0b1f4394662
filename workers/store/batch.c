#include "workers/store/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/private.h"

enum { RECORD_MAX = 256 * 1024, BATCH_BYTES = 8 * 1024 * 1024, REPLY_VALUES = 3 };

struct waiter {
    batch_deliver_fn deliver;
    void (*fn)(void);
    void *arg;
};

/* One script call: first filled, then out. Reused through a free list. */
struct batch {
    struct batches *owner;
    struct batch *next;
    enum batch_kind kind; /* BATCH_KINDS: a script of its own */
    unsigned shard;
    size_t n;
    bool whole; /* one waiter for the whole results array */
    struct waiter waiters[STORE_BATCH];
    size_t ends[STORE_BATCH]; /* where each record ends in `records` */
    struct buf records;
};

struct batches {
    struct store *store;
    struct buf config;
    store_events_fn events;
    store_lost_fn lost;
    void *events_arg;
    /* By shard. While a script call of the kind is out, the next one fills: under load batches grow by
     * themselves, when idle a record leaves at the end of its turn. */
    struct batch **filling[BATCH_KINDS]; /* NULL: none */
    unsigned *out[BATCH_KINDS];          /* script calls without an answer */
    unsigned *touched[BATCH_KINDS];      /* shards with a batch, so that a turn's end does not look at all */
    size_t touched_n[BATCH_KINDS];
    struct batch *free;
    size_t pending;
};

static const struct redis_script *const SCRIPTS[BATCH_KINDS] = {
    [BATCH_REQUEST] = &script_request, [BATCH_CLAIM] = &script_claim,     [BATCH_POSTPONE] = &script_postpone,
    [BATCH_LINK] = &script_link,       [BATCH_OUTCOME] = &script_outcome, [BATCH_EVIDENCE] = &script_evidence,
    [BATCH_CONTACT] = &script_contact, [BATCH_UNLOCK] = &script_unlock,   [BATCH_WAKE] = &script_wake,
    [BATCH_LOOK] = &script_look,       [BATCH_DEFER] = &script_defer,     [BATCH_DNC_EDIT] = &script_dnc_edit,
    [BATCH_LINED] = &script_lined,     [BATCH_MEND] = &script_mend,
};

static struct batch *batch_get(struct batches *batches, enum batch_kind kind, unsigned shard)
{
    struct batch *batch = batches->free;
    if (batch != NULL) {
        batches->free = batch->next;
    } else {
        batch = mem_calloc(1, sizeof(*batch));
        buf_init(&batch->records, BATCH_BYTES);
        batch->owner = batches;
    }
    batch->kind = kind;
    batch->shard = shard;
    batch->n = 0;
    batch->whole = false;
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
    store_set_why(batch->owner->store, pack_get_span(result, 1));
    w->deliver(STORE_UNREADABLE, NULL, w->fn, w->arg);
}

static void deliver(struct batch *batch, enum store_status status, const msgpack_object *results)
{
    if (batch->whole)
        deliver_to(batch, &batch->waiters[0], status, results);
    else
        for (size_t i = 0; i < batch->n; i++)
            deliver_to(batch, &batch->waiters[i], status,
                       results != NULL ? &results->via.array.ptr[i] : NULL);
}

/* Behind the three values of a reply: calls that cannot be read, as sentences. */
static void tell_unreadable(struct batches *batches, const void *reply)
{
    for (long i = REPLY_VALUES; i < redis_reply_len(reply); i++) {
        struct span why = SPAN_NONE;
        redis_reply_span(redis_reply_at(reply, (size_t)i), &why);
        store_unreadable(batches->store, why);
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
    if (batch->kind != BATCH_KINDS)
        batches->out[batch->kind][batch->shard]--;
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
    tell_unreadable(batches, result->reply);
    if (status == STORE_UNACKED && entry.n > 0 && batches->lost != NULL)
        batches->lost(batch->shard, batches->events_arg); /* a failover can undo them: not before it cannot */
    else if (entry.n > 0 && batches->events != NULL)
        batches->events(batch->shard, entry, events, batches->events_arg);
    if (packed.n == 0) {
        assert(batch->whole);
        deliver(batch, status, NULL);
    } else {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        msgpack_unpack_return rc = msgpack_unpack_next(&unpacked, packed.p, packed.n, NULL);
        assert(rc == MSGPACK_UNPACK_SUCCESS && unpacked.data.type == MSGPACK_OBJECT_ARRAY);
        (void)rc;
        assert(batch->whole || unpacked.data.via.array.size == batch->n);
        deliver(batch, status, &unpacked.data);
        msgpack_unpacked_destroy(&unpacked);
    }
    batch_put(batch);
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
    batches->out[batch->kind][batch->shard]++;
    redis_eval(store_redis(batches->store), SCRIPTS[batch->kind],
               store_shard_key(batches->store, batch->shard), args, 1 + batch->n, on_reply, batch);
}

/* The end of a turn: what was collected leaves, unless its shard still works on the batch before. */
static bool flush(void *arg)
{
    struct batches *batches = arg;
    bool sent = false;
    for (enum batch_kind kind = 0; kind < BATCH_KINDS; kind++) {
        size_t n = batches->touched_n[kind], kept = 0;
        for (size_t i = 0; i < n; i++) {
            unsigned shard = batches->touched[kind][i];
            if (batches->out[kind][shard] > 0) {
                batches->touched[kind][kept++] = shard;
                continue;
            }
            struct batch *batch = batches->filling[kind][shard];
            batches->filling[kind][shard] = NULL;
            batch_send(batches, batch);
            sent = true;
        }
        batches->touched_n[kind] = kept;
    }
    return sent;
}

void batch_add(struct batches *batches, enum batch_kind kind, unsigned shard, struct span record,
               batch_deliver_fn deliver_fn, void (*fn)(void), void *arg)
{
    struct batch **slot = &batches->filling[kind][shard];
    if (*slot != NULL && ((*slot)->n == STORE_BATCH || (*slot)->records.n + record.n > BATCH_BYTES)) {
        batch_send(batches, *slot);
        *slot = batch_get(batches, kind, shard);
    } else if (*slot == NULL) {
        *slot = batch_get(batches, kind, shard);
        batches->touched[kind][batches->touched_n[kind]++] = shard;
    }
    struct batch *batch = *slot;
    assert(record.n <= RECORD_MAX);
    buf_addspan(&batch->records, record);
    batch->ends[batch->n] = batch->records.n;
    batch->waiters[batch->n++] = (struct waiter){deliver_fn, fn, arg};
    batches->pending++;
}

void batch_run(struct batches *batches, const struct redis_script *script, unsigned shard,
               const struct span *args, size_t argc, batch_deliver_fn deliver_fn, void (*fn)(void), void *arg)
{
    struct span all[8];
    assert(argc < 8);
    struct batch *batch = batch_get(batches, BATCH_KINDS, shard);
    batch->whole = true;
    batch->n = 1;
    batch->waiters[0] = (struct waiter){deliver_fn, fn, arg};
    batches->pending++;
    all[0] = buf_span(&batches->config);
    memcpy(all + 1, args, argc * sizeof(*args));
    redis_eval(store_redis(batches->store), script, store_shard_key(batches->store, shard), all, 1 + argc,
               on_reply, batch);
}

struct batches *batches_new(struct loop *loop, struct store *store, struct span config)
{
    struct batches *batches = mem_calloc(1, sizeof(*batches));
    batches->store = store;
    buf_init(&batches->config, 64);
    buf_addspan(&batches->config, config);
    for (enum batch_kind kind = 0; kind < BATCH_KINDS; kind++) {
        batches->filling[kind] = mem_calloc(store_shards(store), sizeof(struct batch *));
        batches->touched[kind] = mem_calloc(store_shards(store), sizeof(unsigned));
        batches->out[kind] = mem_calloc(store_shards(store), sizeof(unsigned));
    }
    loop_at_turn_end(loop, flush, batches);
    return batches;
}

/* The batches of a pending redis call must outlive it: free the redis connection first. */
void batches_free(struct batches **batches)
{
    struct batches *b = *batches;
    *batches = NULL;
    for (enum batch_kind kind = 0; kind < BATCH_KINDS; kind++) {
        for (size_t i = 0; i < b->touched_n[kind]; i++)
            batch_put(b->filling[kind][b->touched[kind][i]]);
        free(b->filling[kind]);
        free(b->touched[kind]);
        free(b->out[kind]);
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
