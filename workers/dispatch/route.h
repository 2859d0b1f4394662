/*
 * Which channel places a call: the request's own, and its `fallback` while certainly nothing was placed.
 *
 * A call that has no attempt which may have been placed takes the first channel of its chain (the channel,
 * its fallbacks in their order, theirs behind them) that is not closed; after attempts that reached nobody it
 * begins with the next one, and comes round. From the moment on that an attempt may have been placed, the
 * call stays with its own channel: whoever declined on one channel is not rung again on another. "Not now" (429) is
 * no reason to go elsewhere: the channel is there.
 */
#ifndef IVR_DISPATCH_ROUTE_H
#define IVR_DISPATCH_ROUTE_H

#include "workers/dispatch/attempt.h"

/* NULL: no channel of the file. `unreached` as in struct calls_due. Borrowed. */
struct channel *route_choose(struct dispatch *dispatch, const struct request *request, int unreached);
/* Whether another channel is there for a call that was not reached with this attempt, before it would have to
 * wait. */
bool route_has_elsewhere(const struct attempt *attempt);

#endif
