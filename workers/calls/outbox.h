/*
 * From the shards' outboxes to ivr.call-events.
 *
 * A script's events come here with the outbox entry that holds them, and with what an ended attempt gives back
 * (release.h). Events are produced, lines and locks given back; when the brokers and Redis have acknowledged
 * all of an entry, the entry is removed. What a dead worker left (older than 10 s) is found by whichever
 * worker sweeps, and produced again: an event sent twice is identical, consumers order by seq.
 */
#ifndef IVR_CALLS_OUTBOX_H
#define IVR_CALLS_OUTBOX_H

#include <stddef.h>

#include "common/kafka/kafka.h"
#include "common/run/loop.h"
#include "workers/calls/release.h"
#include "workers/store/store.h"

struct outbox;

struct outbox_with {
    struct loop *loop;
    struct store *store;
    struct kafka_producer *producer;
    const char *program; /* "ivr-dispatch"; copied, as the topic is */
    const char *topic;
    release_fn give_back;
    /* A final call of the shard changed; NULL: nobody wants to know. */
    void (*on_final)(unsigned shard, void *arg);
    void *on_final_arg;
};
/* Takes the store's events from now on, and sweeps: one shard after the other, all within about 5 s. */
struct outbox *outbox_new(const struct outbox_with *with);
/* Entries produced and not yet acknowledged and removed: a drain waits until it is 0. */
size_t outbox_pending(const struct outbox *outbox);
/* Stops sweeping. What is still pending is found by others. The producer and Redis must be closed first. */
void outbox_free(struct outbox **outbox);

#endif
