#include "workers/calls/freed.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/private.h"

enum { NUMBER_MAX = 24 };

/* One attempt's release on its way: up to two questions at once. */
struct releasing {
    struct store *store;
    char ref[CALLS_MAX_REF + 1]; /* "tenant/call_id/claim" */
    char line[CONTACT_LINE_MAX];
    char number[NUMBER_MAX];
    unsigned out;
    enum store_status status; /* the worst */
    freed_fn fn;
    void *arg;
};

bool freed_is(const msgpack_object *packed)
{
    return span_is(pack_get_span(packed, 0), "freed");
}

void freed_read(struct freed *freed, const msgpack_object *packed)
{
    freed->id = pack_get_span(packed, 1);
    freed->claim_no = (int)pack_get_int(packed, 2);
    freed->channel = pack_get_span(packed, 3);
    freed->contact = pack_get_span(packed, 4);
    freed->line = pack_get_int(packed, 5) != 0;
}

static void ended(struct releasing *releasing, enum store_status status)
{
    if (status != STORE_OK)
        releasing->status = status;
    if (--releasing->out > 0)
        return;
    releasing->fn(releasing->status, releasing->arg);
    free(releasing);
}

static void on_line(const struct redis_result *result, void *arg)
{
    struct releasing *releasing = arg;
    store_command_ended(releasing->store);
    ended(releasing, store_status_of(result));
}

static void release_line(struct releasing *releasing, const struct freed *freed, struct span ref)
{
    releasing->out++;
    store_eval_channel(releasing->store, &script_release, freed->channel, &ref, 1, on_line, releasing);
}

/* ---- the line to the contact ---- */

static void deliver_unlocked(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg);

static void unlock(struct releasing *releasing)
{
    msgpack_packer p;
    store_record_begin(releasing->store, &p, 2);
    pack_str(&p, releasing->line);
    pack_str(&p, releasing->ref);
    store_record_send(releasing->store, BATCH_UNLOCK, span_str(releasing->number), deliver_unlocked, NULL,
                      releasing);
}

/* A call that was cancelled or paused meanwhile, or cannot be read, is not woken: the next one is. */
static void deliver_woken(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    (void)fn;
    bool asleep = result != NULL && result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 == 0;
    if (asleep || status == STORE_UNREADABLE)
        unlock(arg);
    else
        ended(arg, status);
}

static void wake(struct releasing *releasing, struct span id)
{
    msgpack_packer p;
    store_record_begin(releasing->store, &p, 1);
    pack_span(&p, id);
    store_record_send(releasing->store, BATCH_WAKE, id, deliver_woken, NULL, releasing);
}

static void deliver_unlocked(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    (void)fn;
    if (result != NULL && result->type == MSGPACK_OBJECT_STR && result->via.str.size > 0)
        wake(arg, span_of(result->via.str.ptr, result->via.str.size));
    else
        ended(arg, status);
}

static void release_contact(struct releasing *releasing, const struct freed *freed)
{
    const char *cut = memchr(freed->id.p, '/', freed->id.n);
    struct span tenant = span_of(freed->id.p, cut != NULL ? (size_t)(cut - freed->id.p) : 0);
    contact_line(releasing->line, tenant, freed->channel, freed->contact);
    snprintf(releasing->number, sizeof(releasing->number), "%.*s", SPAN_ARG(freed->contact));
    releasing->out++;
    unlock(releasing);
}

void freed_release(struct store *store, const struct freed *freed, freed_fn fn, void *arg)
{
    struct releasing *releasing = mem_calloc(1, sizeof(*releasing));
    *releasing = (struct releasing){.store = store, .status = STORE_OK, .fn = fn, .arg = arg};
    snprintf(releasing->ref, sizeof(releasing->ref), "%.*s/%d", SPAN_ARG(freed->id), freed->claim_no);
    if (freed->line)
        release_line(releasing, freed, span_str(releasing->ref));
    if (freed->contact.n > 0)
        release_contact(releasing, freed);
}
