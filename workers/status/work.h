/*
 * A record of the callbacks topic in flight: one piece of work, from its arrival to kafka_done().
 *
 * As many as may be in flight have a slot. One is in exactly one place: free, with whoever took it, or among
 * those that are to be started again. What is refused or lost on the way (Redis away, an acknowledgement that
 * does not come) starts the work over, after a pause that grows from 100 ms to 2 s: each step may run twice.
 * Meanwhile the consumer is paused, and nothing is given up.
 */
#ifndef IVR_STATUS_WORK_H
#define IVR_STATUS_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fifo.h"
#include "common/kafka/kafka.h"
#include "workers/program/worker.h"
#include "workers/status/reading.h"

/* Why the consumer is paused. */
enum { WHY_AGAIN = 1, WHY_PRODUCER = 2 };

struct works;

struct work {
    struct works *works;
    struct fifo_link link;       /* in the list it stands in */
    struct kafka_record *record; /* NULL while it is free */
    const struct provider *provider;
    int64_t received_ms;
    bool parked_before;
    bool linked;   /* `ref` is what the link of the provider's id says, not what the record carries */
    bool repeated; /* its evidence changed nothing */
    struct call_ref ref;
};

/* All of them. Embedded; works_init() and works_done(). */
struct works {
    struct worker *worker;
    struct kafka_consumer *consumer; /* set by the owner once it is there */
    void (*start)(struct work *work);
    size_t awaited; /* answers of Redis that are still to come */
    bool closed;
    /* private */
    struct work *slots;
    struct fifo free;
    struct fifo again; /* to be started over when the timer comes */
    struct loop_timer *again_timer;
    int64_t again_ms; /* the next pause */
    struct metric_series *lag;
    const struct provider *counted; /* whose series the next two are: looked up once a provider */
    struct metric_series *recorded, *repeated;
};

/* `start` begins a piece of work, also one that is to be started again. */
void works_init(struct works *works, struct worker *worker, size_t n, void (*start)(struct work *work));
/* Answers that still come are ignored. */
void works_close(struct works *works);
void works_done(struct works *works);

/* A slot for a record that has just arrived: the consumer never has more in flight than there are. */
struct work *work_take(struct works *works, struct kafka_record *record);
/* (Again) from the start, with the reference that was found, where work->linked is set. */
void work_start(struct work *work);
/* To be called when a question is sent to Redis: its answer is awaited. */
void work_await(struct work *work);
/* The awaited answer is there. False: it does not matter any more, or it is none and the work is started over
 * (STORE_UNREADABLE is an answer). */
bool work_answered(struct work *work, enum store_status store_status) __attribute__((warn_unused_result));
/* Its evidence is recorded, and the provider's id linked where that was missing. */
void work_recorded(struct work *work);
/* It is safe: `result` is the metric's label. */
void work_done(struct work *work, const char *result);
/* Sends it to the dead letters; done once the brokers have it. */
void work_dead(struct work *work, const char *reason, struct span detail);

#endif
