/*
 * What operators said (workers/calls/control.h), carried out with the calls that stand in Redis: what is
 * paused no longer comes back, what is cancelled and waits ends, what is cancelled and on its way is hung up;
 * a channel that was resumed is open again. A round over the shards every 250 ms, in small steps, whatever
 * replica is there: they share the work through the shard. Nothing here decides whether a call is dialled:
 * the claim does.
 */
#ifndef IVR_DISPATCH_SWEEP_H
#define IVR_DISPATCH_SWEEP_H

#include "workers/dispatch/dispatch.h"

struct sweeper;

struct sweeper *sweeper_new(struct dispatch *dispatch);
/* No further rounds; questions that are out are still answered. */
void sweeper_stop(struct sweeper *sweeper);
void sweeper_free(struct sweeper **sweeper);

#endif
