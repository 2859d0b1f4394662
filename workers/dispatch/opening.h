/*
 * Calling hours at the moment of dialling: nobody is called outside of them.
 *
 * They are the request's own, else those of the channels file for the country code, as it stands now. Looked
 * at when a request comes in (it is stored to wait), when a call is due (it is put off), and once more when
 * its claim is there (it is given back, and then put off): each attempt, retries too. A call that is put off
 * tells its next_attempt_at with an event; its expires_at ends it as ever, and its time to give up does not
 * run meanwhile.
 *
 * Open or not is what this machine's clock says (loop_wall_ms), so it should be kept by NTP. Redis' clock
 * says when a waiting call is due, as for not_before: where the two differ, calls go out that much later, and
 * never outside their hours by this machine's clock.
 */
#ifndef IVR_DISPATCH_OPENING_H
#define IVR_DISPATCH_OPENING_H

#include "workers/dispatch/attempt.h"

/* Whether its call may be dialled now. */
bool opening_is_now(const struct attempt *attempt);
/* The first instant from now and from the request's not_before on at which its hours are open; where that is
 * now, its not_before as it is. */
int64_t opening_not_before_ms(const struct attempt *attempt);
/* Puts a call that was due off until its hours open, and ends the attempt. */
void opening_wait(struct attempt *attempt);

#endif
