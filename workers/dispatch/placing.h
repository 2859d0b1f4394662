/*
 * A claimed attempt's request goes to the provider, what it answers is judged (judge.h), and the channel queue gets to
 * know what that says of the channel. Every way from here leads to recording.h.
 */
#ifndef IVR_DISPATCH_PLACING_H
#define IVR_DISPATCH_PLACING_H

#include "workers/dispatch/attempt.h"

enum { PLACING_CONNECT_MS = 5000 }; /* a peer that is not there is known before request_timeout */

/* The claim is ours, and nothing speaks against it: the request leaves, unless it would leave too late. */
void placing_send(struct attempt *attempt);
/* Claimed and not sent: its number is used again after wait_ms. */
void placing_give_back(struct attempt *attempt, int64_t wait_ms);
/* Claimed and not sent: the number is on a do-not-call list. */
void placing_listed(struct attempt *attempt);
/* Claimed and not sent: another call to the number is under way. */
void placing_busy(struct attempt *attempt);

#endif
