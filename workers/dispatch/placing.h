/*
 * From the claim to its outcome: the request goes to the provider, what it says is judged, the provider's id
 * is linked, and the outcome is recorded.
 */
#ifndef IVR_DISPATCH_PLACING_H
#define IVR_DISPATCH_PLACING_H

#include "workers/dispatch/attempt.h"

enum { PLACING_CONNECT_MS = 5000 }; /* a peer that is not there is known before request_timeout */

/* The claim is ours and nothing speaks against it: the request leaves, unless it comes too late. */
void placing_send(struct attempt *attempt);
/* Claimed and not sent: its number is used again after wait_ms. */
void placing_give_back(struct attempt *attempt, int64_t wait_ms);
/* Claimed and not sent: the number is on a do-not-call list; another call to it is under way. */
void placing_listed(struct attempt *attempt);
void placing_busy(struct attempt *attempt);

#endif
