#include "workers/store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "scripts.h"
#include "workers/store/batch.h"
#include "workers/store/pack.h"
#include "workers/store/private.h"

enum { SHARD_KEY_MAX = 160, CHECK_AGAIN_MS = 50, CHECK_AGAIN_MAX_MS = 1000, MAX_PARKED = 32 };
enum { UNREADABLE_LINES = 10 /* in a second: each names another call */ };

struct store {
    struct loop *loop;
    struct redis *redis;
    struct batches *batches;
    unsigned shards;
    char (*keys)[SHARD_KEY_MAX];
    struct span *key_spans;
    char *prefix;
    int64_t retention_ms;
    int64_t unknown_keep_ms;
    struct buf scratch; /* the record being packed */
    size_t commands;    /* script calls outside the batches, without an answer yet */
    void (*checked)(const char *problem, void *arg);
    void *checked_arg;
    struct loop_timer *check_timer;
    int64_t check_wait_ms;
    bool records_shards;
    char why[512]; /* of the last STORE_UNREADABLE */
};

int store_new(struct store **store, struct loop *loop, struct redis *redis, const struct settings *settings,
              struct err *err)
{
    struct store *s = mem_calloc(1, sizeof(*s));
    s->loop = loop;
    s->redis = redis;
    s->shards = (unsigned)settings->redis_shards;
    s->prefix = mem_strdup(settings->redis_prefix);
    s->retention_ms = settings->retention_ms;
    s->unknown_keep_ms = settings->unknown_callback_keep_ms;
    s->keys = mem_calloc(s->shards, sizeof(*s->keys));
    for (unsigned i = 0; i < s->shards; i++) {
        int n = snprintf(s->keys[i], SHARD_KEY_MAX, "{%s:%02u}", s->prefix, i);
        if (n < 0 || n >= SHARD_KEY_MAX) {
            free(s->keys);
            free(s->prefix);
            free(s);
            return err_set(err, ERR_CONFIG, "IVR_REDIS_PREFIX: too long, at most 140 characters");
        }
    }
    s->key_spans = mem_calloc(s->shards, sizeof(*s->key_spans));
    for (unsigned i = 0; i < s->shards; i++)
        s->key_spans[i] = span_str(s->keys[i]);
    redis_prove(redis, &script_probe, s->key_spans, s->shards);
    buf_init(&s->scratch, 256 * 1024);
    msgpack_packer packer;
    pack_init(&packer, &s->scratch);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int64(&packer, settings->retention_ms);
    msgpack_pack_int64(&packer, settings->pending_limit_ms);
    msgpack_pack_int64(&packer, settings->give_up_ms);
    msgpack_pack_int64(&packer, settings->pending_check_ms);
    s->batches = batches_new(loop, s, buf_span(&s->scratch));
    *store = s;
    return 0;
}

void store_free(struct store **store)
{
    struct store *s = *store;
    *store = NULL;
    if (s == NULL)
        return;
    if (s->check_timer != NULL)
        loop_timer_stop(&s->check_timer);
    batches_free(&s->batches);
    buf_done(&s->scratch);
    free(s->key_spans);
    free(s->keys);
    free(s->prefix);
    free(s);
}

void store_on_events(struct store *store, store_events_fn fn, store_lost_fn lost, void *arg)
{
    batches_on_events(store->batches, fn, lost, arg);
}

unsigned store_shards(const struct store *store)
{
    return store->shards;
}

/* FNV-1a, 64 bits: fixed for ever, since the shard of a stored call depends on it. */
unsigned store_shard_of(const struct store *store, struct span id)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < id.n; i++)
        hash = (hash ^ (uint8_t)id.p[i]) * 1099511628211u;
    hash ^= hash >> 32;
    return (unsigned)(hash % store->shards);
}

struct span store_shard_key(const struct store *store, unsigned shard)
{
    assert(shard < store->shards);
    return span_str(store->keys[shard]);
}

struct redis *store_redis(const struct store *store)
{
    return store->redis;
}

size_t store_pending(const struct store *store)
{
    return batches_pending(store->batches) + store->commands;
}

const char *store_why(const struct store *store)
{
    return store->why;
}

void store_set_why(struct store *store, struct span why)
{
    snprintf(store->why, sizeof(store->why), "%.*s", SPAN_ARG(why));
}

void store_unreadable(struct store *store, struct span why)
{
    store_set_why(store, why);
    metric_count(M_UNREADABLE_CALLS, NULL, NULL);
    LOG_LIMITED_TO(UNREADABLE_LINES, LOG_LEVEL_ERROR,
                   "a call in Redis cannot be read and is left alone, the others go on",
                   LOG_SPAN("error", why));
}

bool store_takes(const struct store *store)
{
    return redis_up(store->redis);
}

void calls_token(char out[CALLS_TOKEN_LEN + 1])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    uint8_t bytes[CALLS_TOKEN_LEN];
    crypto_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < CALLS_TOKEN_LEN; i++)
        out[i] = digits[bytes[i] & 63];
    out[CALLS_TOKEN_LEN] = '\0';
}

void store_eval_channel(struct store *store, const struct redis_script *script, struct span channel,
                        const struct span *args, size_t argc, redis_fn fn, void *arg)
{
    struct buf key;
    buf_init(&key, 256);
    buf_addf(&key, "{%s:ch:%.*s}", store->prefix, SPAN_ARG(channel));
    store_command_began(store);
    redis_eval(store->redis, script, buf_span(&key), args, argc, fn, arg);
    buf_done(&key);
}

/* ---- the number of shards ---- */

static void check_shards(void *arg);

static void check_again(struct store *store)
{
    int64_t wait_ms = store->check_wait_ms;
    store->check_wait_ms = wait_ms * 2 < CHECK_AGAIN_MAX_MS ? wait_ms * 2 : CHECK_AGAIN_MAX_MS;
    store->check_timer = loop_timer_start(store->loop, wait_ms, 0, check_shards, store);
}

static void shards_told(struct store *store, struct span stored)
{
    char mine[16], problem[200];
    snprintf(mine, sizeof(mine), "%u", store->shards);
    if (stored.n == 0 || span_is(stored, mine)) {
        store->checked(NULL, store->checked_arg);
        return;
    }
    snprintf(problem, sizeof(problem),
             "IVR_REDIS_SHARDS: is %s, but the calls in this Redis are spread over %.*s shards since the "
             "first start; "
             "set it to %.*s",
             mine, SPAN_ARG(stored), SPAN_ARG(stored));
    store->checked(problem, store->checked_arg);
}

static void on_shards(const struct redis_result *result, void *arg)
{
    struct store *store = arg;
    struct span stored = SPAN_NONE;
    store->commands--;
    if (result->status != REDIS_OK) {
        check_again(store);
        return;
    }
    redis_reply_span(result->reply, &stored);
    shards_told(store, stored);
}

static void ask_shards(struct store *store)
{
    char key[200], shards[16];
    snprintf(key, sizeof(key), "%s:shards", store->keys[0]);
    snprintf(shards, sizeof(shards), "%u", store->shards);
    const struct span look[] = {SPAN_LIT("GET"), span_str(key)};
    const struct span record[] = {SPAN_LIT("SET"), span_str(key), span_str(shards), SPAN_LIT("NX"),
                                  SPAN_LIT("GET")};
    store->commands++;
    if (store->records_shards)
        redis_command(store->redis, record, 5, 1, on_shards, store);
    else
        redis_command(store->redis, look, 2, 1, on_shards, store);
}

/* Version 0.1 kept the number under a key that stood beside all others; a user with the least rights may not
 * read it, and did not use that version. */
static void on_older(const struct redis_result *result, void *arg)
{
    struct store *store = arg;
    struct span stored = SPAN_NONE;
    bool may_not = result->status == REDIS_REFUSED && strncmp(result->error, "NOPERM", 6) == 0;
    store->commands--;
    if (result->status != REDIS_OK && !may_not)
        check_again(store);
    else if (result->status == REDIS_OK && redis_reply_span(result->reply, &stored) && stored.n > 0)
        shards_told(store, stored);
    else
        ask_shards(store);
}

static void check_shards(void *arg)
{
    struct store *store = arg;
    char key[200];
    if (store->check_timer != NULL)
        loop_timer_stop(&store->check_timer);
    snprintf(key, sizeof(key), "%s:shards", store->prefix);
    const struct span argv[] = {SPAN_LIT("GET"), span_str(key)};
    store->commands++;
    redis_command(store->redis, argv, 2, 1, on_older, store);
}

void store_check_shards(struct store *store, bool record, void (*fn)(const char *problem, void *arg),
                        void *arg)
{
    store->records_shards = record;
    store->check_wait_ms = CHECK_AGAIN_MS;
    store->checked = fn;
    store->checked_arg = arg;
    check_shards(store);
}

/* ---- packing records ---- */

void store_record_begin(struct store *store, msgpack_packer *packer, size_t items)
{
    buf_clear(&store->scratch);
    pack_init(packer, &store->scratch);
    msgpack_pack_array(packer, items);
}

void store_record_send(struct store *store, enum batch_kind kind, struct span id, batch_deliver_fn deliver,
                       void (*fn)(void), void *arg)
{
    assert(buf_ok(&store->scratch));
    batch_add(store->batches, kind, store_shard_of(store, id), buf_span(&store->scratch), deliver, fn, arg);
}

/* Index of the word in a NULL-terminated list. Scripts and these lists belong together: an unknown word is a
 * defect. */
static int word_of(const msgpack_object *result, size_t i, const char *const *words)
{
    struct span word = pack_get_span(result, i);
    for (int k = 0; words[k] != NULL; k++)
        if (span_is(word, words[k]))
            return k;
    assert(!"a script answered a word that store.c does not know");
    return 0;
}

/* Spreads retries, so it need not be secret: a system call for each record would be felt. xorshift64. */
static int jitter(void)
{
    static uint64_t state;
    while (state == 0)
        crypto_random(&state, sizeof(state));
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)(state % 1000);
}

static void pack_policy(msgpack_packer *out, const struct calls_request *request)
{
    struct buf policy;
    msgpack_packer packer;
    buf_init(&policy, 1024);
    pack_init(&packer, &policy);
    msgpack_pack_array(&packer, 5);
    msgpack_pack_int64(&packer, request->max_attempts);
    msgpack_pack_int64(&packer, request->retry_on);
    msgpack_pack_array(&packer, request->delays_n);
    for (size_t i = 0; i < request->delays_n; i++)
        msgpack_pack_int64(&packer, request->delays_s[i]);
    msgpack_pack_int64(&packer, request->redial_in_doubt);
    msgpack_pack_int64(&packer, request->expires_at_ms);
    pack_span(out, buf_span(&policy));
    buf_done(&policy);
}

static struct calls_claimed claimed_of(const msgpack_object *result)
{
    if (result == NULL)
        return (struct calls_claimed){0, 0};
    return (struct calls_claimed){(int)pack_get_int(result, 1), (int)pack_get_int(result, 2)};
}

static void deliver_request(enum store_status status, const msgpack_object *result, void (*fn)(void),
                            void *arg)
{
    static const char *const words[] = {"claimed",  "halted",  "stored",  "duplicate",
                                        "conflict", "too_old", "dropped", NULL};
    enum calls_request_what what = result != NULL ? (enum calls_request_what)word_of(result, 0, words) : 0;
    ((calls_request_fn)fn)(status, what, claimed_of(result), arg);
}

void calls_request(struct store *store, const struct calls_request *request, calls_request_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 17);
    pack_span(&p, request->id);
    pack_span(&p, request->fingerprint);
    pack_span(&p, request->campaign);
    pack_span(&p, request->channel);
    pack_span(&p, request->provider);
    pack_span(&p, request->identity);
    pack_span(&p, request->request);
    pack_policy(&p, request);
    msgpack_pack_int64(&p, request->recorded_ms);
    msgpack_pack_int64(&p, request->not_before_ms);
    pack_span(&p, request->token);
    msgpack_pack_int64(&p, request->claim_ms);
    msgpack_pack_int64(&p, request->wait_ms);
    pack_span(&p, request->trace);
    pack_span(&p, request->contact);
    msgpack_pack_int64(&p, request->hold_ms);
    msgpack_pack_int64(&p, request->lease_ms);
    store_record_send(store, BATCH_REQUEST, request->id, deliver_request, (void (*)(void))fn, arg);
}

static void deliver_claim(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    static const char *const words[] = {"claimed", "halted", "no", "over", NULL};
    enum calls_claim_what what = result != NULL ? (enum calls_claim_what)word_of(result, 0, words) : 0;
    ((calls_claim_fn)fn)(status, what, claimed_of(result), arg);
}

void calls_claim(struct store *store, const struct calls_claim *claim, calls_claim_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 9);
    pack_span(&p, claim->id);
    pack_span(&p, claim->token);
    msgpack_pack_int64(&p, claim->claim_ms);
    pack_span(&p, claim->channel);
    pack_span(&p, claim->provider);
    pack_span(&p, claim->trace);
    pack_span(&p, claim->contact);
    msgpack_pack_int64(&p, claim->line);
    msgpack_pack_int64(&p, claim->hold_ms);
    store_record_send(store, BATCH_CLAIM, claim->id, deliver_claim, (void (*)(void))fn, arg);
}

static void deliver_postpone(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    (void)result;
    ((calls_postpone_fn)fn)(status, arg);
}

void calls_postpone(struct store *store, struct span id, int64_t opening_ms, struct span provider,
                    calls_postpone_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 3);
    pack_span(&p, id);
    msgpack_pack_int64(&p, opening_ms);
    pack_span(&p, provider);
    store_record_send(store, BATCH_POSTPONE, id, deliver_postpone, (void (*)(void))fn, arg);
}

/* What is parked beside these is due once they are removed (calls_overdue). */
static void deliver_link(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    struct calls_parked parked[MAX_PARKED];
    bool taken = result != NULL && result->type == MSGPACK_OBJECT_BOOLEAN;
    size_t n = 0;
    for (size_t i = 0; result != NULL && !taken && i + 1 < result->via.array.size && n < MAX_PARKED;
         i += 2, n++)
        parked[n] = (struct calls_parked){pack_get_span(result, i), pack_get_span(result, i + 1)};
    ((calls_link_fn)fn)(status, taken ? NULL : parked, n, arg);
}

static void link_id(struct store *store, const struct calls_call *call, struct span ref, bool sure,
                    calls_link_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 4);
    pack_span(&p, call->provider_id);
    pack_span(&p, ref);
    msgpack_pack_int64(&p, sure);
    pack_span(&p, call->channel);
    store_record_send(store, BATCH_LINK, call->provider_id, deliver_link, (void (*)(void))fn, arg);
}

void calls_link(struct store *store, const struct calls_call *call, struct span ref, calls_link_fn fn,
                void *arg)
{
    link_id(store, call, ref, true, fn, arg);
}

void calls_link_inferred(struct store *store, const struct calls_call *call, struct span ref,
                         calls_link_fn fn, void *arg)
{
    link_id(store, call, ref, false, fn, arg);
}

/* A result that is a number of a known range. */
static int64_t number_of(const msgpack_object *result, int64_t end)
{
    int64_t number = result->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? (int64_t)result->via.u64 : -1;
    assert(number >= 0 && number < end);
    return number;
}

static void deliver_outcome(enum store_status status, const msgpack_object *result, void (*fn)(void),
                            void *arg)
{
    enum calls_outcome_what what = status == STORE_OK ? (enum calls_outcome_what)number_of(result, 3) : 0;
    ((calls_outcome_fn)fn)(status, what, arg);
}

void calls_outcome(struct store *store, const struct calls_outcome *outcome, calls_outcome_fn fn, void *arg)
{
    static const char *const kinds[] = {
        [OUTCOME_ACCEPTED] = "accepted",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_REFUSED_NOW] = "refused_now",
        [OUTCOME_DOUBT] = "doubt",
        [OUTCOME_UNREACHED] = "unreached",
        [OUTCOME_ELSEWHERE] = "elsewhere",
        [OUTCOME_BACK] = "back",
        [OUTCOME_BUSY] = "busy",
        [OUTCOME_LISTED] = "listed",
    };
    msgpack_packer p;
    store_record_begin(store, &p, 10);
    pack_span(&p, outcome->id);
    msgpack_pack_int64(&p, outcome->attempt);
    pack_span(&p, outcome->token);
    pack_str(&p, kinds[outcome->kind]);
    pack_evidence(&p, outcome->evidence);
    msgpack_pack_int64(&p, outcome->wait_ms);
    msgpack_pack_int64(&p, jitter());
    pack_span(&p, outcome->trace);
    pack_span(&p, outcome->channel);
    pack_span(&p, outcome->provider);
    store_record_send(store, BATCH_OUTCOME, outcome->id, deliver_outcome, (void (*)(void))fn, arg);
}

/* 64 where its id has to be linked + 8 x what + the call's status. */
static void deliver_evidence(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    int64_t number = status == STORE_OK ? number_of(result, 128) : 0;
    const struct calls_evidence_result told = {.what = (enum calls_evidence_what)(number % 64 / 8),
                                               .call_status = (enum call_status)(number % 8),
                                               .unlinked = number >= 64};
    ((calls_evidence_fn)fn)(status, &told, arg);
}

void calls_evidence(struct store *store, const struct calls_evidence *evidence, calls_evidence_fn fn,
                    void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, evidence->unproved ? 8 : 7);
    pack_span(&p, evidence->id);
    msgpack_pack_int64(&p, evidence->attempt);
    pack_span(&p, evidence->channel);
    pack_span(&p, evidence->provider);
    pack_evidence(&p, evidence->evidence);
    msgpack_pack_int64(&p, jitter());
    pack_span(&p, evidence->trace);
    if (evidence->unproved)
        pack_str(&p, evidence->evidence->called);
    store_record_send(store, BATCH_EVIDENCE, evidence->id, deliver_evidence, (void (*)(void))fn, arg);
}

/* ---- scripts that look at a whole shard ---- */

static void deliver_due(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct calls_due items[STORE_BATCH];
    size_t n = 0;
    for (; results != NULL && n < results->via.array.size && n < STORE_BATCH; n++) {
        const msgpack_object *item = &results->via.array.ptr[n];
        items[n] = (struct calls_due){pack_get_span(item, 0),     pack_get_span(item, 1),
                                      pack_get_span(item, 2),     (int)pack_get_int(item, 3),
                                      (int)pack_get_int(item, 4), (int)pack_get_int(item, 5)};
    }
    ((calls_due_fn)fn)(status, items, n, arg);
}

static unsigned at_most(unsigned limit)
{
    return limit < STORE_BATCH ? limit : STORE_BATCH;
}

void calls_due(struct store *store, const struct calls_due_query *asked, calls_due_fn fn, void *arg)
{
    char most[16], lease[24], lost[24];
    msgpack_packer p;
    snprintf(most, sizeof(most), "%u", at_most(asked->limit));
    snprintf(lease, sizeof(lease), "%lld", (long long)asked->lease_ms);
    snprintf(lost, sizeof(lost), "%lld", (long long)asked->lost_ms);
    store_record_begin(store, &p, asked->suspended_n);
    for (size_t i = 0; i < asked->suspended_n; i++)
        pack_span(&p, asked->suspended[i]);
    const struct span args[] = {span_str(most), span_str(lease), buf_span(&store->scratch),
                                asked->lost_ms >= 0 ? span_str(lost) : SPAN_NONE};
    batch_run(store->batches, &script_due, asked->shard, args, 4, deliver_due, (void (*)(void))fn, arg);
}

static void deliver_settle(enum store_status status, const msgpack_object *results, void (*fn)(void),
                           void *arg)
{
    static const char *const words[] = {"claim_lost", "no_report", "look_up", "find", NULL};
    struct calls_settled items[STORE_BATCH];
    size_t n = 0;
    for (; results != NULL && n < results->via.array.size && n < STORE_BATCH; n++) {
        const msgpack_object *item = &results->via.array.ptr[n];
        struct calls_settled *settled = &items[n];
        *settled = (struct calls_settled){.id = pack_get_span(item, 0),
                                          .attempt = (int)pack_get_int(item, 1),
                                          .what = (enum calls_settled_what)word_of(item, 2, words),
                                          .channel = pack_get_span(item, 3),
                                          .provider_call_id = pack_get_span(item, 4)};
        if (settled->what == SETTLED_FIND) {
            settled->request = pack_get_span(item, 5);
            settled->placed_ms = pack_get_int(item, 6);
        }
    }
    ((calls_settle_fn)fn)(status, items, n, arg);
}

void calls_settle(struct store *store, unsigned shard, unsigned limit, unsigned look_ups, calls_settle_fn fn,
                  void *arg)
{
    char most[16], room[16];
    snprintf(most, sizeof(most), "%u", at_most(limit));
    snprintf(room, sizeof(room), "%u", look_ups);
    const struct span args[] = {span_str(most), span_str(room)};
    batch_run(store->batches, &script_settle, shard, args, 2, deliver_settle, (void (*)(void))fn, arg);
}

/* ---- for the other files of workers/store ---- */

void store_command_began(struct store *store)
{
    store->commands++;
}

void store_command_ended(struct store *store)
{
    store->commands--;
}

struct batches *store_batches(const struct store *store)
{
    return store->batches;
}

int64_t store_retention_ms(const struct store *store)
{
    return store->retention_ms;
}

int64_t store_unknown_keep_ms(const struct store *store)
{
    return store->unknown_keep_ms;
}
