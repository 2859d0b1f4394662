/*
 * A ticket that this process has in hand: what about its call? Looked up in its shard before a send time is
 * spent on it, so that paused, expired and forgotten calls cost the channel nothing.
 */
#ifndef IVR_DISPATCH_TICKET_H
#define IVR_DISPATCH_TICKET_H

#include "workers/calls/due.h"
#include "workers/channel/queue.h"
#include "workers/dispatch/attempt.h"

/* `lane`, `id`, `number` and `channel` are set. Ends in lane_ready() where the call may be dialled. */
void ticket_look(struct attempt *attempt);

/* Reads what a shard offered (a due call, or the one behind a ticket) and chooses its channel. False: there
 * is nothing to dial it with, which is logged; end the attempt. */
bool ticket_read_offer(struct attempt *attempt, const struct calls_due *offer);

#endif
