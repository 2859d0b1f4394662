/*
 * One call on its way through this process.
 *
 *   PARSED ─► CLAIMING ─► CLAIMED ─► PLACING ─► LINKING ─► RECORDING ─► free
 *               │  └─(draining, revoked, unsayable, closed, listed)─▲
 *               └─(duplicate, stored to wait, put off, ...)──► free, or a dead letter first
 *
 * The claim comes last, after every wait, with a transfer slot in hand: between the claim's answer and the
 * send nothing waits. Every step that Redis does not confirm is asked again with the same values (the scripts
 * may run twice), so an attempt leaves this process only by an answer or by the process' death; then the
 * claim's deadline settles it.
 *
 * The do-not-call lists are asked together with the claim, in the same turn, and both answers are waited for.
 * What operators said (store/control.h) the claim reads itself. Both hold as of the question: a second after
 * it they count for nothing, and the claim is given back.
 */
#ifndef IVR_DISPATCH_ATTEMPT_H
#define IVR_DISPATCH_ATTEMPT_H

#include "common/model/request.h"
#include "workers/dispatch/dispatch.h"
#include "workers/dispatch/judge.h"

enum attempt_state {
    ATTEMPT_FREE,
    ATTEMPT_PARSED,    /* its request is known, nothing was asked */
    ATTEMPT_CLAIMING,  /* request.lua, claim.lua or postpone.lua is asked */
    ATTEMPT_CLAIMED,   /* it is ours; the do-not-call lists have not answered yet */
    ATTEMPT_PLACING,   /* the HTTP request may be out */
    ATTEMPT_LINKING,   /* the provider's id is being linked */
    ATTEMPT_RECORDING, /* outcome.lua is asked */
    ATTEMPT_LETTER,    /* its dead letter is on the way */
};

enum attempt_listed { LISTED_NOT_ASKED, LISTED_ASKING, LISTED_UNREAD, LISTED_NO, LISTED_YES };

struct attempt {
    struct dispatch *dispatch;
    struct attempt *next; /* in a free list */
    enum attempt_state state;
    bool for_due;                /* which free list it belongs to */
    struct kafka_record *record; /* NULL for a call that was due */
    struct request request;
    struct channel *channel; /* a reference */
    struct buf id;           /* "tenant/call_id" */
    struct buf trace;
    struct buf text;    /* dead letter's sentence, or scratch */
    const char *letter; /* dead letter's reason */
    char token[STORE_TOKEN_LEN + 1];
    bool admitted; /* holds the gate's admission and a slot */
    enum attempt_listed listed;
    bool ended; /* but the lists have not answered: their answer frees it */
    int number;
    struct http_slot *slot;
    int64_t asked_mono_ms; /* when the claim was asked for first */
    int64_t wait_ms;       /* store only: before the first try */
    int64_t not_before_ms; /* of a record: the request's, or when its calling hours open */
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

/* Stores the request of a record and claims it where the channel may be dialled now. `request` and `channel`
 * are set. */
void attempt_begin(struct attempt *attempt);
/* Claims a call that was due (`id`, `request`, `channel` are set). Ends at once when the channel may not be
 * dialled: the offer comes again after its lease. Outside its calling hours the call is put off. */
void attempt_begin_due(struct attempt *attempt);
/* Sends the record to the dead letters, then ends. */
void attempt_dead_letter(struct attempt *attempt, const char *reason, struct span detail);

#endif
