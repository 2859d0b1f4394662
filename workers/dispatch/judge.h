/*
 * What became of a placement, decided in one place: from how far the request got, the HTTP status, and what
 * the provider's adapter reads in a complete reply. Pure.
 *
 * The question is "did it happen?", apart from "did it fail?". Only three things permit dialling again: the
 * request certainly did not leave (not sent, refused late, peer never contacted), a refusal that the provider
 * says may pass, and the provider's own "not now". Everything unclear is in doubt. An adapter may refine this
 * and never widen "certainly not placed": whatever it says of a 5xx other than 503, or of a 3xx that is no
 * redirect, stays in doubt. A redirect and a proxy's 407 are read before it is asked (reply_read): they
 * placed nothing, and suspend the channel as a wrong key does.
 */
#ifndef IVR_DISPATCH_JUDGE_H
#define IVR_DISPATCH_JUDGE_H

#include <stdint.h>

#include "common/http/http.h"
#include "workers/calls/claims.h"
#include "workers/providers/channels.h"

enum {
    JUDGE_NOT_NOW_MS = 1000,       /* after a 429 without Retry-After */
    JUDGE_NOT_NOW_MAX_MS = 300000, /* a longer Retry-After counts as this */
    /* A call whose number another call has asks again after it, where that call's end does not wake it. */
    JUDGE_BUSY_MS = 30000,
};

struct verdict {
    enum calls_outcome_kind kind;
    struct evidence evidence; /* complete unless kind is OUTCOME_BACK; then its reason says why */
    int64_t wait_ms;          /* OUTCOME_BACK */
    bool suspend;             /* it speaks of the channel, not of the call */
    /* For metrics: accepted, refused, in_doubt, unreached, not_now, suspended, given_back, do_not_call, busy. */
    const char *word;
};

/* `own_from`: the request brought its own caller id. */
void judge_reply(const struct channel *channel, const struct http_reply *reply, bool own_from,
                 struct verdict *verdict);
/* The adapter cannot express the request in the provider's terms: we refuse it, for good. */
void judge_unsayable(const struct err *err, struct verdict *verdict);
/* Claimed and not sent (drain, revoked partition, too few replicas): the attempt's number is used again after wait_ms. */
void judge_unsent(struct verdict *verdict, int64_t wait_ms);
/* Claimed and not sent: the number is on a do-not-call list. */
void judge_listed(struct verdict *verdict);
/* Claimed and not sent: another call to the number is under way. */
void judge_busy(struct verdict *verdict);

#endif
