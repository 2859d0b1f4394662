/*
 * One call on its way through this process (attempt_state.h draws the way).
 *
 * The claim comes last, after every wait, with a transfer slot in hand. Between the claim's answer and the placement stands
 * one question, which only the owner of a claim may ask: whether the number is on a do-not-call list, and whether another
 * call to it is under way (workers/contact/contact.h). Only a call that comes too late for its send time waits once more
 * after that: for another send time, with its claim.
 *
 * Every step that Redis does not confirm is asked again with the same values (the scripts may run twice). So an attempt
 * leaves this process only by an answer, or by the process' death; then the claim's deadline settles it.
 *
 * The claim itself reads whether operators paused or cancelled the call (workers/calls/control.h). What it read counts as of
 * the moment when the claim was asked for, and for ATTEMPT_ANSWER_HOLDS_MS: later the claim is given back.
 */
#ifndef IVR_DISPATCH_ATTEMPT_H
#define IVR_DISPATCH_ATTEMPT_H

#include "common/model/request.h"
#include "workers/calls/claims.h"
#include "workers/channel/ticket.h"
#include "workers/dispatch/attempt_state.h"
#include "workers/dispatch/dispatch.h"
#include "workers/dispatch/judge.h"

enum {
    ATTEMPT_AWAY_MS =
        1000, /* a call that could not be dialled, since Kafka or Redis is not fit, waits so long */
    ATTEMPT_LEASE_MS = 30000, /* how long a waiting call is not offered to others */
    /* Contract: a pause, a cancellation and a do-not-call list are effective within a second. */
    ATTEMPT_ANSWER_HOLDS_MS = 1000,
};

struct attempt {
    struct dispatch *dispatch;
    struct attempt *next; /* in a free list */
    enum attempt_state state;
    bool for_due;                /* which free list it belongs to */
    struct kafka_record *record; /* NULL for a call that was due */
    struct request request;
    struct channel *channel; /* a reference */
    /* The call's id, and the number of its claim, or of the one that it will have; and its place in the channel's queue,
     * where it has one. */
    struct ticket ticket;
    struct buf trace;
    struct buf text;                 /* dead letter's sentence, or scratch */
    const char *dead_letter_reason;  /* a word */
    char token[CALLS_TOKEN_LEN + 1]; /* of its claim */
    bool admitted;                   /* may be claimed, and has a transfer slot */
    bool counts_as_storing;          /* its channel makes it wait its turn: counted in dispatch->storing */
    int number;                      /* what people see */
    int unreached;            /* attempts in a row that reached nobody; -1 once one may have been placed */
    struct http_slot *slot;   /* for its transfer */
    int64_t claiming_mono_ms; /* when the claim was asked for first */
    int64_t wait_ms;          /* of a record that is stored only: before the first try */
    int64_t not_before_ms;    /* of a record: the request's, or when its calling hours open */
    int64_t epoch;            /* the channel's, when it was let go (struct channel_standing) */
    struct verdict verdict;   /* what became of its placement */
    void (*start)(struct attempt *); /* its first step, where it has a record: Redis may forget the call */
    void (*again)(struct attempt *); /* the step to be asked again */
    int tries;
    struct loop_timer *timer; /* until then */
};

void attempts_init(struct dispatch *dispatch);
void attempts_done(struct dispatch *dispatch);

/* A free one of the kind, or NULL; its state is PARSED and its buffers are empty. */
struct attempt *attempt_take(struct dispatch *dispatch, bool for_due);
/* Nothing more to do: releases everything, marks the record done. A ticket that is still in hand is dropped. */
void attempt_end(struct attempt *attempt);

/* The only function that changes the state; stops the process where it may not follow. */
void attempt_enter(struct attempt *attempt, enum attempt_state state);

/* Redis did not confirm: calls `again` after a pause that grows with `tries`. */
void attempt_again(struct attempt *attempt, void (*again)(struct attempt *));
/* Calls `again` after `wait_ms`. */
void attempt_later(struct attempt *attempt, void (*again)(struct attempt *), int64_t wait_ms);

/* Counts a record that is stored to wait its turn, until it ends or is uncounted. Too many of them pause the consumer. */
void attempt_count_storing(struct attempt *attempt);
void attempt_uncount_storing(struct attempt *attempt);

/* "tenant/call_id"; borrowed. */
static inline struct span attempt_id(const struct attempt *attempt)
{
    return buf_span(&attempt->ticket.id);
}

/* Its claim is taken, and has no outcome yet. */
static inline bool attempt_is_claimed(const struct attempt *attempt)
{
    return attempt->ticket.claimed_mono_ms > 0;
}

/* How long it may hold a line of its channel, and the lock on its contact: contract, Topics. */
int64_t attempt_hold_ms(const struct attempt *attempt);

#endif
