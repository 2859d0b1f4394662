/*
 * The right to dial a call: who has the claim dials, and nobody else; and what became of it. A claim without
 * an outcome runs out and is settled by others (settle.h).
 */
#ifndef IVR_CALLS_CLAIMS_H
#define IVR_CALLS_CLAIMS_H

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/model/evidence.h"
#include "workers/store/store.h"

enum { CALLS_TOKEN_LEN = 16 }; /* characters of a claim's token */
/* A fresh claim token: random, unique. Who asks again with the same token asks for the same claim. */
void calls_token(char out[CALLS_TOKEN_LEN + 1]);

/* A claim: the attempt's number, and the number of the claim itself among those of its call. An attempt's
 * number is used again when its claim is given back, a claim's is not: lines, tickets and contact
 * locks are named by it. */
struct calls_claimed {
    int attempt;
    int claim_no;
};
/* What a script wrote behind its answer's first item; NULL: no claim. */
struct calls_claimed calls_read_claimed(const msgpack_object *result);

/* Set with STORE_OK and STORE_UNACKED. */
enum calls_claim_what {
    CLAIM_NOTHING, /* nobody answered */
    CLAIM_TAKEN,
    CLAIM_HALTED, /* as CLAIM_TAKEN, but operators paused or cancelled the call: give the claim back */
    CLAIM_NO,     /* another one has it, or it is not due */
    CLAIM_OVER    /* the call ended with this question: its time is over */
};
struct calls_claim {
    struct span id;
    struct span token;
    int64_t claim_ms;
    struct span channel;
    struct span provider;
    struct span trace;
    struct span contact; /* as of a request */
    bool line;           /* it holds a line of its channel (lib/layout.lua, :lined) */
    int64_t hold_ms;     /* both, at most */
};
/* With CLAIM_NO `claimed.claim_no` is that of the claim that has a line of the channel, 0 without. */
typedef void (*calls_claim_fn)(enum store_status status, enum calls_claim_what what,
                               struct calls_claimed claimed, void *arg);
void calls_claim(struct store *store, const struct calls_claim *claim, calls_claim_fn fn, void *arg);

enum calls_outcome_kind {
    OUTCOME_NOTHING, /* not known yet: nobody may record it */
    OUTCOME_ACCEPTED,
    OUTCOME_REFUSED,
    OUTCOME_REFUSED_NOW,
    OUTCOME_DOUBT,
    OUTCOME_UNREACHED,
    OUTCOME_ELSEWHERE, /* unreached, and another channel is there to be tried at once */
    OUTCOME_BACK,
    /* As BACK: another call to the number is under way, and its end makes this one due sooner. */
    OUTCOME_BUSY,
    /* Not sent: the number is on a do-not-call list. The call ends. */
    OUTCOME_LISTED
};
struct calls_outcome {
    struct span id;
    int attempt;
    struct span token;
    enum calls_outcome_kind kind;
    const struct evidence *evidence; /* not needed for OUTCOME_BACK, _BUSY, _LISTED */
    int64_t wait_ms;                 /* OUTCOME_BACK, _BUSY: before it is due again */
    struct span trace;
    struct span channel;
    struct span provider;
};
enum calls_outcome_what {
    RECORDED_NOTHING, /* nobody answered */
    OUTCOME_RECORDED,
    OUTCOME_LATE,   /* its claim was settled by others before, or forgotten */
    OUTCOME_UNKNOWN /* Redis does not know the call (any more) */
};
typedef void (*calls_outcome_fn)(enum store_status status, enum calls_outcome_what what, void *arg);
void calls_outcome(struct store *store, const struct calls_outcome *outcome, calls_outcome_fn fn, void *arg);

#endif
