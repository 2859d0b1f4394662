/*
 * Reads a whole topic without a consumer group: every partition is assigned, nothing is committed, nobody
 * else notices. For commands that show what is there (workers use common/kafka/kafka.h).
 *
 * Opening looks up each partition's end: "the end" of topic_reader_at_end() is that moment's. Partitions that
 * are added later are not seen.
 */
#ifndef IVR_TOOLS_TOPIC_READER_H
#define IVR_TOOLS_TOPIC_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/settings.h"

enum reader_start { READ_NOTHING, READ_ALL, READ_NEW };

struct topic_reader;

/* Everything is borrowed until topic_record_done(). */
struct topic_record {
    struct span key, value;
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* 0: none */
    void *message;
};

/* ERR_UNAVAILABLE: the brokers do not answer within 10 s, or there is no such topic. ERR_CONFIG: a property
 * of IVR_KAFKA_… is wrong. */
int topic_reader_open(struct topic_reader **reader, const struct settings *settings, const char *topic,
                      enum reader_start start, struct err *err);
/* True with a record, which the caller ends with topic_record_done(); false after at most `timeout_ms`
 * without one. Brokers that went away are waited for. */
bool topic_reader_next(struct topic_reader *reader, int timeout_ms, struct topic_record *record);
void topic_record_done(struct topic_record *record);
/* A header's value; of several with that name the last, which is ours whatever came with the original.
 * SPAN_NONE without. */
struct span topic_record_header(const struct topic_record *record, const char *name);
/* Everything that was there when it was opened has been read. True as well after a failure. */
bool topic_reader_at_end(const struct topic_reader *reader);
/* True once reading cannot go on (no broker was reachable for 10 s; not allowed to read): fills `err`. */
bool topic_reader_failed(const struct topic_reader *reader, struct err *err);
void topic_reader_close(struct topic_reader **reader);

#endif
