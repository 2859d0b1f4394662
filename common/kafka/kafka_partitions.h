/*
 * The partitions that a consumer owns, each with its tracker of what is done.
 *
 * Life of a partition: assigned -> (revoked or lost: no longer owned) -> freed with its last record. What
 * finishes after it was revoked is not tracked any more: the next owner starts from what was committed, and
 * Redis knows what was done twice.
 */
#ifndef IVR_COMMON_KAFKA_PARTITIONS_H
#define IVR_COMMON_KAFKA_PARTITIONS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka/offsets.h"
#include "common/run/metrics.h"

struct kafka_partition {
    struct kafka_partition *next; /* among the owned ones */
    int32_t id;
    bool owned;
    size_t records;          /* out and not done, they point here */
    struct offsets *offsets; /* NULL once it is not owned */
    int64_t first;           /* the first offset taken, -1: none */
    int64_t expected;        /* no record below it is to come */
    int64_t committed;       /* what was last sent to the broker, -1: nothing */
    struct metric_series *lag;
};

struct kafka_partitions {
    struct kafka_partition *head;
    const char *topic; /* borrowed */
};

/* NULL when it is not owned. */
struct kafka_partition *kafka_partition_find(const struct kafka_partitions *set, int32_t id);
struct kafka_partition *kafka_partition_add(struct kafka_partitions *set, int32_t id);
/* Not owned from now on; freed now or with its last record. */
void kafka_partition_drop(struct kafka_partitions *set, struct kafka_partition *partition);
/* The log's end was reached there: no record below `offset` is to come. */
void kafka_partition_end(struct kafka_partition *partition, int64_t offset);
/* A record was taken, or is done. The latter may free the partition. */
void kafka_partition_take(struct kafka_partition *partition, int64_t offset);
void kafka_partition_done(struct kafka_partition *partition, int64_t offset);

/* The prefixes that the broker does not know yet, of all owned partitions or of those in `among` (NULL: all).
 * NULL when there is nothing to commit; otherwise marks them as sent, and the caller destroys the list. */
rd_kafka_topic_partition_list_t *kafka_partitions_due(const struct kafka_partitions *set,
                                                      const rd_kafka_topic_partition_list_t *among);
/* The commit of these failed: they are due again. */
void kafka_partitions_unsent(const struct kafka_partitions *set, const rd_kafka_topic_partition_list_t *list);
/* Sets M_CONSUMER_LAG from what librdkafka has seen of the partitions' ends. */
void kafka_partitions_measure(const struct kafka_partitions *set, rd_kafka_t *rk);

#endif
