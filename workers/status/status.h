/*
 * Callbacks into evidence: the heart of ivr-status.
 *
 * A record of the callbacks topic is one piece of work (work.h), from its arrival to kafka_done():
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
 * A record becomes a dead letter unknown_call instead of being parked when it was parked once before, and when
 * there is no room to park it (calls_park). It becomes a dead letter unreadable_call when its call cannot be
 * read in Redis.
 */
#ifndef IVR_STATUS_STATUS_H
#define IVR_STATUS_STATUS_H

#include <stddef.h>

#include "common/base/err.h"
#include "workers/program/worker.h"

struct status;

int status_open(struct status **status, struct worker *worker, struct err *err);
/* The consumer stops; what is in flight goes on. */
void status_quiesce(void *status);
/* Records in flight. */
size_t status_busy(void *status);
/* Closes the consumer. Answers that still come (the producer's and Redis' last ones) are ignored. */
void status_close(struct status *status);
/* After worker_close(). */
void status_free(struct status **status);

#endif
