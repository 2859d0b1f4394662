/*
 * Publishing again what changed lately, for partitions that were just gained: the worker that had them may be
 * a zombie whose older record came last, and what it had not published is known to nobody but Redis. A record
 * of its that is on the way may come until its message.timeout.ms is over, so the same is done once more
 * then.
 *
 * Lately is ten minutes before the partition's mark: the last time at which its owner was not behind with
 * publishing (":reported:PARTITION", written every 30 s). So nothing is missed however long no report worker
 * ran, up to the 48 hours that windows live.
 */
#ifndef IVR_REPORT_LATELY_H
#define IVR_REPORT_LATELY_H

#include <stdint.h>

#include "common/kafka/kafka.h"
#include "workers/program/worker.h"
#include "workers/report/dirty.h"

struct lately;

/* `dirty` is borrowed. */
struct lately *lately_new(struct worker *worker, struct dirty *dirty);
/* A partition came: its campaigns and windows that changed lately become dirty, in the background. */
void lately_gained(struct lately *lately, int32_t partition_id);
/* A record of this key may come twice, the second time after newer ones: its partition is looked at once more
 * when no record that was on the way can come any more. */
void lately_unsure(struct lately *lately, const struct summary_key *key);
/* Goes on with it, and writes the marks of the partitions that are owned; called regularly. `consumer` tells
 * how many partitions there are, and which are ours. */
void lately_turn(struct lately *lately, struct kafka_consumer *consumer);
void lately_stop(struct lately *lately);
/* After worker_close(). */
void lately_free(struct lately **lately);

#endif
