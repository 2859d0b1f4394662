/*
 * Calls that wait in Redis and are to be dialled: at once, or in their turn, with a ticket of their channel's queue
 * (workers/channel/channel_queue.h).
 *
 * The ticket of a call that waits its turn is brought to the queue, which ends the attempt: any replica may get the ticket.
 * Where it is handed out to this process, a new attempt looks at the call in its shard before a send time is spent on it,
 * so that paused, expired and forgotten calls cost the channel nothing.
 */
#ifndef IVR_DISPATCH_TURN_H
#define IVR_DISPATCH_TURN_H

#include "workers/channel/channel_queue.h"
#include "workers/dispatch/attempt.h"

/* What the channel queues call; their `arg` is the struct dispatch. */
extern const struct channel_queue_events TURN_EVENTS;

/* A call that is due (`ticket`, `request`, `channel`, `number` are set): claims it, or brings its ticket to the channel's
 * queue. Outside of its calling hours it is put off. */
void turn_begin(struct attempt *attempt);
/* Brings its ticket to the channel's queue; the attempt ends once it is there. */
void turn_queue(struct attempt *attempt);

#endif
