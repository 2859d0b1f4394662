/*
 * May this person be called now? The last question before a call is dialled, asked by the owner of its claim
 * (contact.lua): the do-not-call lists (dnc.h), and one call at a time to a number for a tenant and channel.
 *
 * The line to a contact is a lock in the number's shard, held by a claim until its attempt is over (freed.h),
 * at most for `hold_ms`. Who finds it busy is remembered there: unlocking names the call that waited longest,
 * which is woken. It stands by the number, and not in the channel's slot with the other limits, because every
 * call asks for it, on channels without limits too, and the lists are asked there anyway: one question.
 */
#ifndef IVR_STORE_CONTACT_H
#define IVR_STORE_CONTACT_H

#include "workers/store/store.h"

enum contact_what { CONTACT_FREE, CONTACT_LISTED, CONTACT_BUSY };

struct contact {
    struct span tenant;
    struct span number; /* E.164 */
    struct span channel;
    bool one_at_a_time; /* false: the lists alone */
    struct span id;     /* "tenant/call_id" */
    int claim_no;       /* of its claim (struct calls_claimed) */
    int64_t hold_ms;
};
/* `what` is set with STORE_OK. Otherwise nobody knows: ask again with the same, or give the claim back. */
typedef void (*contact_fn)(enum store_status status, enum contact_what what, void *arg);
void contact_ask(struct store *store, const struct contact *contact, contact_fn fn, void *arg);

#endif
