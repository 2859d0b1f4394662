#include "workers/calls/walk.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { KEY_MAX = 512 };

struct walk_question {
    struct store *store;
    void (*fn)(void);
    void *arg;
};

static struct walk_question *walk_question_new(struct store *store, void (*fn)(void), void *arg)
{
    struct walk_question *q = mem_alloc(sizeof(*q));
    *q = (struct walk_question){.store = store, .fn = fn, .arg = arg};
    return q;
}

static struct walk_question walk_question_end(void *arg)
{
    struct walk_question q = *(struct walk_question *)arg;
    free(arg);
    store_command_ended(q.store);
    return q;
}

/* ---- the right ---- */

static void on_right(const struct redis_result *result, void *arg)
{
    struct walk_question q = walk_question_end(arg);
    bool granted = result->status == REDIS_OK && !redis_reply_nil(result->reply);
    ((walk_right_fn)q.fn)(store_status_of(result), granted, q.arg);
}

void walk_right(struct store *store, enum walk_right what, int64_t ms, walk_right_fn fn, void *arg)
{
    struct buf key;
    char px[NUMBER_LEN];
    buf_init(&key, KEY_MAX);
    key_add(&key, store_shard_key(store, 0), KEY_WALK, SPAN_NONE);
    const struct span argv[] = {SPAN_LIT("SET"), buf_span(&key),
                                SPAN_LIT("1"),   what == WALK_BEGIN ? SPAN_LIT("NX") : SPAN_LIT("XX"),
                                SPAN_LIT("PX"),  number_write(px, ms)};
    store_command(store, argv, 6, on_right, walk_question_new(store, (void (*)(void))fn, arg));
    buf_done(&key);
}

/* ---- pages ---- */

/* "tenant/call_id" of a call's key, where that stands in its shard; SPAN_NONE otherwise. */
static struct span id_of(const struct store *store, struct span key)
{
    struct span shard, id;
    if (!key_read_call(key, &shard, &id))
        return SPAN_NONE;
    return span_eq(shard, store_shard_key(store, store_shard_of(store, id))) ? id : SPAN_NONE;
}

static void on_page(const struct redis_result *result, void *arg)
{
    struct walk_question q = walk_question_end(arg);
    struct walk_page page = {.cursor = SPAN_LIT("0")};
    const void *keys = result->status == REDIS_OK ? redis_reply_at(result->reply, 1) : NULL;
    long n = redis_reply_len(keys);
    struct span *ids = mem_calloc(n > 0 ? (size_t)n : 1, sizeof(*ids));
    if (result->status == REDIS_OK)
        redis_reply_span(redis_reply_at(result->reply, 0), &page.cursor);
    for (long i = 0; i < n; i++) {
        struct span key = SPAN_NONE;
        redis_reply_span(redis_reply_at(keys, (size_t)i), &key);
        ids[page.n] = id_of(q.store, key);
        page.n += ids[page.n].n > 0;
    }
    page.ids = ids;
    ((walk_page_fn)q.fn)(store_status_of(result), &page, q.arg);
    free(ids);
}

void walk_page(struct store *store, size_t server, struct span cursor, walk_page_fn fn, void *arg)
{
    struct walk_question *q = walk_question_new(store, (void (*)(void))fn, arg);
    struct buf pattern;
    char count[NUMBER_LEN];
    buf_init(&pattern, KEY_MAX);
    key_add_all_calls(&pattern, store_shard_key(store, 0));
    const struct span argv[] = {SPAN_LIT("SCAN"),  cursor,
                                SPAN_LIT("MATCH"), buf_span(&pattern),
                                SPAN_LIT("COUNT"), number_write(count, WALK_PAGE)};
    store_command_of(store, server, argv, 6, on_page, q);
    buf_done(&pattern);
}

/* ---- mending ---- */

static void deliver_mended(enum store_status status, const msgpack_object *result, void (*fn)(void),
                           void *arg)
{
    struct span mended = SPAN_NONE;
    if (result != NULL && result->type == MSGPACK_OBJECT_STR)
        mended = span_of(result->via.str.ptr, result->via.str.size);
    ((walk_mend_fn)fn)(status, mended, arg);
}

void walk_mend(struct store *store, struct span id, walk_mend_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 1);
    pack_span(&p, id);
    store_record_send(store, &script_mend, id, deliver_mended, (void (*)(void))fn, arg);
}
