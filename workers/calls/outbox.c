#include "workers/calls/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/json/json.h"
#include "common/kafka/cloudevent.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "scripts.h"
#include "workers/calls/event.h"
#include "workers/store/shard_walk.h"
#include "workers/store/verbs.h"

enum {
    LEFT_BEHIND_MS = 10000, /* older entries are nobody's */
    SWEEP_ROUND_MS = 5000,  /* all shards once */
    SUSPECT_AGE_MS = 1000,  /* entries of a shard whose reply was lost */
    SWEEP_LIMIT = 50,
    ENTRY_ID_MAX = 48,
    KEY_MAX = 200,
    EVENT_TYPES = 6,
};

/* An outbox entry on its way: removed when none of its events is out. */
struct entry {
    struct outbox *outbox;
    struct entry *next;
    unsigned shard;
    size_t out;
    bool failed;
    char id[ENTRY_ID_MAX];
};

struct outbox {
    struct store *store;
    struct kafka_producer *producer;
    release_fn give_back;
    void (*on_final)(unsigned shard, void *arg);
    void *on_final_arg;
    struct shard_walk *sweeper;
    char *topic;
    char *source; /* "ivr/ivr-dispatch" */
    struct entry *free;
    struct buf json, id, type, key;
    size_t pending;
    bool *suspect;        /* by shard: a reply was lost since its last sweep */
    struct entry **acked; /* by shard: acknowledged in this turn */
    struct metric_series *swept, *by_status[STATUS_COUNT], *by_type[EVENT_TYPES];
};

static void put_entry(struct entry *entry)
{
    entry->next = entry->outbox->free;
    entry->outbox->free = entry;
    entry->outbox->pending--;
}

static void on_removed(const struct redis_result *result, void *arg)
{
    (void)result; /* lost: the sweeper finds it and produces it again */
    store_command_ended(((struct outbox *)arg)->store);
}

static void remove_acked(struct outbox *outbox, unsigned shard)
{
    struct span argv[2 + STORE_BATCH];
    buf_clear(&outbox->key);
    key_add(&outbox->key, store_shard_key(outbox->store, shard), KEY_OUT, SPAN_NONE);
    while (outbox->acked[shard] != NULL) {
        size_t n = 2;
        argv[0] = SPAN_LIT("XDEL");
        argv[1] = buf_span(&outbox->key);
        for (struct entry *e = outbox->acked[shard]; e != NULL && n < 2 + STORE_BATCH; e = e->next)
            argv[n++] = span_str(e->id);
        store_command(outbox->store, argv, n, on_removed, outbox);
        for (size_t i = 2; i < n; i++) {
            struct entry *entry = outbox->acked[shard];
            outbox->acked[shard] = entry->next;
            put_entry(entry);
        }
    }
}

static bool flush(void *arg)
{
    struct outbox *outbox = arg;
    bool did = false;
    for (unsigned shard = 0; shard < store_shards(outbox->store); shard++) {
        if (outbox->acked[shard] == NULL)
            continue;
        remove_acked(outbox, shard);
        did = true;
    }
    return did;
}

static void on_ack(const char *error, void *arg)
{
    struct entry *entry = arg;
    assert(entry->out > 0);
    if (error != NULL) {
        entry->failed = true;
        LOG_LIMITED(LOG_LEVEL_WARN, "event not acknowledged, it stays in the outbox",
                    LOG_STR("error", error));
    }
    if (--entry->out > 0)
        return;
    if (entry->failed) {
        put_entry(entry);
        return;
    }
    entry->next = entry->outbox->acked[entry->shard];
    entry->outbox->acked[entry->shard] = entry;
}

static void produce(struct outbox *outbox, const struct event *event, struct entry *entry)
{
    struct cloudevent headers;
    buf_clear(&outbox->json);
    buf_clear(&outbox->id);
    buf_clear(&outbox->type);
    event_add_json(&outbox->json, event);
    event_add_id(&outbox->id, event);
    buf_adds(&outbox->type, "ivr.call.");
    buf_addspan(&outbox->type, event->type);
    cloudevent_init(&headers, span_str(outbox->source), buf_span(&outbox->id), buf_span(&outbox->type),
                    event->recorded_at_ms);
    cloudevent_add(&headers, "content-type", SPAN_LIT("application/json"));
    cloudevent_add_trace(&headers, event->traceparent, event->tracestate);
    kafka_produce(outbox->producer, outbox->topic, event->campaign, buf_span(&outbox->json), headers.headers,
                  headers.n, 0, on_ack, entry);
}

static void on_given_back(enum store_status status, void *arg)
{
    on_ack(status == STORE_OK ? NULL : "Redis did not confirm that a line is free", arg);
}

static void give_back(struct outbox *outbox, const msgpack_object *packed, struct entry *entry)
{
    struct release release;
    release_read(&release, packed);
    outbox->give_back(outbox->store, &release, on_given_back, entry);
}

static struct entry *entry_new(struct outbox *outbox, unsigned shard, struct span id)
{
    struct entry *entry = outbox->free;
    if (entry != NULL)
        outbox->free = entry->next;
    else
        entry = mem_alloc(sizeof(*entry));
    *entry = (struct entry){.outbox = outbox, .shard = shard};
    assert(id.n < ENTRY_ID_MAX);
    memcpy(entry->id, id.p, id.n);
    outbox->pending++;
    return entry;
}

static const char *const event_types[] = {"accepted", "waiting", "status", "hop", "final", "dropped"};

static void count_event(const struct outbox *outbox, const struct event *event)
{
    for (size_t i = 0; i < EVENT_TYPES; i++)
        if (span_is(event->type, event_types[i]))
            metric_add(outbox->by_type[i], 1);
    if (event->status != event->previous && event->status != STATUS_NONE)
        metric_add(outbox->by_status[event->status], 1);
}

/* All from 0: a rate of answers has a zero to begin with, and calls that get no status are seen to get none.
 */
static void count_from_zero(struct outbox *outbox)
{
    static_assert(sizeof(event_types) / sizeof(event_types[0]) == EVENT_TYPES, "a place for each type");
    for (size_t i = 0; i < EVENT_TYPES; i++)
        outbox->by_type[i] = metric_series(M_EVENTS, event_types[i], NULL);
    for (int status = STATUS_NONE + 1; status < STATUS_COUNT; status++)
        outbox->by_status[status] =
            metric_series(M_STATUS_CHANGES, status_name((enum call_status)status), NULL);
}

static void take(struct outbox *outbox, unsigned shard, struct span id, struct span packed, bool first_time)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return rc = msgpack_unpack_next(&unpacked, packed.p, packed.n, NULL);
    assert(rc == MSGPACK_UNPACK_SUCCESS && unpacked.data.type == MSGPACK_OBJECT_ARRAY);
    (void)rc;
    const msgpack_object_array *events = &unpacked.data.via.array;
    struct entry *entry = entry_new(outbox, shard, id);
    bool final = false;
    entry->out = events->size;
    for (uint32_t i = 0; i < events->size; i++) {
        struct event event;
        if (release_is(&events->ptr[i])) {
            give_back(outbox, &events->ptr[i], entry);
            continue;
        }
        event_read(&event, &events->ptr[i]);
        if (first_time)
            count_event(outbox, &event);
        final = final || event.final;
        produce(outbox, &event, entry);
    }
    if (final && outbox->on_final != NULL)
        outbox->on_final(shard, outbox->on_final_arg);
    msgpack_unpacked_destroy(&unpacked);
}

static void on_events(unsigned shard, struct span entry, struct span packed, void *arg)
{
    take(arg, shard, entry, packed, true);
}

/* ---- sweeping ---- */

/* A question to a shard on its way. */
struct outbox_sweep {
    struct outbox *outbox;
    unsigned shard;
};

static void suspect(struct outbox *outbox, unsigned shard)
{
    outbox->suspect[shard] = true;
    shard_walk_more(outbox->sweeper, shard);
}

static void on_found(const struct redis_result *result, void *arg)
{
    struct outbox_sweep *sweep = arg;
    struct outbox *outbox = sweep->outbox;
    store_command_ended(outbox->store);
    shard_walk_answered(outbox->sweeper, sweep->shard);
    for (long i = 0; result->status == REDIS_OK && i + 1 < redis_reply_len(result->reply); i += 2) {
        struct span id = SPAN_NONE, packed = SPAN_NONE;
        redis_reply_span(redis_reply_at(result->reply, (size_t)i), &id);
        redis_reply_span(redis_reply_at(result->reply, (size_t)i + 1), &packed);
        take(outbox, sweep->shard, id, packed, false);
        metric_add(outbox->swept, 1);
    }
    if (result->status == REDIS_OK && redis_reply_len(result->reply) >= 2 * (long)SWEEP_LIMIT)
        suspect(outbox, sweep->shard); /* there is more: the next step goes on here */
    free(sweep);
}

static bool sweep_shard(unsigned shard, void *arg)
{
    struct outbox *outbox = arg;
    char age[NUMBER_LEN], most[NUMBER_LEN];
    struct outbox_sweep *sweep = mem_alloc(sizeof(*sweep));
    *sweep = (struct outbox_sweep){outbox, shard};
    const struct span args[] = {number_write(age, outbox->suspect[shard] ? SUSPECT_AGE_MS : LEFT_BEHIND_MS),
                                number_write(most, SWEEP_LIMIT)};
    outbox->suspect[shard] = false;
    store_eval(outbox->store, &script_outbox, shard, args, 2, on_found, sweep);
    return true;
}

/* While our own acknowledgements lag (brokers away), old entries are ours: sweeping them would only double the
 * load. */
static bool may_sweep(void *arg)
{
    const struct outbox *outbox = arg;
    bool busy = outbox->pending > 0 && kafka_producer_pending(outbox->producer) > SWEEP_LIMIT;
    return !busy && redis_up(store_redis(outbox->store));
}

/* A shard whose reply was lost comes first. What is younger than SUSPECT_AGE_MS by the time Redis answers again
 * is found by the ordinary sweep. */
static void on_lost(unsigned shard, void *arg)
{
    suspect(arg, shard);
}

struct outbox *outbox_new(const struct outbox_with *with)
{
    struct outbox *outbox = mem_calloc(1, sizeof(*outbox));
    const struct shard_walk_rules sweeping = {
        .round_ms = SWEEP_ROUND_MS, .may = may_sweep, .ask = sweep_shard, .arg = outbox};
    size_t n;
    outbox->store = with->store;
    outbox->producer = with->producer;
    outbox->give_back = with->give_back;
    outbox->on_final = with->on_final;
    outbox->on_final_arg = with->on_final_arg;
    outbox->topic = mem_strdup(with->topic);
    outbox->swept = metric_series(M_OUTBOX_SWEPT, NULL, NULL);
    count_from_zero(outbox);
    buf_init(&outbox->json, 64 * 1024);
    buf_init(&outbox->id, 1024);
    buf_init(&outbox->type, 64);
    buf_init(&outbox->key, KEY_MAX);
    buf_adds(&outbox->type, "ivr/");
    buf_adds(&outbox->type, with->program);
    outbox->source = buf_take(&outbox->type, &n);
    outbox->suspect = mem_calloc(store_shards(with->store), sizeof(bool));
    outbox->acked = mem_calloc(store_shards(with->store), sizeof(struct entry *));
    kafka_producer_needs_topic(with->producer, with->topic);
    store_on_events(with->store, on_events, on_lost, outbox);
    loop_at_turn_end(with->loop, flush, outbox);
    outbox->sweeper = shard_walk_new(with->loop, store_shards(with->store), &sweeping);
    return outbox;
}

size_t outbox_pending(const struct outbox *outbox)
{
    return outbox->pending;
}

void outbox_free(struct outbox **outbox)
{
    struct outbox *o = *outbox;
    *outbox = NULL;
    if (o == NULL)
        return;
    shard_walk_free(&o->sweeper);
    store_on_events(o->store, NULL, NULL, NULL);
    for (unsigned shard = 0; shard < store_shards(o->store); shard++)
        while (o->acked[shard] != NULL) {
            struct entry *entry = o->acked[shard];
            o->acked[shard] = entry->next;
            put_entry(entry);
        }
    while (o->free != NULL) {
        struct entry *entry = o->free;
        o->free = entry->next;
        free(entry);
    }
    buf_done(&o->json);
    buf_done(&o->id);
    buf_done(&o->type);
    buf_done(&o->key);
    free(o->acked);
    free(o->suspect);
    free(o->topic);
    free(o->source);
    free(o);
}
