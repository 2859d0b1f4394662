/* The channel queue (workers/channel/channel_queue.h) of each channel of the channels file, and what the two say together. */
#ifndef IVR_DISPATCH_QUEUES_H
#define IVR_DISPATCH_QUEUES_H

#include "workers/channel/channel_queues.h"
#include "workers/dispatch/dispatch.h"

/* The channels file was read: the queues get its limits. */
void queues_read_channels(struct dispatch *dispatch);

/* Never NULL for a channel of the file. Lives as long as the process. */
struct channel_queue *queues_of(struct dispatch *dispatch, const struct channel *channel);
/* The channel takes no calls but probes. */
bool queues_is_closed(struct dispatch *dispatch, const struct channel *channel);
/* Grows whenever the channel is closed: a placement says something of the epoch in which it was let go. */
int64_t queues_epoch(struct dispatch *dispatch, const struct channel *channel);
/* Whether a call of the tenant waits its turn there. */
bool queues_makes_wait(struct dispatch *dispatch, const struct channel *channel, struct span tenant);
/* Whether a ticket of the tenant comes with a line. */
bool queues_has_lines(const struct dispatch *dispatch, const struct channel_queue *queue, struct span tenant);

/* What a placement on the channel said, which was let go at `epoch`; `why` is its evidence. */
void queues_add_result(struct dispatch *dispatch, const struct channel *channel, int64_t epoch,
                       enum channel_result result, const struct evidence *why);

#endif
