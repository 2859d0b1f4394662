/*
 * The states of an attempt, and which may follow which. Pure.
 *
 *   PARSED ─► CLAIMING ─► CONTACT ─► PLACING ─► LINKING ─────────► RECORDING ─► FREE
 *    │  │        │           │           └─(no provider's id)───────▲   ▲
 *    │  │        │           └─(draining, revoked, closed, listed, busy)┘
 *    │  │        └─(duplicate, stored to wait, put off, ...)──► FREE, or DEAD_LETTER first
 *    │  └► QUEUEING ─► FREE                     its ticket is in the channel's queue
 *    └► LOOKING ─► READY ─► CLAIMING ...        a ticket that this process has in hand
 *
 * Besides:
 *
 *   CONTACT ─► READY          claimed, and too late for its send time: it waits for another one
 *   READY ─► PLACING          ... which has come
 *   READY ─► RECORDING        ... which has not: the claim is given back
 *   CLAIMING ─► RECORDING     the claim is given back at once: too few replicas have it, or operators halted the call
 *   CLAIMING ─► QUEUEING      stored, and its channel makes it wait its turn
 *   LOOKING ─► QUEUEING,      the ticket is no longer for the channel that the call goes to, or outside of its hours:
 *   LOOKING ─► CLAIMING       the call is taken on as one that was due
 *   RECORDING ─► CLAIMING     Redis forgot the call: its record is taken up again
 *   CLAIMING, LINKING, RECORDING and READY follow themselves: asked again, or another send time is missed
 */
#ifndef IVR_DISPATCH_ATTEMPT_STATE_H
#define IVR_DISPATCH_ATTEMPT_STATE_H

#include <stdbool.h>

enum attempt_state {
    ATTEMPT_FREE,
    ATTEMPT_PARSED,      /* its request is known, nothing was asked of Redis */
    ATTEMPT_QUEUEING,    /* its ticket is on its way into the channel's queue */
    ATTEMPT_LOOKING,     /* a ticket is in hand, and its call is being looked at */
    ATTEMPT_READY,       /* it waits for a send time, or until the one that it has comes */
    ATTEMPT_CLAIMING,    /* request.lua, claim.lua or postpone.lua has not answered yet */
    ATTEMPT_CONTACT,     /* the claim is ours; may the contact be called? */
    ATTEMPT_PLACING,     /* the HTTP request may be out */
    ATTEMPT_LINKING,     /* the provider's id is being linked */
    ATTEMPT_RECORDING,   /* outcome.lua has not answered yet */
    ATTEMPT_DEAD_LETTER, /* its dead letter is on the way */
    ATTEMPT_STATES
};

const char *attempt_state_name(enum attempt_state state);
bool attempt_state_may_follow(enum attempt_state state, enum attempt_state before);

#endif
