#include "workers/store/walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "workers/store/pack.h"
#include "workers/store/private.h"

enum { KEY_MAX = 512 };

struct question {
    struct store *store;
    void (*fn)(void);
    void *arg;
};

static struct question *question_new(struct store *store, void (*fn)(void), void *arg)
{
    struct question *q = mem_alloc(sizeof(*q));
    *q = (struct question){.store = store, .fn = fn, .arg = arg};
    store_command_began(store);
    return q;
}

static struct question question_end(void *arg)
{
    struct question q = *(struct question *)arg;
    free(arg);
    store_command_ended(q.store);
    return q;
}

/* ---- the right ---- */

static void on_right(const struct redis_result *result, void *arg)
{
    struct question q = question_end(arg);
    bool granted = result->status == REDIS_OK && !redis_reply_nil(result->reply);
    ((walk_right_fn)q.fn)(store_status_of(result), granted, q.arg);
}

void walk_right(struct store *store, enum walk_right what, int64_t ms, walk_right_fn fn, void *arg)
{
    char key[KEY_MAX], px[24];
    struct span base = store_shard_key(store, 0);
    snprintf(key, sizeof(key), "%.*s:walk", SPAN_ARG(base));
    snprintf(px, sizeof(px), "%lld", (long long)ms);
    const struct span argv[] = {SPAN_LIT("SET"), span_str(key),
                                SPAN_LIT("1"),   what == WALK_BEGIN ? SPAN_LIT("NX") : SPAN_LIT("XX"),
                                SPAN_LIT("PX"),  span_str(px)};
    redis_command(store_redis(store), argv, 6, 1, on_right, question_new(store, (void (*)(void))fn, arg));
}

/* ---- pages ---- */

/* "{ivr:*}:call:*", with the prefix as it stands. */
static void add_pattern(struct buf *b, const struct store *store)
{
    struct span base = store_shard_key(store, 0); /* "{ivr:00}" */
    const char *colon = memrchr(base.p, ':', base.n);
    for (const char *c = base.p; c <= colon; c++) {
        if (strchr("*?[]\\^", *c) != NULL)
            buf_addc(b, '\\');
        buf_addc(b, *c);
    }
    buf_adds(b, "*}:call:*");
}

/* "tenant/call_id" of "{ivr:07}:call:tenant/call_id", where that is its shard; SPAN_NONE otherwise. */
static struct span id_of(const struct store *store, struct span key)
{
    static const struct span middle = SPAN_LIT(":call:");
    const char *end = key.n > 0 ? memchr(key.p, '}', key.n) : NULL;
    size_t from = end != NULL ? (size_t)(end - key.p) + 1 : key.n;
    if (key.n <= from + middle.n || memcmp(key.p + from, middle.p, middle.n) != 0)
        return SPAN_NONE;
    struct span id = span_of(key.p + from + middle.n, key.n - from - middle.n);
    struct span shard = store_shard_key(store, store_shard_of(store, id));
    return span_eq(shard, span_of(key.p, from)) ? id : SPAN_NONE;
}

static void on_page(const struct redis_result *result, void *arg)
{
    struct question q = question_end(arg);
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
    struct question *q = question_new(store, (void (*)(void))fn, arg);
    struct buf pattern;
    char count[16];
    buf_init(&pattern, KEY_MAX);
    add_pattern(&pattern, store);
    snprintf(count, sizeof(count), "%d", WALK_PAGE);
    const struct span argv[] = {SPAN_LIT("SCAN"),  cursor,         SPAN_LIT("MATCH"), buf_span(&pattern),
                                SPAN_LIT("COUNT"), span_str(count)};
    redis_command_of(store_redis(store), server, argv, 6, on_page, q);
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
    store_record_send(store, BATCH_MEND, id, deliver_mended, (void (*)(void))fn, arg);
}
