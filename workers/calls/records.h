/*
 * From the shards to ivr.call-records and ivr.audit: the rows of final calls, and what people did.
 *
 * The function of Redis that changes a call marks it (lib/records.lua), and the one that does what somebody asked for
 * notes who it was (lib/audit.lua). Workers go round the shards and take what is due in hand, for RECORDS_LEASE_MS; what
 * the brokers have acknowledged is confirmed. What a dead worker had in hand is anybody's once its lease is over.
 *
 * The newest row of a call is the last on the topic: a call that changes while its row is on its way, whose row two
 * workers had in hand, or of whose row nobody knows whether it came, stays marked, and its row is sent again as it is by
 * then. One hole is left: a worker that stands still in the middle of a send for longer than its lease, sends when it
 * wakes, and is killed before it confirms.
 */
#ifndef IVR_CALLS_RECORDS_H
#define IVR_CALLS_RECORDS_H

#include <stddef.h>

#include "common/kafka/kafka.h"
#include "common/run/loop.h"
#include "workers/store/store.h"

enum { RECORDS_LEASE_MS = 30000 };

struct records;

struct records_with {
    struct loop *loop;
    struct store *store;
    struct kafka_producer *producer;
    const char *program; /* "ivr-dispatch"; copied, as the topics are */
    const char *records_topic;
    const char *audit_topic;
};
/* Goes round the shards from now on: each about every five seconds, and every second while records_due() was said of it. */
struct records *records_new(const struct records_with *with);
/* A final call of the shard has changed: its row is taken within two seconds. */
void records_due(struct records *records, unsigned shard);
/* Takes no more: what is in hand is confirmed, the rest is for others. */
void records_stop(struct records *records);
/* In hand and not confirmed yet: a drain waits until it is 0. */
size_t records_pending(const struct records *records);
/* What is still in hand others find. The producer and Redis must be closed first. */
void records_free(struct records **records);

#endif
