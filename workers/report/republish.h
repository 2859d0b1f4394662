/*
 * Publishing again what changed before a partition was gained: the worker that had it may be a zombie whose
 * older record came last, and what it had not published is known to nobody but Redis. A record of its that is
 * on the way may come until its message.timeout.ms is over, so the same is done once more then.
 *
 * Whatever changed since ten minutes before the partition's mark is published again. The mark is the last time
 * at which its owner was not behind with publishing (":reported:PARTITION", written every 30 s). So nothing is
 * missed however long no report worker ran, up to the 48 hours that windows live.
 */
#ifndef IVR_REPORT_REPUBLISH_H
#define IVR_REPORT_REPUBLISH_H

#include <stdint.h>

#include "common/kafka/kafka.h"
#include "workers/program/worker.h"
#include "workers/report/dirty.h"

struct republish;

/* `dirty` is borrowed. */
struct republish *republish_new(struct worker *worker, struct dirty *dirty);
/* A partition came: its campaigns and windows that changed since its mark become dirty, in the background. */
void republish_gained(struct republish *republish, int32_t partition_id);
/* A record of this key may come twice, the second time after newer ones: its partition is published again
 * when no record that was on the way can come any more. */
void republish_unsure(struct republish *republish, const struct summary_key *key);
/* Goes on with it, and writes the marks of the partitions that are owned; called regularly. `consumer` tells
 * how many partitions there are, and which are ours. */
void republish_turn(struct republish *republish, struct kafka_consumer *consumer);
void republish_stop(struct republish *republish);
/* After worker_close(). */
void republish_free(struct republish **republish);

#endif
