/*
 * Callbacks into evidence: the heart of ivr-status.
 *
 * A record of the callbacks topic is one piece of work, from its arrival to kafka_done():
 *
 *   held ──► read ──► evidence asked ──recorded or repeated──[link]──────────────► done
 *              │            ├── the call is unknown ──► park "call:…" ──parked──► done
 *              │            ├── it is about another call ──► dead letter unknown_call ──acknowledged──► done
 *              │            └── our reference is not proved: only the provider's id counts
 *              │                          │ (an attempt in doubt that it fits is linked to it first)
 *              │                          ▼
 *              ├── without our reference ──► park "provider:id" ──linked──► evidence asked
 *              │                                  └──parked──► done
 *              └── cannot be read ──► dead letter unparseable_callback ──acknowledged──► done
 *
 * What was parked once before is a dead letter unknown_call where it would be parked again.
 * Where there is no room for it, too (calls_park). A call that cannot be read in Redis makes it a dead
 * letter, unreadable_call.
 *
 * Whatever is refused or lost on the way (Redis away, an acknowledgement that does not come) starts the work
 * over, after a pause that grows from 100 ms to 2 s: each step may run twice. Meanwhile no further records
 * are taken, and nothing is given up.
 */
#ifndef IVR_STATUS_STATUS_H
#define IVR_STATUS_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/kafka/kafka.h"
#include "workers/program/worker.h"
#include "workers/status/reading.h"

struct status;

/* One record. The fields are for the files of workers/status. */
struct work {
    struct status *status;
    struct work *next;           /* in the list it stands in: free, held or again */
    struct kafka_record *record; /* NULL while it is free */
    const struct provider *provider;
    int64_t received_ms;
    bool parked_before;
    bool linked;   /* `ref` is what the link of the provider's id says, not what the record carries */
    bool repeated; /* its evidence changed nothing */
    struct call_ref ref;
};

int status_open(struct status **status, struct worker *worker, struct err *err);
/* The consumer stops; what is in flight goes on. */
void status_quiesce(void *status);
/* Records in flight. */
size_t status_busy(void *status);
/* Closes the consumer. Answers that still come (the producer's and Redis' last ones) are ignored. */
void status_close(struct status *status);
/* After worker_close(). */
void status_free(struct status **status);

/* ---- what workers/status/parking.c uses ---- */

struct worker *status_worker(const struct work *work);
/* A question to Redis is out; answered() says whether its answer still matters, and starts the work over
 * where it is none (STORE_UNREADABLE is one). */
void work_asked(struct work *work);
bool work_answered(struct work *work, enum store_status store_status);
/* (Again) from the start, with the reference that was found. */
void work_start(struct work *work);
/* Its evidence is recorded, and the provider's id linked where that was missing. */
void work_recorded(struct work *work);
/* It is safe: `result` is the metric's label. */
void work_done(struct work *work, const char *result);
/* Sends it to the dead letters; done once the brokers have it. */
void work_dead(struct work *work, const char *reason, struct span detail);

#endif
