/* The call behind a ticket: look.lua, defer.lua. */
#include "workers/calls/look.h"

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

static void deliver_look(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    static const char *const words[] = {[LOOK_READY] = "ready", [LOOK_LIVE] = "live", [LOOK_GONE] = "gone"};
    struct calls_look_result read = {.what = LOOK_NOTHING};
    if (result != NULL)
        read.what = (enum calls_look_what)answer_word(result, 0, words, sizeof(words) / sizeof(words[0]));
    if (read.what == LOOK_READY)
        read.offer = calls_read_due(result, 1);
    else if (read.what == LOOK_LIVE)
        read.line_ms = pack_get_int(result, 1);
    ((calls_look_fn)fn)(status, &read, arg);
}

void calls_look(struct store *store, const struct calls_look *look, calls_look_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 4);
    pack_span(&p, look->id);
    msgpack_pack_int64(&p, look->claim_no);
    msgpack_pack_int64(&p, look->lease_ms);
    pack_span(&p, look->channel);
    store_record_send(store, &script_look, look->id, deliver_look, (void (*)(void))fn, arg);
}

static void deliver_defer(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    (void)result;
    ((calls_defer_fn)fn)(status, arg);
}

void calls_defer(struct store *store, struct span id, int64_t ms, calls_defer_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 2);
    pack_span(&p, id);
    msgpack_pack_int64(&p, ms);
    store_record_send(store, &script_defer, id, deliver_defer, (void (*)(void))fn, arg);
}
