/*
 * Whether the brokers answer and the topics exist, without blocking the loop.
 *
 * librdkafka tells of errors but not of recoveries, and has no asynchronous way to ask for metadata in every
 * version that we build with. So a probe runs on libuv's thread pool, every 10 s, every second while
 * something is wrong: it calls rd_kafka_metadata() for each topic (thread-safe by librdkafka's contract) and
 * hands its findings back on the loop.
 */
#ifndef IVR_COMMON_KAFKA_HEALTH_H
#define IVR_COMMON_KAFKA_HEALTH_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/run/loop.h"

struct kafka_health;

/* `rk` is borrowed until kafka_health_free(). */
struct kafka_health *kafka_health_new(struct loop *loop, rd_kafka_t *rk);
/* May wait up to about 2 s for a probe that is under way. */
void kafka_health_free(struct kafka_health **health);

/* A topic that must exist; the same one twice is no harm. */
void kafka_health_topic(struct kafka_health *health, const char *topic);
/* From the error callback. */
void kafka_health_error(struct kafka_health *health, rd_kafka_t *rk, int code, const char *reason);
/* A record of the topic was refused for want of an ACL; `what` ("reading", "writing") stays the caller's. Not
 * ready until kafka_health_allowed(), or 12 s have passed without another refusal. */
void kafka_health_refused(struct kafka_health *health, const char *topic, const char *what);
void kafka_health_allowed(struct kafka_health *health, const char *topic);
/* Cheap. True while something may be refused. */
bool kafka_health_is_refused(const struct kafka_health *health);
/* How many partitions one of the topics has; 0 while it is not known. */
int32_t kafka_health_partitions(const struct kafka_health *health, const char *topic);
/* The brokers do not answer, or the handle failed for good. Not yet known is not away. */
bool kafka_health_away(const struct kafka_health *health);
/* Otherwise appends why. */
bool kafka_health_ready(const struct kafka_health *health, struct buf *why);

#endif
