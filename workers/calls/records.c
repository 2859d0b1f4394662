#include "workers/calls/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fifo.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/json/json.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "scripts.h"
#include "workers/calls/call_record.h"
#include "workers/store/pack.h"
#include "workers/store/shard_walk.h"
#include "workers/store/verbs.h"

enum {
    ROUND_MS = 1000,
    IDLE_ROUNDS = 5, /* a shard of which nothing is known is asked once in so many rounds */
    DUE_ROUNDS = 3,  /* one of which something is known in the next ones: a row waits for a second */
    TAKE_MAX = 64,
    BACKLOG_MAX = 5000, /* records that the producer holds: more would only be sent twice */
    MAX_HEADERS = 8,
    CONFIRM_MAX = 1024,
};

/* A row, or what somebody did, on its way to its topic. */
struct sent {
    struct fifo_link link;
    struct records *records;
    unsigned shard;
    bool is_record;
    int64_t lease_ms;
    size_t what_n;
    char what[]; /* the call's id; of audit the whole text, by which Redis knows it */
};

struct records_shard {
    int due_rounds, idle_rounds;
    struct fifo acked; /* in this turn */
};

struct records {
    struct store *store;
    struct kafka_producer *producer;
    struct shard_walk *walk;
    struct records_shard *shards;
    char *records_topic, *audit_topic, *source;
    struct buf json, id;
    size_t pending;
    struct metric_series *sent_records, *sent_audits;
};

static void sent_end(struct sent *sent)
{
    sent->records->pending--;
    free(sent);
}

/* ---- confirming ---- */

static void on_confirmed(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    (void)status, (void)result, (void)fn, (void)arg; /* lost: the lease ends, and it is sent once more */
}

static void confirm(struct records *records, unsigned shard)
{
    struct buf bufs[TAKE_MAX];
    struct span args[TAKE_MAX];
    size_t n = 0;
    for (struct sent *sent;
         n < TAKE_MAX && (sent = FIFO_TAKE(&records->shards[shard].acked, struct sent, link)) != NULL; n++) {
        msgpack_packer p;
        buf_init(&bufs[n], CONFIRM_MAX + sent->what_n);
        pack_init(&p, &bufs[n]);
        msgpack_pack_array(&p, sent->is_record ? 3 : 2);
        pack_str(&p, sent->is_record ? "record" : "audit");
        pack_span(&p, span_of(sent->what, sent->what_n));
        if (sent->is_record)
            msgpack_pack_int64(&p, sent->lease_ms);
        args[n] = buf_span(&bufs[n]);
        sent_end(sent);
    }
    store_run(records->store, &script_sent_records, shard, args, n, on_confirmed, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        buf_done(&bufs[i]);
}

static bool confirm_acked(void *arg)
{
    struct records *records = arg;
    bool did = false;
    for (unsigned shard = 0; shard < store_shards(records->store); shard++) {
        while (records->shards[shard].acked.n > 0) {
            confirm(records, shard);
            did = true;
        }
    }
    return did;
}

static void on_ack(const char *error, void *arg)
{
    struct sent *sent = arg;
    struct records *records = sent->records;
    if (error != NULL) {
        LOG_LIMITED(LOG_LEVEL_WARN, "a record was not acknowledged, it is sent again later",
                    LOG_STR("error", error));
        sent_end(sent);
        return;
    }
    metric_add(sent->is_record ? records->sent_records : records->sent_audits, 1);
    fifo_add(&records->shards[sent->shard].acked, &sent->link);
}

/* ---- sending ---- */

static struct sent *sent_new(struct records *records, unsigned shard, bool is_record, int64_t lease_ms,
                             struct span what)
{
    struct sent *sent = mem_calloc(1, sizeof(*sent) + what.n + 1);
    sent->records = records;
    sent->shard = shard;
    sent->is_record = is_record;
    sent->lease_ms = lease_ms;
    sent->what_n = what.n;
    memcpy(sent->what, what.p, what.n);
    records->pending++;
    return sent;
}

static size_t add_headers(const struct records *records, struct kafka_header *headers, struct span id,
                          struct span type, const char time[CLOCK_RFC3339_LEN + 1])
{
    size_t n = 0;
    headers[n++] = (struct kafka_header){SPAN_LIT("ce_specversion"), SPAN_LIT("1.0")};
    headers[n++] = (struct kafka_header){SPAN_LIT("ce_id"), id};
    headers[n++] = (struct kafka_header){SPAN_LIT("ce_source"), span_str(records->source)};
    headers[n++] = (struct kafka_header){SPAN_LIT("ce_type"), type};
    headers[n++] = (struct kafka_header){SPAN_LIT("ce_time"), span_of(time, CLOCK_RFC3339_LEN)};
    headers[n++] = (struct kafka_header){SPAN_LIT("content-type"), SPAN_LIT("application/json")};
    return n;
}

static void send_record(struct records *records, unsigned shard, int64_t lease_ms,
                        const msgpack_object *packed)
{
    struct call_record record;
    struct kafka_header headers[MAX_HEADERS];
    char time[CLOCK_RFC3339_LEN + 1];
    if (!call_record_read(&record, packed)) {
        LOG_LIMITED(LOG_LEVEL_ERROR, "a record from Redis has a form that this version does not know");
        return;
    }
    buf_clear(&records->json);
    buf_clear(&records->id);
    call_record_add_json(&records->json, &record);
    call_record_add_id(&records->id, &record);
    clock_rfc3339(record.updated_ms, time);
    size_t n = add_headers(records, headers, buf_span(&records->id), SPAN_LIT("ivr.call-record"), time);
    if (record.traceparent.n > 0)
        headers[n++] = (struct kafka_header){SPAN_LIT("traceparent"), record.traceparent};
    if (record.tracestate.n > 0)
        headers[n++] = (struct kafka_header){SPAN_LIT("tracestate"), record.tracestate};
    kafka_produce(records->producer, records->records_topic, record.id, buf_span(&records->json), headers, n,
                  0, on_ack, sent_new(records, shard, true, lease_ms, record.id));
}

/* "KEY\nJSON", and the JSON names its id and its time (audit.h). */
static void send_audit(struct records *records, unsigned shard, int64_t lease_ms, struct span text)
{
    struct kafka_header headers[MAX_HEADERS];
    char time[CLOCK_RFC3339_LEN + 1];
    const char *cut = memchr(text.p, '\n', text.n);
    size_t key_n = cut != NULL ? (size_t)(cut - text.p) : 0;
    struct span value = cut != NULL ? span_of(cut + 1, text.n - key_n - 1) : text;
    static const char begin[] = "{\"v\":1,\"id\":\"";
    buf_clear(&records->id);
    if (value.n > sizeof(begin) && memcmp(value.p, begin, sizeof(begin) - 1) == 0) {
        const char *id = value.p + sizeof(begin) - 1;
        const char *end = memchr(id, '"', value.n - sizeof(begin) + 1);
        buf_addspan(&records->id, span_of(id, end != NULL ? (size_t)(end - id) : 0));
    }
    clock_rfc3339(clock_wall_ms(), time);
    size_t n = add_headers(records, headers, buf_span(&records->id), SPAN_LIT("ivr.audit"), time);
    kafka_produce(records->producer, records->audit_topic, span_of(text.p, key_n), value, headers, n, 0,
                  on_ack, sent_new(records, shard, false, lease_ms, text));
}

/* ---- taking ---- */

struct question_of_records {
    struct records *records;
    unsigned shard;
};

static const msgpack_object *item_of(const msgpack_object *array, uint32_t i)
{
    return array->type == MSGPACK_OBJECT_ARRAY && i < array->via.array.size ? &array->via.array.ptr[i] : NULL;
}

/* Pairs of a lease and what was taken. */
static size_t send_all(struct records *records, unsigned shard, const msgpack_object *taken, bool are_records)
{
    size_t n = 0;
    for (const msgpack_object *pair; taken != NULL && (pair = item_of(taken, (uint32_t)n)) != NULL; n++) {
        int64_t lease_ms = pack_get_int(pair, 0);
        if (are_records)
            send_record(records, shard, lease_ms, item_of(pair, 1));
        else
            send_audit(records, shard, lease_ms, pack_get_span(pair, 1));
    }
    return n;
}

static void on_taken(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct question_of_records *question = arg;
    struct records *records = question->records;
    unsigned shard = question->shard;
    size_t n = 0;
    (void)fn;
    free(question);
    shard_walk_answered(records->walk, shard);
    if (status == STORE_OK && results != NULL) {
        n = send_all(records, shard, item_of(results, 0), true);
        send_all(records, shard, item_of(results, 1), false);
    }
    if (n >= TAKE_MAX) {
        records_due(records, shard);
        shard_walk_more(records->walk, shard);
    }
}

static bool take(unsigned shard, void *arg)
{
    struct records *records = arg;
    struct records_shard *s = &records->shards[shard];
    if (s->due_rounds == 0 && ++s->idle_rounds < IDLE_ROUNDS)
        return false;
    s->idle_rounds = 0;
    if (s->due_rounds > 0)
        s->due_rounds--;
    char most[NUMBER_LEN], lease[NUMBER_LEN];
    const struct span args[] = {number_write(most, TAKE_MAX), number_write(lease, RECORDS_LEASE_MS)};
    struct question_of_records *question = mem_alloc(sizeof(*question));
    *question = (struct question_of_records){records, shard};
    store_run(records->store, &script_take_records, shard, args, 2, on_taken, NULL, question);
    return true;
}

/* While the brokers are away everything stays where it is: it is safe in Redis. */
static bool may_take(void *arg)
{
    const struct records *records = arg;
    return kafka_producer_pending(records->producer) < BACKLOG_MAX && redis_up(store_redis(records->store));
}

void records_due(struct records *records, unsigned shard)
{
    records->shards[shard].due_rounds = DUE_ROUNDS;
}

struct records *records_new(const struct records_with *with)
{
    struct records *records = mem_calloc(1, sizeof(*records));
    const struct shard_walk_rules rules = {
        .round_ms = ROUND_MS, .together = true, .may = may_take, .ask = take, .arg = records};
    size_t n;
    records->store = with->store;
    records->producer = with->producer;
    records->records_topic = mem_strdup(with->records_topic);
    records->audit_topic = mem_strdup(with->audit_topic);
    buf_init(&records->json, 64 * 1024);
    buf_init(&records->id, 1024);
    buf_adds(&records->id, "ivr/");
    buf_adds(&records->id, with->program);
    records->source = buf_take(&records->id, &n);
    records->shards = mem_calloc(store_shards(with->store), sizeof(struct records_shard));
    records->sent_records = metric_series(M_CALL_RECORDS, NULL, NULL);
    records->sent_audits = metric_series(M_AUDIT_RECORDS, NULL, NULL);
    kafka_producer_needs_topic(with->producer, with->records_topic);
    kafka_producer_needs_topic(with->producer, with->audit_topic);
    loop_at_turn_end(with->loop, confirm_acked, records);
    records->walk = shard_walk_new(with->loop, store_shards(with->store), &rules);
    return records;
}

size_t records_pending(const struct records *records)
{
    return records->pending;
}

void records_free(struct records **records)
{
    struct records *r = *records;
    *records = NULL;
    if (r == NULL)
        return;
    shard_walk_free(&r->walk);
    for (unsigned shard = 0; shard < store_shards(r->store); shard++)
        for (struct sent *sent; (sent = FIFO_TAKE(&r->shards[shard].acked, struct sent, link)) != NULL;)
            sent_end(sent);
    buf_done(&r->json);
    buf_done(&r->id);
    free(r->shards);
    free(r->records_topic);
    free(r->audit_topic);
    free(r->source);
    free(r);
}
