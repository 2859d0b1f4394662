/*
 * What a channel queue asks Redis for next, and when: a function of how it stands and of the time. Pure.
 *
 * One request at a time is out for a channel, and at most one every few milliseconds, whatever waits: its size grows with
 * the load.
 */
#ifndef IVR_CHANNEL_CHANNEL_PLAN_H
#define IVR_CHANNEL_CHANNEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHANNEL_PLAN_IDLE_MS = 250, /* nothing to ask for: is the channel closed, does something wait */
    CHANNEL_PLAN_POLL_MS = 50,  /* tickets wait, and there was no line for them */
    CHANNEL_PLAN_SEND_TIMES_MS =
        10, /* between two requests for send times: a third of how far ahead they are given */
    CHANNEL_PLAN_UPDATES_MS = 25, /* how long updates may wait for a request that is sent anyway */
    CHANNEL_PLAN_AGAIN_MS =
        100, /* after a request that Redis did not answer; twice as long each time, up to */
    CHANNEL_PLAN_AGAIN_MAX_MS = 1000 /* this */
};

/* What the process has room for. */
struct channel_room {
    bool stopped; /* nothing may go out for now: it drains, or Kafka or Redis is not fit */
    size_t free;  /* places for tickets that nobody was promised */
    size_t most;  /* how many tickets one channel may have in hand */
};

struct channel_load {
    struct channel_room room;
    bool open;                      /* the channel takes calls */
    bool has_rate;                  /* calls_per_second */
    int64_t queued;                 /* tickets in the channel's queue, as Redis said last */
    bool more;                      /* the last request got as many tickets as it asked for */
    int64_t send_time_from_mono_ms; /* when a send time may be had */
    size_t ready;                   /* tickets in hand that wait for a send time */
    size_t looking;                 /* tickets in hand whose calls are being looked at */
    size_t useless;                 /* of the last tickets, those whose calls may not be dialled */
    bool updates;                   /* there is something to tell Redis that it waits for */
    unsigned unanswered;            /* requests in a row that Redis did not answer */
};

struct channel_plan {
    unsigned tickets;
    unsigned spare; /* how many of them may come without a send time */
    unsigned send_times;
    int64_t at_mono_ms;
};

struct channel_plan channel_plan(const struct channel_load *load, int64_t now_mono_ms);

/* How long after its send time a placement may leave; 0: the channel has no rate. So late it cannot bring more than the
 * larger of 1 and 2 % above the rate into any second. At most 100 ms, whatever the rate. */
int64_t channel_late_ms(double calls_per_second);

#endif
