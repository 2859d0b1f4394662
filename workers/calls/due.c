/* Calls that wait: due.lua, postpone.lua, wake.lua. */
#include "workers/calls/due.h"

#include <assert.h>

#include "common/base/buf.h"
#include "common/base/number.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { SUSPENDED_MAX = 256 * 1024 /* bytes of their names */ };

struct calls_due calls_read_due(const msgpack_object *array, size_t at)
{
    return (struct calls_due){.id = pack_get_span(array, at),
                              .channel = pack_get_span(array, at + 1),
                              .request = pack_get_span(array, at + 2),
                              .attempt = (int)pack_get_int(array, at + 3),
                              .unreached = (int)pack_get_int(array, at + 4),
                              .claim_no = (int)pack_get_int(array, at + 5)};
}

static void deliver_due(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct calls_due items[STORE_BATCH];
    size_t n = 0;
    for (; results != NULL && n < results->via.array.size && n < STORE_BATCH; n++)
        items[n] = calls_read_due(&results->via.array.ptr[n], 0);
    ((calls_due_fn)fn)(status, items, n, arg);
}

void calls_due(struct store *store, const struct calls_due_query *query, calls_due_fn fn, void *arg)
{
    char most[NUMBER_LEN], lease[NUMBER_LEN], lost[NUMBER_LEN];
    struct buf suspended;
    msgpack_packer p;
    buf_init(&suspended, SUSPENDED_MAX);
    pack_init(&p, &suspended);
    msgpack_pack_array(&p, query->suspended_n);
    for (size_t i = 0; i < query->suspended_n; i++)
        pack_span(&p, query->suspended[i]);
    assert(buf_ok(&suspended));
    const struct span args[] = {number_write(most, query->limit < STORE_BATCH ? query->limit : STORE_BATCH),
                                number_write(lease, query->lease_ms), buf_span(&suspended),
                                query->lost_ms >= 0 ? number_write(lost, query->lost_ms) : SPAN_NONE};
    store_run(store, &script_due, query->shard, args, 4, deliver_due, (void (*)(void))fn, arg);
    buf_done(&suspended);
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
    store_record_send(store, &script_postpone, id, deliver_postpone, (void (*)(void))fn, arg);
}

static void deliver_wake(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    bool woken = result != NULL && result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 == 1;
    ((calls_wake_fn)fn)(status, woken, arg);
}

void calls_wake(struct store *store, struct span id, calls_wake_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 1);
    pack_span(&p, id);
    store_record_send(store, &script_wake, id, deliver_wake, (void (*)(void))fn, arg);
}
