/* The channel queues of a process (channel_queue.h), by name. The first step of admit -> claim -> outcome -> release. */
#ifndef IVR_CHANNEL_CHANNEL_QUEUES_H
#define IVR_CHANNEL_CHANNEL_QUEUES_H

#include "workers/channel/channel_queue.h"

struct channel_queues;

/* `events` and `arg` outlive them. */
struct channel_queues *channel_queues_new(struct loop *loop, struct store *store,
                                          const struct channel_queue_events *events, void *arg);
/* No further tickets; those that wait for a send time go back. What is still to be told to Redis is told. */
void channel_queues_stop(struct channel_queues *queues);
/* How many queues have something to tell Redis yet. */
size_t channel_queues_busy(const struct channel_queues *queues);
void channel_queues_free(struct channel_queues **queues);

/* Made where it is not there yet. Lives as long as they do. */
struct channel_queue *channel_queues_get(struct channel_queues *queues, const char *channel);
/* NULL: no such channel was seen. */
struct channel_queue *channel_queues_find(const struct channel_queues *queues, struct span channel);

/* The channels file was read again: forgets all limits and caps, which the caller sets anew. */
void channel_queues_forget_limits(struct channel_queues *queues);
/* A tenant's lines on every channel; the name is borrowed until they are forgotten. */
void channel_queues_add_cap(struct channel_queues *queues, const char *tenant, int lines);

/* How many tickets requests on their way may bring. */
size_t channel_queues_promised(const struct channel_queues *queues);
/* The names of the suspended channels, at most `max`; borrowed until the next call. Returns how many. */
size_t channel_queues_suspended(const struct channel_queues *queues, struct span *channels, size_t max);

#endif
