/*
 * The seven statuses, in the order of their evidence: a status is the maximum of its evidence.
 *
 * So duplicates, re-deliveries and any order of callbacks end in the same state; there is no transition
 * table. The numbers are stored in Redis (workers/calls/lib/layout.lua uses the same) and never change
 * their meaning.
 */
#ifndef IVR_MODEL_STATUS_H
#define IVR_MODEL_STATUS_H

#include <stdbool.h>

#include "common/base/span.h"

enum call_status {
    STATUS_NONE = 0,                  /* never attempted, or evidence that says nothing of the status */
    STATUS_PENDING = 1,               /* placed, and the provider has not reported yet */
    STATUS_GATEWAY_UNAVAILABLE = 2,   /* could not be contacted, or an invalid first response */
    STATUS_FAILED_UNKNOWN_REASON = 3, /* reported something unexpected, or refused the call */
    STATUS_NO_ANSWER = 4,             /* the network reached the phone; nobody picked up */
    STATUS_SUBSCRIBER_ABSENT = 5,     /* the network could not reach the phone */
    STATUS_USER_BUSY = 6,             /* busy or declined */
    STATUS_COMPLETED = 7,             /* connected to the contact's phone */
    STATUS_COUNT = 8
};

/* "No_answer"; NULL for STATUS_NONE. Static. */
const char *status_name(enum call_status status);
/* STATUS_NONE when unknown. */
enum call_status status_parse(struct span name);

#endif
