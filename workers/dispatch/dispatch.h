/*
 * The parts of ivr-dispatch and how they meet.
 *
 *   intake.c    records of ivr.call-requests: validate, choose the channel, start an attempt
 *   due.c       calls that waited (retries, backoff, not before), and claims that nobody settled
 *   attempt.c   one call on its way: store, queue, claim, may the contact be called
 *   placing.c   the rest of it: place -> link -> record
 *   judge.c     what became of a placement
 *   route.c     which channel places a call
 *   lane.c      a channel's queue, send times, lines and circuit, as this replica sees them
 *   ticket.c    the call behind a ticket of the queue
 *   reclaim.c   lines that were forgotten, or that nobody gave back
 *   mend.c      calls that stand in no index
 *   reconcile.c silent attempts, asked for at their provider
 *   opening.c   may the contact be called now
 *   sweep.c     what operators said, carried out with the calls that stand in Redis
 *   hangup.c    cancelled calls, hung up at their provider
 *   waiting.c   how many calls wait, for /metrics
 */
#ifndef IVR_DISPATCH_DISPATCH_H
#define IVR_DISPATCH_DISPATCH_H

#include "common/http/http.h"
#include "workers/program/worker.h"

struct attempt;
struct lanes;

/* Why the consumer is paused. */
enum { WHY_REDIS = 1, WHY_PRODUCER = 2, WHY_STORING = 4 };

struct dispatch {
    struct worker *worker;
    struct kafka_consumer *consumer;
    struct http_client *http;
    struct lanes *lanes;
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
    size_t due_free;
    size_t storing;          /* records of calls that will wait their turn, on their way into Redis */
    size_t tickets_promised; /* of due_free: tickets that lanes have asked for */
    struct metric_series *in_flight;
};

/* Called for each record (kafka_consumer_events.record). */
void intake_record(struct kafka_record *record, void *dispatch);

/* The timers of due.c. */
struct due *due_new(struct dispatch *dispatch);
/* No further rounds; questions that are out are still answered. */
void due_stop(struct due *due);
void due_free(struct due **due);

#endif
