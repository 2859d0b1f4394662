/*
 * May this person be called now? The last question before a call is dialled, asked by the owner of its claim
 * (contact.lua): the do-not-call lists (dnc.h), and one call at a time to a number for a tenant and channel.
 *
 * The contact lock stands in the number's shard, and is held by a claim until its attempt is over
 * (workers/program/give_back.h), at most for `hold_ms`. Who finds it busy is remembered there: unlocking names
 * the call that waited longest, to be woken. It stands by the number, and not in the channel's slot with the
 * other limits, because every call asks for it, on channels without limits too, and the lists are asked there
 * anyway: one question.
 */
#ifndef IVR_CONTACT_CONTACT_H
#define IVR_CONTACT_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "workers/store/store.h"

enum contact_what {
    CONTACT_NOTHING, /* nobody answered: nobody may dial */
    CONTACT_FREE,    /* go on; the lock is theirs */
    CONTACT_LISTED,
    CONTACT_BUSY
};

struct contact {
    struct span tenant;
    struct span number; /* E.164 */
    struct span channel;
    bool one_at_a_time; /* false: the lists alone */
    struct span id;     /* "tenant/call_id" */
    int claim_no;       /* of the claim that asks */
    int64_t hold_ms;
};
/* `what` is set with STORE_OK. Otherwise nobody knows: ask again with the same, or give the claim back. */
typedef void (*contact_fn)(enum store_status status, enum contact_what what, void *arg);
void contact_ask(struct store *store, const struct contact *contact, contact_fn fn, void *arg);

/* Gives the lock back that the claim `ref` ("tenant/call_id/claim_no") may have. `next`: the call that waited
 * longest for it, borrowed; empty: none did, or another claim has the lock. Asked once more with the same it
 * names the next one. */
struct contact_lock {
    struct span tenant, channel, number;
    struct span ref;
};
typedef void (*contact_unlock_fn)(enum store_status status, struct span next, void *arg);
void contact_unlock(struct store *store, const struct contact_lock *lock, contact_unlock_fn fn, void *arg);

#endif
