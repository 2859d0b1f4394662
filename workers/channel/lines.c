#include "workers/channel/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/run/log.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { MOST = 2 * LINES_PAGE };

/* ---- the shards' list ---- */

static void deliver_known(enum store_status status, const msgpack_object *results, void (*fn)(void),
                          void *arg)
{
    struct line lines[MOST];
    size_t n = 0;
    for (size_t i = 1; results != NULL && i + 1 < results->via.array.size && n < MOST; i += 2) {
        struct span text = pack_get_span(results, i);
        const char *cut = text.n > 0 ? memchr(text.p, '|', text.n) : NULL;
        if (cut != NULL)
            lines[n++] = (struct line){span_of(text.p, (size_t)(cut - text.p)),
                                       span_of(cut + 1, (size_t)(text.p + text.n - cut - 1)),
                                       pack_get_int(results, i + 1)};
    }
    ((lines_known_fn)fn)(status, results != NULL ? pack_get_span(results, 0) : SPAN_LIT("0"), lines, n, arg);
}

void lines_known(struct store *store, unsigned shard, struct span cursor, lines_known_fn fn, void *arg)
{
    char page[NUMBER_LEN];
    const struct span args[] = {cursor, number_write(page, LINES_PAGE)};
    store_run(store, &script_lines, shard, args, 2, deliver_known, (void (*)(void))fn, arg);
}

/* ---- the channel's list ---- */

static void on_done(const struct redis_result *result, void *arg)
{
    int64_t n = 0;
    store_command_ended(arg);
    if (result->status == REDIS_OK && redis_reply_int(result->reply, &n) && n > 0)
        LOG_LIMITED(LOG_LEVEL_WARN, "a line's list was not as the calls have it, and was mended");
}

void lines_restore(struct store *store, const struct line *line)
{
    char deadline[NUMBER_LEN];
    const struct span args[] = {line->ref, number_write(deadline, line->deadline_ms)};
    store_eval_channel(store, &script_restore, line->channel, args, 2, on_done, store);
}

struct holding {
    struct store *store;
    lines_held_fn fn;
    void *arg;
};

static void on_held(const struct redis_result *result, void *arg)
{
    struct holding holding = *(struct holding *)arg;
    struct span refs[MOST], cursor = SPAN_LIT("0");
    size_t n = 0;
    free(arg);
    store_command_ended(holding.store);
    if (result->status == REDIS_OK)
        redis_reply_span(redis_reply_at(result->reply, 0), &cursor);
    for (long i = 1; result->status == REDIS_OK && i < redis_reply_len(result->reply) && n < MOST; i++)
        n += redis_reply_span(redis_reply_at(result->reply, (size_t)i), &refs[n]);
    holding.fn(store_status_of(result), cursor, refs, n, holding.arg);
}

void lines_held(struct store *store, struct span channel, struct span cursor, lines_held_fn fn, void *arg)
{
    struct holding *holding = mem_alloc(sizeof(*holding));
    char page[NUMBER_LEN];
    *holding = (struct holding){store, fn, arg};
    const struct span args[] = {cursor, number_write(page, LINES_PAGE)};
    store_eval_channel(store, &script_held, channel, args, 2, on_held, holding);
}

/* ---- giving a line back ---- */

struct releasing {
    struct store *store;
    lines_release_fn fn;
    void *arg;
};

static void on_released(const struct redis_result *result, void *arg)
{
    struct releasing releasing = *(struct releasing *)arg;
    free(arg);
    store_command_ended(releasing.store);
    releasing.fn(store_status_of(result), releasing.arg);
}

void lines_release(struct store *store, struct span channel, struct span ref, lines_release_fn fn, void *arg)
{
    struct releasing *releasing = mem_alloc(sizeof(*releasing));
    *releasing = (struct releasing){store, fn, arg};
    store_eval_channel(store, &script_release, channel, &ref, 1, on_released, releasing);
}

/* ---- beside each other ---- */

struct checking {
    struct store *store;
    char *channel;
    char *ref;
};

static void deliver_has_line(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    struct checking *checking = arg;
    struct span ref = span_str(checking->ref);
    (void)fn;
    if (status == STORE_OK && result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 == 0)
        store_eval_channel(checking->store, &script_release, span_str(checking->channel), &ref, 1, on_done,
                           checking->store);
    free(checking->channel);
    free(checking->ref);
    free(checking);
}

void lines_release_unknown(struct store *store, struct span channel, struct span ref)
{
    struct checking *checking = mem_alloc(sizeof(*checking));
    msgpack_packer p;
    char text[64 + 1 + CALLS_MAX_REF + 1];
    const char *cut = memrchr(ref.p, '/', ref.n);
    *checking = (struct checking){store, mem_strndup(channel.p, channel.n), mem_strndup(ref.p, ref.n)};
    snprintf(text, sizeof(text), "%.*s|%.*s", SPAN_ARG(channel), SPAN_ARG(ref));
    store_record_begin(store, &p, 1);
    pack_str(&p, text);
    store_record_send(store, &script_has_line, span_of(ref.p, cut != NULL ? (size_t)(cut - ref.p) : ref.n),
                      deliver_has_line, NULL, checking);
}
