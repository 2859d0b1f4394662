/*
 * Publishing what is due: read from all shards with its new revision, produced to ivr.delivery-summaries, and
 * forgotten once the brokers have it.
 */
#ifndef IVR_REPORT_PUBLISH_H
#define IVR_REPORT_PUBLISH_H

#include <stddef.h>

#include "workers/program/worker.h"
#include "workers/report/dirty.h"
#include "workers/report/republish.h"

struct publisher;

/* `dirty` and `republish` are borrowed. */
struct publisher *publisher_new(struct worker *worker, struct dirty *dirty, struct republish *republish);
/* Starts with what is due now, a bounded number at once; true when it started any. */
bool publisher_turn(struct publisher *publisher);
/* Being read or on their way to the brokers. */
size_t publisher_out(const struct publisher *publisher);
/* Answers that still come are ignored from now on. */
void publisher_stop(struct publisher *publisher);
/* After worker_close(). */
void publisher_free(struct publisher **publisher);

#endif
