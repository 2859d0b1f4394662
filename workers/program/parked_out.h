/* Parked callbacks (workers/calls/parked.h) on their way out of Redis: back on the topic, or a dead letter. */
#ifndef IVR_PROGRAM_PARKED_OUT_H
#define IVR_PROGRAM_PARKED_OUT_H

#include "common/kafka/kafka.h"
#include "workers/calls/parked.h"
#include "workers/program/worker.h"

/*
 * Puts a parked callback back on the callbacks topic, with the header ivr-parked, and forgets it once the
 * brokers have it. `stored` and `provider_id` are what calls_link() or calls_overdue() gave; they are copied.
 * `done` (may be NULL) is called once, later, with NULL or the brokers' refusal: then it stays parked until
 * its deadline and is put back by a status worker. It may come as late as worker_close().
 */
void parked_put_back(struct worker *worker, struct span provider_id, const struct calls_parked *stored,
                     kafka_ack_fn done, void *arg);

/* The same into the dead letters, with the record's own source topic, partition and offset. */
void parked_dead_letter(struct worker *worker, struct span provider_id, const struct calls_parked *stored,
                        const char *reason, struct span detail, kafka_ack_fn done, void *arg);

#endif
