#include "workers/calls/ref.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "workers/store/private.h"

enum { KEY_MAX = 128 * 1024 }; /* a provider's id is as long as a callback makes it */

struct asking {
    struct store *store;
    ref_fn fn;
    void *arg;
    size_t id_n;
    char id[]; /* provider id; as long as the question for the link of version 0.1 may follow */
};

static void tell(struct asking *asking, const struct redis_result *result)
{
    struct span ref = SPAN_NONE;
    store_command_ended(asking->store);
    if (result->status == REDIS_OK && !redis_reply_span(result->reply, &ref))
        ref = SPAN_NONE;
    bool refused = result->status == REDIS_OK && ref.n == 0 && !store_takes(asking->store);
    asking->fn(refused ? STORE_REFUSED : store_status_of(result), ref, asking->arg);
    free(asking);
}

static void add_key(struct buf *key, struct store *store, const char *kind, struct span provider_id)
{
    buf_init(key, KEY_MAX);
    buf_addspan(key, store_shard_key(store, store_shard_of(store, provider_id)));
    buf_adds(key, kind);
    buf_addspan(key, provider_id);
}

static void on_reply_of_0_1(const struct redis_result *result, void *arg)
{
    tell(arg, result);
}

static void on_reply(const struct redis_result *result, void *arg)
{
    struct asking *asking = arg;
    struct buf key;
    if (result->status != REDIS_OK || !redis_reply_nil(result->reply)) {
        tell(asking, result);
        return;
    }
    add_key(&key, asking->store, ":id:", span_of(asking->id, asking->id_n));
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    redis_command(store_redis(asking->store), argv, 2, 1, on_reply_of_0_1, asking);
    buf_done(&key);
}

void ref_read(struct store *store, const struct calls_call *call, ref_fn fn, void *arg)
{
    struct buf key;
    struct span id = call->provider_id;
    struct asking *asking = mem_alloc(sizeof(*asking) + id.n);
    *asking = (struct asking){.store = store, .fn = fn, .arg = arg, .id_n = id.n};
    if (id.n > 0)
        memcpy(asking->id, id.p, id.n);
    add_key(&key, store, ":ids:", id);
    const struct span argv[] = {SPAN_LIT("HGET"), buf_span(&key), call->channel};
    store_command_began(store);
    redis_command(store_redis(store), argv, 3, 1, on_reply, asking);
    buf_done(&key);
}
