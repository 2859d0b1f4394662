/*
 * Claims: the right to dial a call, which one process gets; then whether its contact may be called. What may be dialled
 * goes on to placing.h.
 */
#ifndef IVR_DISPATCH_CLAIMING_H
#define IVR_DISPATCH_CLAIMING_H

#include "workers/dispatch/attempt.h"

enum { CLAIMING_SLACK_MS = 5000 }; /* claiming_ms() */

/* How long a claim may stay without an outcome: then others settle it (contract: request_timeout + 10 s, with the sweep). */
int64_t claiming_ms(const struct attempt *attempt);

/* Gets the attempt ready to be claimed: a token, a transfer slot. Sets `admitted`; not where nothing is dialled for now. */
void claiming_admit(struct attempt *attempt);
/* The number that its claim locks; SPAN_NONE: none. */
struct span claiming_contact(const struct attempt *attempt);

/* Claims a call that waits in Redis. Where it cannot be claimed for now, the attempt ends. */
void claiming_begin(struct attempt *attempt);

/* The answer to a question for a claim: `taken` with it; `halted`: taken, and operators stopped the call meanwhile. */
struct claiming_answer {
    enum store_status status;
    bool taken, halted;
    struct calls_claimed claim;
};
/* Whether it was a claim under which nothing may be sent: too few replicas have it, so that a failover could forget it, or
 * the call is halted. Then it is given back. */
bool claiming_in_vain(struct attempt *attempt, const struct claiming_answer *answer);
/* The claim is taken: may the contact be called? Then it is dialled. */
void claiming_taken(struct attempt *attempt, struct calls_claimed claim);

/* The send time of an attempt has come that waited for it with its claim. */
void claiming_go_on(struct attempt *attempt);

#endif
