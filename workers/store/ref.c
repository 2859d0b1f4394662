#include "workers/store/ref.h"

#include <stdlib.h>

#include "common/mem.h"
#include "workers/store/private.h"

enum { KEY_MAX = 128 * 1024 }; /* a provider's id is as long as a callback makes it */

struct asking {
    struct store *store;
    ref_fn fn;
    void *arg;
};

static void on_reply(const struct redis_result *result, void *arg)
{
    struct asking asking = *(struct asking *)arg;
    struct span ref = SPAN_NONE;
    free(arg);
    store_command_ended(asking.store);
    if (result->status == REDIS_OK && !redis_reply_span(result->reply, &ref))
        ref = SPAN_NONE;
    asking.fn(store_status_of(result), ref, asking.arg);
}

void ref_read(struct store *store, struct span provider_id, ref_fn fn, void *arg)
{
    struct buf key;
    struct asking *asking = mem_alloc(sizeof(*asking));
    *asking = (struct asking){store, fn, arg};
    buf_init(&key, KEY_MAX);
    buf_addspan(&key, store_shard_key(store, store_shard_of(store, provider_id)));
    buf_adds(&key, ":id:");
    buf_addspan(&key, provider_id);
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    store_command_began(store);
    redis_command(store_redis(store), argv, 2, 1, on_reply, asking);
    buf_done(&key);
}
