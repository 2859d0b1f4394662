/*
 * One call on its way through this process.
 *
 *   PARSED ─► CLAIMING ─► ASKING ─► PLACING ─► LINKING ─► RECORDING ─► free
 *    │  │        │          └─(draining, revoked, unsayable, closed, listed, busy)─▲
 *    │  │        └─(duplicate, stored to wait, put off, ...)──► free, or a dead letter first
 *    │  └► QUEUEING ─► free       its ticket is in the channel's queue (lane.h)
 *    └► LOOKING ─► READY ─► CLAIMING ...      a ticket that this process has in hand
 *
 * The claim comes last, after every wait, with a transfer slot in hand. Between its answer and the send
 * stands one question, which only the owner of a claim may ask: the do-not-call lists, and whether another
 * call to the number is under way (store/contact.h). Only who comes too late for its send time waits for
 * another one, with its claim (READY again). Every step that Redis does not confirm is asked again with the
 * same values (the scripts may run twice), so an attempt leaves this process only by an answer or by the
 * process' death; then the claim's deadline settles it.
 *
 * What operators said (store/control.h) the claim reads itself. It holds as of the question: a second after
 * it it counts for nothing, and the claim is given back.
 */
#ifndef IVR_DISPATCH_ATTEMPT_H
#define IVR_DISPATCH_ATTEMPT_H

#include "common/model/request.h"
#include "workers/calls/claims.h"
#include "workers/dispatch/dispatch.h"
#include "workers/dispatch/judge.h"

enum {
    ATTEMPT_AWAY_MS = 1000,   /* before a call is offered that could not be dialled because Kafka or Redis is
                                 not fit */
    ATTEMPT_LEASE_MS = 30000, /* how long a waiting call is not offered to others */
    /* Contract: what operators say is effective within a second. So is what the do-not-call lists say. */
    ATTEMPT_ANSWER_HOLDS_MS = 1000,
};

enum attempt_state {
    ATTEMPT_FREE,
    ATTEMPT_PARSED,    /* its request is known, nothing was asked */
    ATTEMPT_QUEUEING,  /* its ticket is being brought to the channel's queue */
    ATTEMPT_LOOKING,   /* a ticket in hand: what about its call? */
    ATTEMPT_READY,     /* wants a send time, or waits for the one that it has */
    ATTEMPT_CLAIMING,  /* request.lua, claim.lua or postpone.lua is asked */
    ATTEMPT_ASKING,    /* it is ours; may the contact be called? */
    ATTEMPT_PLACING,   /* the HTTP request may be out */
    ATTEMPT_LINKING,   /* the provider's id is being linked */
    ATTEMPT_RECORDING, /* outcome.lua is asked */
    ATTEMPT_LETTER,    /* its dead letter is on the way */
};

struct attempt {
    struct dispatch *dispatch;
    struct attempt *next; /* in a list: the free ones, or those of a lane */
    enum attempt_state state;
    bool for_due;                /* which free list it belongs to */
    struct kafka_record *record; /* NULL for a call that was due */
    struct request request;
    struct channel *channel; /* a reference */
    struct buf id;           /* "tenant/call_id" */
    struct buf trace;
    struct buf text;    /* dead letter's sentence, or scratch */
    const char *letter; /* dead letter's reason */
    char token[CALLS_TOKEN_LEN + 1];
    bool admitted; /* may be claimed, and has a transfer slot */
    bool queues;   /* a record whose channel makes it wait its turn: counted in dispatch->storing */
    bool claimed;  /* it is ours: the claim has no outcome yet */
    int number;
    int claim_no;  /* of its claim (struct calls_claimed), or of the one that it will have */
    int unreached; /* attempts in a row that reached nobody; -1 once one may have been placed */
    struct http_slot *slot;
    int64_t asked_mono_ms; /* when the claim was asked for first */
    int64_t wait_ms;       /* store only: before the first try */
    int64_t not_before_ms; /* of a record: the request's, or when its calling hours open */
    struct lane *lane;     /* whose ticket it has in hand; NULL: none */
    int64_t taken_mono_ms; /* since when */
    int64_t line_ms;       /* how long the attempt under way may hold its line yet; 0: as it is */
    int64_t slot_mono_ms;  /* its send time; 0: none */
    struct lane *trial;    /* whose trial it is; NULL: none */
    int64_t trial_proofs, trial_until_mono_ms;
    int64_t epoch; /* lane_epoch() when it was let go: what is on its way when the channel is shut says
                      nothing of its probes */
    struct verdict verdict;
    void (*again)(struct attempt *); /* the step to ask again */
    int tries;
    struct loop_timer *timer;
};

void attempts_init(struct dispatch *dispatch);
void attempts_done(struct dispatch *dispatch);

/* A free one of the kind, or NULL; its state is PARSED and its buffers are empty. */
struct attempt *attempt_take(struct dispatch *dispatch, bool for_due);
/* Nothing more to do: releases everything, marks the record done. */
void attempt_end(struct attempt *attempt);
/* Calls `again` after a pause that grows with `tries`. */
void attempt_again(struct attempt *attempt, void (*again)(struct attempt *));

/* Stores the request of a record, and claims it where its channel takes it at once. `request` and `channel`
 * are set. */
void attempt_begin(struct attempt *attempt);
/* Claims a call that was due, or brings it to its channel's queue (`id`, `request`, `channel`, `number` are
 * set). Outside its calling hours the call is put off. */
void attempt_begin_due(struct attempt *attempt);
/* Sends the record to the dead letters, then ends. */
void attempt_dead_letter(struct attempt *attempt, const char *reason, struct span detail);
/* What stands in Redis of its call cannot be read: a dead letter where it has a record, then the end. */
void attempt_unreadable(struct attempt *attempt);
/* Once more from its request: Redis forgot it (a failover). */
void attempt_begin_again(struct attempt *attempt);

/* ---- for lane.c ---- */

/* Its ticket is in the queue. */
void attempt_queued(struct attempt *attempt);
/* Its send time has come. */
void attempt_go(struct attempt *attempt);
/* It has waited too long for one, or nothing is dialled for now. */
void attempt_no_slot(struct attempt *attempt);
/* How long it may hold a line of its channel and to its contact: contract, Topics. */
int64_t attempt_hold_ms(const struct attempt *attempt);

#endif
