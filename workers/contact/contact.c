/* The last question before a call is dialled, and the lock that it may take: contact.lua, unlock.lua. */
#include "workers/contact/contact.h"

#include <stdio.h>

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { LOCK_MAX = 64 + 1 + 64 + 1 + 24 };

/* "TENANT|CHANNEL|NUMBER" */
static void lock_name(char out[LOCK_MAX], struct span tenant, struct span channel, struct span number)
{
    snprintf(out, LOCK_MAX, "%.*s|%.*s|%.*s", SPAN_ARG(tenant), SPAN_ARG(channel), SPAN_ARG(number));
}

/* 0, 1, 2 in the order of the enumerators. */
static void deliver_asked(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    enum contact_what what = CONTACT_NOTHING;
    if (result != NULL)
        what = (enum contact_what)answer_number(result, CONTACT_BUSY);
    ((contact_fn)fn)(status, what, arg);
}

void contact_ask(struct store *store, const struct contact *contact, contact_fn fn, void *arg)
{
    msgpack_packer p;
    char lock[LOCK_MAX] = "";
    if (contact->one_at_a_time)
        lock_name(lock, span_of(contact->id.p, contact->tenant.n), contact->channel, contact->number);
    store_record_begin(store, &p, 6);
    pack_span(&p, contact->tenant);
    pack_span(&p, contact->number);
    pack_str(&p, lock);
    pack_span(&p, contact->id);
    msgpack_pack_int64(&p, contact->claim_no);
    msgpack_pack_int64(&p, contact->hold_ms);
    store_record_send(store, &script_contact, contact->number, deliver_asked, (void (*)(void))fn, arg);
}

static void deliver_unlocked(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    struct span next = SPAN_LIT("");
    if (result != NULL && result->type == MSGPACK_OBJECT_STR)
        next = span_of(result->via.str.ptr, result->via.str.size);
    ((contact_unlock_fn)fn)(status, next, arg);
}

void contact_unlock(struct store *store, const struct contact_lock *lock, contact_unlock_fn fn, void *arg)
{
    msgpack_packer p;
    char name[LOCK_MAX];
    lock_name(name, lock->tenant, lock->channel, lock->number);
    store_record_begin(store, &p, 2);
    pack_str(&p, name);
    pack_span(&p, lock->ref);
    store_record_send(store, &script_unlock, lock->number, deliver_unlocked, (void (*)(void))fn, arg);
}
