/* What a shard offers to be dialled: a call that is due, or the call behind a ticket. */
#ifndef IVR_DISPATCH_OFFER_H
#define IVR_DISPATCH_OFFER_H

#include "workers/calls/due.h"
#include "workers/dispatch/attempt.h"

/* Reads it into the attempt, and chooses the call's channel. False: there is nothing to dial it with, which is logged; end
 * the attempt. */
bool offer_read(struct attempt *attempt, const struct calls_due *offer);

#endif
