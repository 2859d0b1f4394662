/*
 * Kafka (librdkafka) on the loop: one consumer, one producer, each behind a queue whose file descriptor wakes
 * the loop.
 *
 * Promises kept here: offsets are committed behind the work (each partition has a tracker, the contiguous
 * prefix is stored and committed every second, on revoke and at close); acks=all with an idempotent producer;
 * cooperative rebalancing; groups without offsets start at the earliest record. A partition that is revoked
 * takes its tracker along: what finishes later is ignored here and is safe in Redis.
 */
#ifndef IVR_COMMON_KAFKA_H
#define IVR_COMMON_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/loop.h"
#include "common/run/settings.h"

enum { KAFKA_MAX_HEADERS = 24 }; /* that are kept of a record */

struct kafka_header {
    struct span name;
    struct span value;
};

/* ---- consuming ---- */

struct kafka_consumer;
struct kafka_partition; /* an assigned partition; dies after revoked() returned and its last record is done */

/* One record. The memory is librdkafka's and stays until kafka_done(). */
struct kafka_record {
    struct span key;
    struct span value;
    int64_t offset;
    int64_t timestamp_ms; /* the record's, 0 when it has none */
    const char *topic;
    int32_t partition_id;
    struct kafka_partition *partition;
    void *message; /* rd_kafka_message_t */
    void *user[2]; /* the worker's, from on_record to kafka_done(); zeroed */
};

struct kafka_consumer_events {
    /* A record to work on; keep the pointer and call kafka_done() once, now or later. Called while
     * kafka_in_flight() < max_in_flight and the consumer is not paused. */
    void (*record)(struct kafka_record *record, void *arg);
    /* These partitions came; may be NULL. */
    void (*assigned)(const char *topic, int32_t partition_id, void *arg);
    /* The partition goes: give back what was not sent. Records of it that are still out stay valid until
     * kafka_done(). What is done before this returns is still committed here; what is done later is the next
     * owner's to find out. May be NULL. */
    void (*revoked)(struct kafka_partition *partition, void *arg);
    void *arg;
};

/* ERR_CONFIG names an unknown or malformed property. `topic` one topic name; kept as a copy. */
int kafka_consumer_new(struct kafka_consumer **consumer, struct loop *loop, const struct settings *settings,
                       const char *topic, int max_in_flight, const struct kafka_consumer_events *events,
                       struct err *err);
/* The record is done: what it caused is in Redis (or its dead letter acknowledged). Frees it, sets it
 * NULL. */
void kafka_done(struct kafka_record **record);
/* Frees the key, the value and the headers of a record that is not done yet: of what waits long only the
 * offset matters. */
void kafka_release(struct kafka_record *record);
/* True while the partition of the record is still assigned to this consumer since the record was taken. */
bool kafka_still_owned(const struct kafka_record *record);
/* A header's value, the first of that name; SPAN_NONE when absent. Borrowed from the record. */
struct span kafka_record_header(const struct kafka_record *record, const char *name);
/* All headers in their order, at most `max`; borrowed from the record. Returns how many. */
size_t kafka_record_headers(const struct kafka_record *record, struct kafka_header *out, size_t max);
/* How many partitions the topic has; 0 while it is not known. */
int32_t kafka_consumer_partitions(const struct kafka_consumer *consumer);
size_t kafka_in_flight(const struct kafka_consumer *consumer);
/* Takes no further records (they wait at the broker) until resumed; rebalances are still served. Idempotent;
 * calls of different `why` add up: it runs when no why is left. `why` is a bit of the caller's choice. */
void kafka_pause(struct kafka_consumer *consumer, unsigned why);
void kafka_resume(struct kafka_consumer *consumer, unsigned why);
/* Partitions assigned now: calls fn for each. */
void kafka_each_partition(struct kafka_consumer *consumer, void (*fn)(int32_t partition_id, void *arg),
                          void *arg);
/* readiness: in the group (joined, assignment seen, possibly empty), brokers answer, topic exists (named when
 * missing) */
bool kafka_consumer_ready(struct kafka_consumer *consumer, struct buf *why);
/* Stops taking records; what is in flight goes on. */
void kafka_consumer_quiesce(struct kafka_consumer *consumer);
/* Commits the prefixes (revoked() is called), leaves the group, frees. Blocks up to 10 s where brokers do not
 * answer. Records still out must not be touched afterwards. Not to be called from an event. */
void kafka_consumer_close(struct kafka_consumer **consumer);

/* ---- producing ---- */

struct kafka_producer;

/* `error` is NULL when the brokers acknowledged, else a sentence. Called exactly once, from the loop, never
 * before kafka_produce() returns. */
typedef void (*kafka_ack_fn)(const char *error, void *arg);
/* The `error` (this very pointer) of a message that the client or the brokers find too large: sending it
 * again is of no use. */
extern const char KAFKA_TOO_LARGE[];

int kafka_producer_new(struct kafka_producer **producer, struct loop *loop, const struct settings *settings,
                       struct err *err);
/* Key, value and headers are copied. SPAN_NONE as key or value is Kafka's null (no key: any partition), which
 * is not the same as an empty one. Always leads to exactly one `ack` (NULL allowed). When the local queue is
 * full the message waits in librdkafka's own back-pressure: kafka_producer_full() is true and callers should
 * take no new work. `timeout_ms` 0: the default (message.timeout.ms); otherwise the ack comes with an error
 * no later than about that. */
void kafka_produce(struct kafka_producer *producer, const char *topic, struct span key, struct span value,
                   const struct kafka_header *headers, size_t header_n, int64_t timeout_ms, kafka_ack_fn ack,
                   void *arg);
/* The partition that `key` maps to (murmur2, as Java's default), for a topic of that many partitions. */
int32_t kafka_key_partition(struct span key, int32_t partitions);
/* Records of the topic are given up after so long, or after message.timeout.ms where that is less. Before anything else is
 * said of the topic. */
void kafka_producer_topic_timeout(struct kafka_producer *producer, const char *topic, int64_t timeout_ms);
size_t kafka_producer_pending(const struct kafka_producer *producer);
/* How long a record may wait for the brokers before it is given up (message.timeout.ms). */
int64_t kafka_producer_timeout_ms(const struct kafka_producer *producer);
bool kafka_producer_full(const struct kafka_producer *producer);
/* readiness: brokers answer, and each of the topics exists (a missing one is named) */
void kafka_producer_needs_topic(struct kafka_producer *producer, const char *topic);
bool kafka_producer_ready(struct kafka_producer *producer, struct buf *why);
/* The brokers do not answer; a missing topic, or one not heard of yet, is not that. */
bool kafka_producer_away(const struct kafka_producer *producer);
/* Waits up to timeout_ms for what is pending (acks are called), then frees. */
void kafka_producer_close(struct kafka_producer **producer, int64_t timeout_ms);

/* A client failed for good (another one took its group.instance.id): only a new process helps. One listener
 * for all of them, called from the loop. */
void kafka_on_fatal(void (*fn)(void *arg), void *arg);

/* Checks the kafka properties of the settings without connecting (--check). */
int kafka_check_settings(const struct settings *settings, struct err *err);

#endif
