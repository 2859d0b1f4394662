#include "workers/calls/ticketed.h"

#include "workers/store/pack.h"
#include "workers/store/private.h"

static void deliver_look(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    struct ticketed_call call = {.what = TICKETED_NOTHING};
    struct span what = result != NULL ? pack_get_span(result, 0) : SPAN_NONE;
    if (span_is(what, "ready")) {
        call.what = TICKETED_READY;
        call.offer = (struct calls_due){pack_get_span(result, 1),     pack_get_span(result, 2),
                                        pack_get_span(result, 3),     (int)pack_get_int(result, 4),
                                        (int)pack_get_int(result, 5), (int)pack_get_int(result, 6)};
    } else if (span_is(what, "live")) {
        call.what = TICKETED_UNDER_WAY;
        call.line_ms = pack_get_int(result, 1);
    } else if (result != NULL) {
        call.what = TICKETED_GONE;
    }
    ((ticketed_look_fn)fn)(status, &call, arg);
}

void ticketed_look(struct store *store, struct span id, int claim_no, struct span channel, int64_t lease_ms,
                   ticketed_look_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 4);
    pack_span(&p, id);
    msgpack_pack_int64(&p, claim_no);
    msgpack_pack_int64(&p, lease_ms);
    pack_span(&p, channel);
    store_record_send(store, BATCH_LOOK, id, deliver_look, (void (*)(void))fn, arg);
}

static void deliver_deferred(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    (void)result;
    ((ticketed_defer_fn)fn)(status, arg);
}

void ticketed_defer(struct store *store, struct span id, int64_t ms, ticketed_defer_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 2);
    pack_span(&p, id);
    msgpack_pack_int64(&p, ms);
    store_record_send(store, BATCH_DEFER, id, deliver_deferred, (void (*)(void))fn, arg);
}
