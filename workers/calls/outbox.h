/*
 * From the shards' outboxes to ivr.call-events.
 *
 * A script's events come here with the outbox entry that holds them, and with the lines that the change freed
 * (freed.h). They are produced, the lines given back; when the brokers and Redis have acknowledged all of an
 * entry, the entry is removed. What a dead worker left (older than 10 s) is found by
 * whichever worker sweeps, and produced again: an event sent twice is identical, consumers order by seq.
 */
#ifndef IVR_STORE_OUTBOX_H
#define IVR_STORE_OUTBOX_H

#include <stddef.h>

#include "common/kafka/kafka.h"
#include "common/run/loop.h"
#include "workers/store/store.h"

struct outbox;

/* Takes the store's events from now on, and sweeps: one shard after the other, all within about 5 s.
 * `program` and `topic` are copied. */
struct outbox *outbox_new(struct loop *loop, struct store *store, struct kafka_producer *producer,
                          const char *program, const char *topic);
/* Entries produced and not yet acknowledged and removed: a drain waits until it is 0. */
size_t outbox_pending(const struct outbox *outbox);
/* Stops sweeping. What is still pending is found by others. The producer must be closed first. */
void outbox_free(struct outbox **outbox);

#endif
