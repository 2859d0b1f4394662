/* Provider ids: link.lua. */
#include "workers/calls/links.h"

#include <stdbool.h>

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { MAX_PARKED = 32 };

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
    store_record_send(store, &script_link, call->provider_id, deliver_link, (void (*)(void))fn, arg);
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
