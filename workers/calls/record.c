#include "workers/calls/record.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "layout.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { KEY_MAX = 360, REQUEST_JSON_MAX = 256 * 1024, ATTEMPT_NUMBER_MAX = 9999999 };

/* ---- reading ---- */

struct record_reading {
    struct store *store;
    record_fn fn;
    void *arg;
    size_t id_n;
    char id[];
};

/* One packed array; what it points to lives as long as `text` and `zone`. */
static bool unpack(msgpack_zone *zone, struct span text, msgpack_object *out)
{
    size_t at = 0;
    msgpack_unpack_return rc = msgpack_unpack(text.p, text.n, &at, zone, out);
    return (rc == MSGPACK_UNPACK_SUCCESS || rc == MSGPACK_UNPACK_EXTRA_BYTES) &&
           out->type == MSGPACK_OBJECT_ARRAY;
}

static void read_state(struct record *r, const msgpack_object *s)
{
    r->seq = pack_get_int(s, LAYOUT_S_SEQ);
    r->phase = (enum call_phase)pack_get_int(s, LAYOUT_S_PHASE);
    r->status = (enum call_status)pack_get_int(s, LAYOUT_S_STATUS);
    r->final = pack_get_int(s, LAYOUT_S_FINAL) != 0;
    r->attempt = (int)pack_get_int(s, LAYOUT_S_ATTEMPT);
    r->campaign = pack_get_span(s, LAYOUT_S_CAMPAIGN);
    r->channel = pack_get_span(s, LAYOUT_S_CHANNEL);
    r->created_at_ms = pack_get_int(s, LAYOUT_S_CREATED);
    r->updated_at_ms = pack_get_int(s, LAYOUT_S_UPDATED);
    r->next_attempt_at_ms = pack_get_int(s, LAYOUT_S_NEXT_AT);
    r->drop_reason = pack_get_span(s, LAYOUT_S_DROP);
    r->paused_by = pack_get_span(s, LAYOUT_S_HOLD);
    r->cancelled = pack_get_int(s, LAYOUT_S_CANCELLED) != 0;
}

/* Three values a hop: the provider's time, ours (0: not seen), its detail. */
static void read_hops(struct record_attempt *att, const msgpack_object *a)
{
    for (size_t hop = 0; hop < HOP_COUNT; hop++) {
        size_t at = LAYOUT_A_HOPS + 3 * hop;
        int64_t recorded_ms = pack_get_int(a, at + 1);
        att->hops[hop] =
            (struct record_hop){recorded_ms > 0, pack_get_int(a, at), recorded_ms, pack_get_span(a, at + 2)};
    }
}

static void read_attempt(struct record_attempt *att, const msgpack_object *a)
{
    att->status = (enum call_status)pack_get_int(a, LAYOUT_A_STATUS);
    att->terminal = pack_get_int(a, LAYOUT_A_TERMINAL) != 0;
    att->reason_code = pack_get_span(a, LAYOUT_A_CODE);
    att->reason_detail = pack_get_span(a, LAYOUT_A_DETAIL);
    att->channel = pack_get_span(a, LAYOUT_A_CHANNEL);
    att->provider = pack_get_span(a, LAYOUT_A_PROVIDER);
    att->provider_call_id = pack_get_span(a, LAYOUT_A_ID);
    att->id_sure = pack_get_int(a, LAYOUT_A_ID_SURE) != 0;
    att->placed_at_ms = pack_get_int(a, LAYOUT_A_PLACED);
    att->ring_seconds = pack_get_int(a, LAYOUT_A_RING);
    att->talk_seconds = pack_get_int(a, LAYOUT_A_TALK);
    att->cost_micros = pack_get_int(a, LAYOUT_A_COST);
    att->currency = pack_get_span(a, LAYOUT_A_CURRENCY);
    read_hops(att, a);
}

/* The number in "a12"; 0 for any other field. */
static int attempt_number(struct span field)
{
    int number;
    if (field.n < 2 || field.p[0] != 'a' ||
        !number_read_int(span_of(field.p + 1, field.n - 1), 0, ATTEMPT_NUMBER_MAX, &number))
        return 0;
    return number;
}

static int by_number(const void *a, const void *b)
{
    const struct record_attempt *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static bool is_state(const msgpack_object *s)
{
    int64_t phase = pack_get_int(s, LAYOUT_S_PHASE), status = pack_get_int(s, LAYOUT_S_STATUS);
    return s->via.array.size > LAYOUT_S_DROP && phase >= PHASE_WAITING && phase <= PHASE_DROPPED &&
           status >= 0 && status < STATUS_COUNT;
}

static bool is_attempt(const msgpack_object *a)
{
    int64_t status = pack_get_int(a, LAYOUT_A_STATUS);
    return a->via.array.size >= LAYOUT_A_HOPS + 3 * HOP_COUNT && status >= 0 && status < STATUS_COUNT;
}

/* HGETALL's reply: field, value, field, value, ... NULL, or the field that cannot be read. */
static const char *read_reply(struct record *r, struct record_attempt *attempts, msgpack_zone *zone,
                              const void *reply)
{
    bool known = false;
    msgpack_object packed;
    for (long i = 0; i + 1 < redis_reply_len(reply); i += 2) {
        struct span field = SPAN_NONE, value = SPAN_NONE;
        redis_reply_span(redis_reply_at(reply, (size_t)i), &field);
        redis_reply_span(redis_reply_at(reply, (size_t)i + 1), &value);
        int number = attempt_number(field);
        if (span_is(field, "q")) {
            r->request = value;
        } else if (span_is(field, "s")) {
            known = unpack(zone, value, &packed) && is_state(&packed);
            if (known)
                read_state(r, &packed);
        } else if (number > 0) {
            if (!unpack(zone, value, &packed) || !is_attempt(&packed))
                return "of an attempt";
            attempts[r->attempts_n] = (struct record_attempt){.number = number};
            read_attempt(&attempts[r->attempts_n++], &packed);
        }
    }
    qsort(attempts, r->attempts_n, sizeof(*attempts), by_number);
    r->attempts = attempts;
    return known ? NULL : "s";
}

static void add_key(struct buf *b, const struct record_reading *reading)
{
    struct span id = span_of(reading->id, reading->id_n);
    key_add(b, store_shard_key(reading->store, store_shard_of(reading->store, id)), KEY_CALL, id);
}

static void report_unreadable(const struct record_reading *reading, const char *why)
{
    struct buf text;
    buf_init(&text, 1024);
    add_key(&text, reading);
    buf_addf(&text, " cannot be read: %s", why);
    store_unreadable(reading->store, buf_span(&text));
    buf_done(&text);
    reading->fn(STORE_UNREADABLE, NULL, reading->arg);
}

static void deliver(const struct record_reading *reading, const void *reply)
{
    long n = redis_reply_len(reply);
    struct record record = {.id = span_of(reading->id, reading->id_n)};
    struct record_attempt *attempts = mem_calloc(n > 1 ? (size_t)n / 2 : 1, sizeof(*attempts));
    char why[100];
    msgpack_zone *zone = msgpack_zone_new(4096);
    if (zone == NULL)
        abort(); /* as mem.h does when there is no memory */
    const char *bad = read_reply(&record, attempts, zone, reply);
    if (bad == NULL) {
        reading->fn(STORE_OK, &record, reading->arg);
    } else {
        snprintf(why, sizeof(why), "its field %s is missing, or not what this version writes there", bad);
        report_unreadable(reading, why);
    }
    msgpack_zone_free(zone);
    free(attempts);
}

static void on_reply(const struct redis_result *result, void *arg)
{
    struct record_reading *reading = arg;
    store_command_ended(reading->store);
    if (result->status == REDIS_REFUSED && strncmp(result->error, "WRONGTYPE", 9) == 0)
        report_unreadable(reading, result->error);
    else if (result->status != REDIS_OK)
        reading->fn(store_status_of(result), NULL, reading->arg);
    else if (redis_reply_len(result->reply) > 0)
        deliver(reading, result->reply);
    else
        reading->fn(store_takes(reading->store) ? STORE_OK : STORE_REFUSED, NULL, reading->arg);
    free(reading);
}

void record_read(struct store *store, struct span id, record_fn fn, void *arg)
{
    struct buf key;
    struct record_reading *reading = mem_alloc(sizeof(*reading) + id.n);
    *reading = (struct record_reading){.store = store, .fn = fn, .arg = arg, .id_n = id.n};
    if (id.n > 0)
        memcpy(reading->id, id.p, id.n);
    buf_init(&key, KEY_MAX);
    add_key(&key, reading);
    const struct span argv[] = {SPAN_LIT("HGETALL"), buf_span(&key)};
    store_command(store, argv, 2, on_reply, reading);
    buf_done(&key);
}

/* ---- as JSON ---- */

static const char *phase_name(enum call_phase phase)
{
    static const char *const names[] = {
        [PHASE_WAITING] = "waiting", [PHASE_PLACING] = "placing", [PHASE_PLACED] = "placed",
        [PHASE_DONE] = "done",       [PHASE_DROPPED] = "dropped",
    };
    return phase >= PHASE_WAITING && phase <= PHASE_DROPPED ? names[phase] : NULL;
}

/* The provider's words may quote the number that was called. */
static void add_masked(struct buf *b, const char *key, struct span text)
{
    struct buf masked;
    buf_init(&masked, 64 * 1024);
    pii_add_text(&masked, text);
    json_kstr(b, key, buf_span(&masked));
    buf_done(&masked);
}

static void add_reason(struct buf *b, const struct record_attempt *att)
{
    if (att->reason_code.n == 0 && att->reason_detail.n == 0) {
        json_knull(b, "reason");
        return;
    }
    json_key(b, "reason");
    buf_addc(b, '{');
    add_masked(b, "code", att->reason_code);
    add_masked(b, "detail", att->reason_detail);
    buf_addc(b, '}');
}

static void add_hops(struct buf *b, const struct record_attempt *att)
{
    json_key(b, "hops");
    buf_addc(b, '[');
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        const struct record_hop *seen = &att->hops[hop];
        if (!seen->seen)
            continue;
        json_sep(b);
        buf_addc(b, '{');
        json_kstrz(b, "hop", hop_name((enum hop)hop));
        json_ktime(b, "at", seen->at_ms);
        json_ktime(b, "recorded_at", seen->recorded_ms);
        if (seen->detail.n > 0)
            add_masked(b, "detail", seen->detail);
        else
            json_knull(b, "detail");
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
}

static void add_attempt(struct buf *b, const struct record_attempt *att)
{
    json_sep(b);
    buf_addc(b, '{');
    json_kint(b, "attempt", att->number);
    json_ktext(b, "channel", att->channel);
    json_ktext(b, "provider", att->provider);
    json_ktext(b, "provider_call_id", att->provider_call_id);
    json_kstrz(b, "status", status_name(att->status));
    add_reason(b, att);
    json_ktime(b, "placed_at", att->placed_at_ms);
    json_kcount(b, "ring_seconds", att->ring_seconds);
    json_kcount(b, "talk_seconds", att->talk_seconds);
    json_kcost(b, "cost", att->cost_micros, att->currency);
    add_hops(b, att);
    buf_addc(b, '}');
}

/* "acme/c-1" as two members; neither half holds another slash. */
static void add_halves(struct buf *b, const char *first, const char *second, struct span pair)
{
    const char *slash = pair.n > 0 ? memchr(pair.p, '/', pair.n) : NULL;
    size_t n = slash != NULL ? (size_t)(slash - pair.p) : pair.n;
    if (first != NULL)
        json_kstr(b, first, span_of(pair.p, n));
    json_kstr(b, second, slash != NULL ? span_of(slash + 1, pair.n - n - 1) : SPAN_LIT(""));
}

/* The stored request is our own JSON; its `to` is all that is wanted of it here. */
static void add_to(struct buf *b, struct span request)
{
    struct buf number;
    json_t *json = json_parse(request, REQUEST_JSON_MAX, NULL);
    buf_init(&number, 256);
    pii_add_number(&number, json_get_span(json, "to"));
    json_kstr(b, "to", buf_span(&number));
    buf_done(&number);
    json_decref(json);
}

void record_add_json(struct buf *b, const struct record *record)
{
    buf_addc(b, '{');
    add_halves(b, "tenant", "call_id", record->id);
    add_halves(b, NULL, "campaign", record->campaign);
    add_to(b, record->request);
    json_kstrz(b, "phase", phase_name(record->phase));
    json_kstrz(b, "status", status_name(record->status));
    json_kbool(b, "final", record->final);
    json_ktext(b, "drop_reason", record->drop_reason);
    json_ktext(b, "paused_by", record->paused_by);
    json_kbool(b, "cancelled", record->cancelled);
    json_kint(b, "seq", record->seq);
    json_ktime(b, "next_attempt_at", record->next_attempt_at_ms);
    json_ktime(b, "created_at", record->created_at_ms);
    json_ktime(b, "updated_at", record->updated_at_ms);
    json_kint(b, "attempts_omitted", record->attempt - (int64_t)record->attempts_n);
    json_key(b, "attempts");
    buf_addc(b, '[');
    for (size_t i = 0; i < record->attempts_n; i++)
        add_attempt(b, &record->attempts[i]);
    buf_addc(b, ']');
    buf_addc(b, '}');
}
