#include "common/kafka/kafka_partitions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct kafka_partition *kafka_partition_find(const struct kafka_partitions *set, int32_t id)
{
    struct kafka_partition *partition = set->head;

    while (partition != NULL && partition->id != id)
        partition = partition->next;
    return partition;
}

struct kafka_partition *kafka_partition_add(struct kafka_partitions *set, int32_t id)
{
    struct kafka_partition *partition = mem_calloc(1, sizeof(*partition));
    char label[12];

    snprintf(label, sizeof(label), "%d", (int)id);
    partition->id = id;
    partition->owned = true;
    partition->offsets = offsets_new();
    partition->first = partition->committed = -1;
    partition->lag = metric_series(M_CONSUMER_LAG, set->topic, label);
    partition->next = set->head;
    set->head = partition;
    return partition;
}

static void free_if_unused(struct kafka_partition *partition)
{
    if (!partition->owned && partition->records == 0)
        free(partition);
}

void kafka_partition_drop(struct kafka_partitions *set, struct kafka_partition *partition)
{
    struct kafka_partition **link = &set->head;

    while (*link != partition)
        link = &(*link)->next;
    *link = partition->next;
    offsets_free(&partition->offsets);
    metric_drop(partition->lag);
    partition->owned = false;
    free_if_unused(partition);
}

void kafka_partition_take(struct kafka_partition *partition, int64_t offset)
{
    offsets_take(partition->offsets, offset);
    if (partition->first < 0)
        partition->first = offset;
    partition->expected = offset + 1;
    partition->records++;
}

void kafka_partition_end(struct kafka_partition *partition, int64_t offset)
{
    if (offset < partition->expected)
        return; /* a topic that was made again, and is empty yet */
    offsets_end(partition->offsets, offset);
    partition->expected = offset;
}

void kafka_partition_done(struct kafka_partition *partition, int64_t offset)
{
    assert(partition->records > 0);
    partition->records--;
    if (partition->owned)
        offsets_done(partition->offsets, offset);
    else
        free_if_unused(partition);
}

rd_kafka_topic_partition_list_t *kafka_partitions_due(const struct kafka_partitions *set,
                                                      const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (struct kafka_partition *partition = set->head; partition != NULL; partition = partition->next) {
        int64_t commit = offsets_commit(partition->offsets);
        if (commit <= partition->committed || commit == 0)
            continue; /* 0: a partition that never had a record */
        if (among != NULL && rd_kafka_topic_partition_list_find(among, set->topic, partition->id) == NULL)
            continue;
        rd_kafka_topic_partition_list_add(list, set->topic, partition->id)->offset = commit;
        partition->committed = commit;
    }
    if (list->cnt > 0)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

void kafka_partitions_unsent(const struct kafka_partitions *set, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_find(set, list->elems[i].partition);
        if (partition != NULL && partition->committed == list->elems[i].offset)
            partition->committed = -1;
    }
}

void kafka_partitions_measure(const struct kafka_partitions *set, rd_kafka_t *rk)
{
    for (struct kafka_partition *partition = set->head; partition != NULL; partition = partition->next) {
        int64_t low = 0;
        int64_t high = -1;
        int64_t at = offsets_commit(partition->offsets);

        if (at < 0)
            at = partition->first;
        if (rd_kafka_get_watermark_offsets(rk, set->topic, partition->id, &low, &high) !=
                RD_KAFKA_RESP_ERR_NO_ERROR ||
            high < 0)
            continue; /* nothing fetched yet */
        /* Nothing taken although the broker was asked: there was nothing to take. */
        metric_set(partition->lag, at >= 0 && high > at ? (double)(high - at) : 0);
    }
}
