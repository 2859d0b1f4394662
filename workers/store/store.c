#include "workers/store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "scripts.h"
#include "workers/store/batch.h"
#include "workers/store/pack.h"
#include "workers/store/unreadable.h"
#include "workers/store/verbs.h"

enum { RECORD_MAX = 256 * 1024, KEY_MAX = 256, CHECK_AGAIN_MS = 50, CHECK_AGAIN_MAX_MS = 1000 };

struct store {
    struct loop *loop;
    struct redis *redis;
    struct batches *batches;
    unsigned shards;
    char (*keys)[KEY_SHARD_MAX];
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
    struct unreadable unreadable;
};

/* False where the prefix is too long. */
static bool make_keys(struct store *store)
{
    struct buf key;
    bool fits = true;
    buf_init(&key, KEY_SHARD_MAX);
    store->keys = mem_calloc(store->shards, sizeof(*store->keys));
    store->key_spans = mem_calloc(store->shards, sizeof(*store->key_spans));
    for (unsigned i = 0; i < store->shards && fits; i++) {
        buf_clear(&key);
        key_add_shard(&key, store->prefix, i);
        fits = buf_ok(&key) && key.n < KEY_SHARD_MAX;
        if (fits)
            memcpy(store->keys[i], key.p, key.n);
        store->key_spans[i] = span_str(store->keys[i]);
    }
    buf_done(&key);
    return fits;
}

static struct batches *make_batches(struct store *store, const struct settings *settings)
{
    msgpack_packer packer;
    pack_init(&packer, &store->scratch);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int64(&packer, settings->retention_ms);
    msgpack_pack_int64(&packer, settings->pending_limit_ms);
    msgpack_pack_int64(&packer, settings->give_up_ms);
    msgpack_pack_int64(&packer, settings->pending_check_ms);
    const struct batches_with with = {.loop = store->loop,
                                      .redis = store->redis,
                                      .shard_keys = store->key_spans,
                                      .shards = store->shards,
                                      .config = buf_span(&store->scratch),
                                      .unreadable = &store->unreadable};
    return batches_new(&with);
}

static void done(struct store *store)
{
    buf_done(&store->scratch);
    free(store->key_spans);
    free(store->keys);
    free(store->prefix);
    free(store);
}

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
    buf_init(&s->scratch, RECORD_MAX);
    if (!make_keys(s)) {
        done(s);
        return err_set(err, ERR_CONFIG, "IVR_REDIS_PREFIX: too long, at most 140 characters");
    }
    redis_prove(redis, &script_probe, s->key_spans, s->shards);
    s->batches = make_batches(s, settings);
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
    done(s);
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
    return store->unreadable.why;
}

bool store_takes(const struct store *store)
{
    return redis_up(store->redis);
}

/* ---- the number of shards ---- */

static void check_shards(void *arg);

static void check_again(struct store *store)
{
    int64_t wait_ms = store->check_wait_ms;
    store->check_wait_ms = wait_ms * 2 < CHECK_AGAIN_MAX_MS ? wait_ms * 2 : CHECK_AGAIN_MAX_MS;
    store->check_timer = loop_timer_start(store->loop, wait_ms, 0, check_shards, store);
}

static void shards_known(struct store *store, struct span stored)
{
    char mine[16], problem[200];
    snprintf(mine, sizeof(mine), "%u", store->shards);
    if (stored.n == 0 || span_is(stored, mine)) {
        store->checked(NULL, store->checked_arg);
        return;
    }
    snprintf(
        problem, sizeof(problem),
        "IVR_REDIS_SHARDS: is %s, but the calls in this Redis are spread over %.*s shards since the first "
        "start; set it to %.*s",
        mine, SPAN_ARG(stored), SPAN_ARG(stored));
    store->checked(problem, store->checked_arg);
}

static void on_shards(const struct redis_result *result, void *arg)
{
    struct store *store = arg;
    struct span stored = SPAN_NONE;
    store_command_ended(store);
    if (result->status != REDIS_OK) {
        check_again(store);
        return;
    }
    redis_reply_span(result->reply, &stored);
    shards_known(store, stored);
}

static void ask_shards(struct store *store)
{
    char shards[16];
    struct buf key;
    buf_init(&key, KEY_MAX);
    key_add(&key, store->key_spans[0], KEY_SHARDS, SPAN_NONE);
    snprintf(shards, sizeof(shards), "%u", store->shards);
    const struct span look[] = {SPAN_LIT("GET"), buf_span(&key)};
    const struct span record[] = {SPAN_LIT("SET"), buf_span(&key), span_str(shards), SPAN_LIT("NX"),
                                  SPAN_LIT("GET")};
    if (store->records_shards)
        store_command(store, record, 5, on_shards, store);
    else
        store_command(store, look, 2, on_shards, store);
    buf_done(&key);
}

/* Version 0.1 kept the number under a key that stood beside all others; a user with the least rights may not
 * read it, and did not use that version. */
static void on_older(const struct redis_result *result, void *arg)
{
    struct store *store = arg;
    struct span stored = SPAN_NONE;
    bool may_not = result->status == REDIS_REFUSED && strncmp(result->error, "NOPERM", 6) == 0;
    store_command_ended(store);
    if (result->status != REDIS_OK && !may_not)
        check_again(store);
    else if (result->status == REDIS_OK && redis_reply_span(result->reply, &stored) && stored.n > 0)
        shards_known(store, stored);
    else
        ask_shards(store);
}

static void check_shards(void *arg)
{
    struct store *store = arg;
    struct buf key;
    if (store->check_timer != NULL)
        loop_timer_stop(&store->check_timer);
    buf_init(&key, KEY_MAX);
    key_add_shards_of_0_1(&key, store->prefix);
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    store_command(store, argv, 2, on_older, store);
    buf_done(&key);
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

/* ---- verbs.h ---- */

void store_record_begin(struct store *store, msgpack_packer *packer, size_t items)
{
    buf_clear(&store->scratch);
    pack_init(packer, &store->scratch);
    msgpack_pack_array(packer, items);
}

void store_record_send(struct store *store, const struct redis_script *verb, struct span id,
                       store_deliver_fn deliver, void (*fn)(void), void *arg)
{
    assert(buf_ok(&store->scratch));
    batch_add(store->batches, verb, store_shard_of(store, id), buf_span(&store->scratch), deliver, fn, arg);
}

void store_run(struct store *store, const struct redis_script *verb, unsigned shard, const struct span *args,
               size_t argc, store_deliver_fn deliver, void (*fn)(void), void *arg)
{
    batch_run(store->batches, verb, shard, args, argc, deliver, fn, arg);
}

void store_eval(struct store *store, const struct redis_script *verb, unsigned shard, const struct span *args,
                size_t argc, redis_fn fn, void *arg)
{
    store->commands++;
    redis_eval(store->redis, verb, store_shard_key(store, shard), args, argc, fn, arg);
}

void store_eval_channel(struct store *store, const struct redis_script *verb, struct span channel,
                        const struct span *args, size_t argc, redis_fn fn, void *arg)
{
    struct buf key;
    buf_init(&key, KEY_MAX);
    key_add_channel(&key, store->prefix, channel);
    store->commands++;
    redis_eval(store->redis, verb, buf_span(&key), args, argc, fn, arg);
    buf_done(&key);
}

void store_command(struct store *store, const struct span *argv, size_t argc, redis_fn fn, void *arg)
{
    store->commands++;
    redis_command(store->redis, argv, argc, 1, fn, arg);
}

void store_command_of(struct store *store, size_t server, const struct span *argv, size_t argc, redis_fn fn,
                      void *arg)
{
    store->commands++;
    redis_command_of(store->redis, server, argv, argc, fn, arg);
}

void store_command_ended(struct store *store)
{
    store->commands--;
}

void store_unreadable(struct store *store, struct span why)
{
    unreadable_report(&store->unreadable, why);
}

int64_t store_retention_ms(const struct store *store)
{
    return store->retention_ms;
}

int64_t store_unknown_keep_ms(const struct store *store)
{
    return store->unknown_keep_ms;
}
