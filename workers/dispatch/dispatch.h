/*
 * The parts of ivr-dispatch and how they meet.
 *
 *   intake.c       records of ivr.call-requests: validate, choose the channel, start an attempt
 *   due.c          calls that waited (retries, backoff, not before)
 *   offer.c        what a shard offered, read
 *
 *   attempt.c      one call on its way: its place, its state (attempt_state.c), its end
 *   storing.c      a record's first step: its request is stored, and claimed where that may be
 *   turn.c         calls that wait in Redis: claimed, or with a ticket of their channel's queue
 *   queues.c       the channel queue of each channel (workers/channel/channel_queue.h)
 *   claiming.c     the claim, and whether the contact may be called
 *   placing.c      the request to the provider
 *   recording.c    the provider's id is linked, the outcome recorded
 *   dead_letter.c  records that cannot become a call
 *
 *   judge.c        what became of a placement
 *   route.c        which channel places a call
 *   opening.c      may the contact be called now
 *   away.c         are Kafka and Redis fit for dialling
 *
 *   settle.c       calls that nobody settled
 *   reconcile.c    silent attempts, asked for at their provider
 *   sweep.c        what operators said, carried out with the calls that stand in Redis
 *   hangup.c       cancelled calls, hung up at their provider
 *   reclaim.c      lines that were forgotten, or that nobody gave back
 *   mend.c         calls that stand in no index
 *   waiting.c      how many calls wait, for /metrics
 *   rounds.c       what the rounds over the shards have in common
 */
#ifndef IVR_DISPATCH_DISPATCH_H
#define IVR_DISPATCH_DISPATCH_H

#include "common/http/http.h"
#include "workers/program/worker.h"

struct attempt;
struct channel_queues;

/* Why the consumer is paused. */
enum { WHY_REDIS = 1, WHY_PRODUCER = 2, WHY_STORING = 4 };

struct dispatch {
    struct worker *worker;
    struct kafka_consumer *consumer;
    struct http_client *http;
    struct channel_queues *queues;
    struct http_request scratch; /* the placement being built */
    bool draining;
    bool redis_away;
    bool away; /* Kafka, or Redis with its replicas, is not fit: nothing is dialled meanwhile */
    /* Attempts: IVR_MAX_IN_FLIGHT for records and half of it for calls that waited, so that neither starves
     * the other. */
    struct attempt *attempts;
    struct attempt *free_for_records;
    struct attempt *free_for_due;
    size_t attempts_n;
    size_t busy;
    size_t due_free; /* those that requests on their way were promised, too */
    size_t storing;  /* records of calls that will wait their turn, on their way into Redis */
    struct metric_series *in_flight;
};

#endif
