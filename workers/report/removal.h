/*
 * Removing what nobody needs any more, from each shard once a minute: the counters of complete campaigns whose last change is
 * IVR_RETENTION ago in every shard, all shards together; and the names of windows whose counters are gone.
 */
#ifndef IVR_REPORT_REMOVAL_H
#define IVR_REPORT_REMOVAL_H

#include "common/kafka/kafka.h"
#include "workers/program/worker.h"

struct removal;

struct removal *removal_new(struct worker *worker);
/* Called regularly; goes on with the campaigns that a shard named. Each worker cares for those of the
 * partitions that it owns. */
void removal_turn(struct removal *removal, struct kafka_consumer *consumer);
void removal_stop(struct removal *removal);
/* After worker_close(). */
void removal_free(struct removal **removal);

#endif
