#include "workers/calls/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/fifo.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/kafka/cloudevent.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "scripts.h"
#include "workers/calls/audit.h"
#include "workers/calls/call_record.h"
#include "workers/store/pack.h"
#include "workers/store/shard_walk.h"
#include "workers/store/verbs.h"

enum {
    ROUND_MS = 1000,
    IDLE_ROUNDS = 5, /* a shard of which nothing is known is asked once in so many rounds */
    DUE_ROUNDS = 3,  /* one of which something is known in the next ones: a row waits for a second */
    SEND_MS = RECORDS_LEASE_MS / 3 * 2, /* the producer gives up well before the lease ends */
    TAKE_MAX = 64,
    BACKLOG_MAX = 5000, /* records that the producer holds: more would only be sent twice */
    WHAT_SHOWN = 200,   /* bytes of it in the log */
    CONFIRM_MAX = 1024,
};

/* What becomes of something in hand, as sent_records.lua is told. */
enum sent_kind { SENT_NOTHING, SENT_RECORD, SENT_UNSURE, SENT_AUDIT };

/* A row, or what somebody did, on its way to its topic. */
struct sent {
    struct fifo_link link;
    struct records *records;
    unsigned shard;
    enum sent_kind kind;
    int64_t lease_ms;
    size_t what_n;
    char what[]; /* the call's id; of audit the whole text, by which Redis knows it */
};

struct records_shard {
    int due_rounds, idle_rounds;
    struct fifo acked;             /* to be confirmed */
    int64_t confirm_again_mono_ms; /* not before that: Redis did not answer */
};

struct records {
    struct loop *loop;
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

/* Asked of Redis until it answers: a row whose sender is not known to be done may be older than another's. */
struct confirmation {
    struct records *records;
    unsigned shard;
    struct fifo items;
};

static void on_confirmed(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    struct confirmation *confirmation = arg;
    struct records *records = confirmation->records;
    struct records_shard *shard = &records->shards[confirmation->shard];
    (void)result, (void)fn;
    if (status == STORE_OK || status == STORE_UNACKED) {
        for (struct sent *sent; (sent = FIFO_TAKE(&confirmation->items, struct sent, link)) != NULL;)
            sent_end(sent);
    } else {
        fifo_move(&shard->acked, &confirmation->items);
        shard->confirm_again_mono_ms = loop_mono_ms(records->loop) + ROUND_MS;
    }
    free(confirmation);
}

static void pack_sent(struct buf *b, const struct sent *sent)
{
    static const char *const words[] = {
        [SENT_RECORD] = "record", [SENT_UNSURE] = "unsure", [SENT_AUDIT] = "audit"};
    msgpack_packer p;
    pack_init(&p, b);
    msgpack_pack_array(&p, sent->kind == SENT_AUDIT ? 2 : 3);
    pack_str(&p, words[sent->kind]);
    pack_span(&p, span_of(sent->what, sent->what_n));
    if (sent->kind != SENT_AUDIT)
        msgpack_pack_int64(&p, sent->lease_ms);
}

static void confirm(struct records *records, unsigned shard)
{
    struct buf bufs[TAKE_MAX];
    struct span args[TAKE_MAX];
    struct confirmation *confirmation = mem_calloc(1, sizeof(*confirmation));
    size_t n = 0;
    confirmation->records = records;
    confirmation->shard = shard;
    for (struct sent *sent;
         n < TAKE_MAX && (sent = FIFO_TAKE(&records->shards[shard].acked, struct sent, link)) != NULL; n++) {
        buf_init(&bufs[n], CONFIRM_MAX + sent->what_n);
        pack_sent(&bufs[n], sent);
        args[n] = buf_span(&bufs[n]);
        fifo_add(&confirmation->items, &sent->link);
    }
    store_run(records->store, &script_sent_records, shard, args, n, on_confirmed, NULL, confirmation);
    for (size_t i = 0; i < n; i++)
        buf_done(&bufs[i]);
}

static bool confirm_acked(void *arg)
{
    struct records *records = arg;
    int64_t now_mono_ms = loop_mono_ms(records->loop);
    bool did = false;
    for (unsigned shard = 0; shard < store_shards(records->store); shard++) {
        struct records_shard *s = &records->shards[shard];
        while (s->acked.n > 0 && now_mono_ms >= s->confirm_again_mono_ms) {
            confirm(records, shard);
            did = true;
        }
    }
    return did;
}

/* Where the brokers are silent a row may have come all the same, or come yet: then it is sent again behind it. What
 * somebody did bears an id, and is sent again after its lease. One that no broker takes is not asked for again. */
static void on_ack(const char *error, void *arg)
{
    struct sent *sent = arg;
    struct records *records = sent->records;
    bool too_large = error == KAFKA_TOO_LARGE;
    if (too_large)
        LOG_ERROR(
            "a record is too large for its topic, and left out",
            LOG_SPAN("what", span_of(sent->what, sent->what_n < WHAT_SHOWN ? sent->what_n : WHAT_SHOWN)));
    else if (error != NULL)
        LOG_LIMITED(LOG_LEVEL_WARN, "a record was not acknowledged, it is sent again later",
                    LOG_STR("error", error));
    else
        metric_add(sent->kind == SENT_RECORD ? records->sent_records : records->sent_audits, 1);
    if (error != NULL && !too_large && sent->kind == SENT_AUDIT) {
        sent_end(sent);
        return;
    }
    if (error != NULL && !too_large)
        sent->kind = SENT_UNSURE;
    fifo_add(&records->shards[sent->shard].acked, &sent->link);
}

/* ---- sending ---- */

static struct sent *sent_new(struct records *records, unsigned shard, enum sent_kind kind, int64_t lease_ms,
                             struct span what)
{
    struct sent *sent = mem_calloc(1, sizeof(*sent) + what.n + 1);
    sent->records = records;
    sent->shard = shard;
    sent->kind = kind;
    sent->lease_ms = lease_ms;
    sent->what_n = what.n;
    memcpy(sent->what, what.p, what.n);
    records->pending++;
    return sent;
}

static void send_record(struct records *records, unsigned shard, int64_t lease_ms,
                        const msgpack_object *packed)
{
    struct call_record record;
    struct cloudevent headers;
    if (packed == NULL || !call_record_read(&record, packed)) {
        LOG_LIMITED(LOG_LEVEL_ERROR, "a record from Redis has a form that this version does not know");
        return;
    }
    buf_clear(&records->json);
    buf_clear(&records->id);
    call_record_add_json(&records->json, &record);
    call_record_add_id(&records->id, &record);
    cloudevent_init(&headers, span_str(records->source), buf_span(&records->id), SPAN_LIT("ivr.call-record"),
                    record.updated_ms);
    cloudevent_add(&headers, "content-type", SPAN_LIT("application/json"));
    cloudevent_add_trace(&headers, record.traceparent, record.tracestate);
    kafka_produce(records->producer, records->records_topic, record.id, buf_span(&records->json),
                  headers.headers, headers.n, 0, on_ack,
                  sent_new(records, shard, SENT_RECORD, lease_ms, record.id));
}

static void send_audit(struct records *records, unsigned shard, int64_t lease_ms, struct span text)
{
    struct cloudevent headers;
    struct audit_text audit;
    audit_read(&audit, text);
    cloudevent_init(&headers, span_str(records->source), audit.id, SPAN_LIT("ivr.audit"), audit.at_ms);
    cloudevent_add(&headers, "content-type", SPAN_LIT("application/json"));
    kafka_produce(records->producer, records->audit_topic, audit.key, audit.json, headers.headers, headers.n,
                  0, on_ack, sent_new(records, shard, SENT_AUDIT, lease_ms, text));
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
    return kafka_producer_pending(records->producer) < BACKLOG_MAX &&
           !kafka_producer_away(records->producer) && redis_up(store_redis(records->store));
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
    records->loop = with->loop;
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
    kafka_producer_topic_timeout(with->producer, with->records_topic, SEND_MS);
    kafka_producer_topic_timeout(with->producer, with->audit_topic, SEND_MS);
    kafka_producer_needs_topic(with->producer, with->records_topic);
    kafka_producer_needs_topic(with->producer, with->audit_topic);
    loop_at_turn_end(with->loop, confirm_acked, records);
    records->walk = shard_walk_new(with->loop, store_shards(with->store), &rules);
    return records;
}

void records_stop(struct records *records)
{
    shard_walk_stop(records->walk);
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
