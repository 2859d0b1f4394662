/*
 * Carries out what operators said (workers/calls/control.h) with the calls that stand in Redis. A call that is paused is
 * no longer offered. A call that is cancelled ends where it waits, and is hung up where it is on its way. A channel that
 * was resumed is open again.
 *
 * Every replica goes over the shards every 250 ms, in small steps: they share the work through the shard. Nothing here
 * decides whether a call is dialled: the claim does.
 */
#ifndef IVR_DISPATCH_SWEEP_H
#define IVR_DISPATCH_SWEEP_H

#include "workers/dispatch/dispatch.h"

struct sweeper;

struct sweeper *sweeper_new(struct dispatch *dispatch);
/* No further rounds. Requests that are on their way are still answered. */
void sweeper_stop(struct sweeper *sweeper);
void sweeper_free(struct sweeper **sweeper);

#endif
