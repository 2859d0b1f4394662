/*
 * Calling hours at the moment of dialling: nobody is called outside of them.
 *
 * The hours are the request's own. Where it has none, they are those of the channels file for the country code, as the
 * file stands now. They are checked for each attempt, retries too: when a request comes in (outside of its hours it is
 * stored to wait), when a call is due (it is put off), and once more when its claim is taken (the claim is given back,
 * and the call is put off). An event tells the next_attempt_at of a call that is put off. Its expires_at ends it as
 * ever, and its time to give up does not run meanwhile.
 *
 * This machine's clock (loop_wall_ms) decides whether hours are open, so NTP should keep it. Redis' clock decides when a
 * waiting call is due, as for not_before. Where the two differ, calls go out later by the difference, and never outside
 * of their hours by this machine's clock.
 */
#ifndef IVR_DISPATCH_OPENING_H
#define IVR_DISPATCH_OPENING_H

#include "workers/dispatch/attempt.h"

/* Whether its call may be dialled now. */
bool opening_is_now(const struct attempt *attempt);
/* The first instant at which its hours are open, not before now and not before the request's not_before. Where that is
 * now, its not_before as it is. */
int64_t opening_not_before_ms(const struct attempt *attempt);
/* Puts a call that was due off until its hours open, and ends the attempt. */
void opening_wait(struct attempt *attempt);

#endif
