#include "tools/sandbox/broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* What a partition keeps, less a margin, and about what a request takes there. */
enum { PARTITION_BYTES = 4 * 1000 * 1000, REQUEST_BYTES = 800, PARTITIONS_MIN = 4, PARTITIONS_MAX = 128 };

struct broker {
    rd_kafka_t *rk; /* a handle that only hosts the cluster */
    rd_kafka_mock_cluster_t *cluster;
};

static int partitions_for(long calls)
{
    long n = calls * REQUEST_BYTES / PARTITION_BYTES + 1;
    return (int)(n < PARTITIONS_MIN ? PARTITIONS_MIN : n > PARTITIONS_MAX ? PARTITIONS_MAX : n);
}

static int create_topics(struct broker *b, long calls, struct err *err)
{
    /* The events of a campaign share a partition; callbacks are read as fast as they come, but a backlog of
     * them must fit, too. */
    const struct {
        const char *name;
        int partitions;
    } topics[] = {
        {"ivr.call-requests", partitions_for(calls)},
        {"ivr.callbacks", partitions_for(calls) * 2},
        {"ivr.call-events", PARTITIONS_MIN},
        {"ivr.call-records", PARTITIONS_MIN},
        {"ivr.delivery-summaries", 1},
        {"ivr.dead-letters", 1},
        {"ivr.audit", 1},
    };
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        rd_kafka_resp_err_t rc =
            rd_kafka_mock_topic_create(b->cluster, topics[i].name, topics[i].partitions, 1);
        if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
            return err_set(err, ERR_SYSTEM, "the in-memory broker cannot create %s: %s", topics[i].name,
                           rd_kafka_err2str(rc));
    }
    return 0;
}

int broker_start(struct broker **broker, long calls, struct err *err)
{
    char text[200];
    struct broker *b = mem_calloc(1, sizeof(*b));
    *broker = b;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0);
    b->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (b->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_SYSTEM, "the in-memory broker cannot start: %s", text);
    }
    b->cluster = rd_kafka_mock_cluster_new(b->rk, 1);
    if (b->cluster == NULL)
        return err_set(err, ERR_SYSTEM, "the in-memory broker cannot start");
    return create_topics(b, calls, err);
}

const char *broker_address(const struct broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

void broker_stop(struct broker **broker)
{
    struct broker *b = *broker;
    *broker = NULL;
    if (b == NULL)
        return;
    if (b->cluster != NULL)
        rd_kafka_mock_cluster_destroy(b->cluster);
    if (b->rk != NULL)
        rd_kafka_destroy(b->rk);
    free(b);
}
