/* POST /v1/calls: one request or an array of them onto ivr.call-requests, all or nothing. */
#ifndef IVR_GATEWAY_SUBMIT_H
#define IVR_GATEWAY_SUBMIT_H

#include "workers/gateway/gateway.h"

enum {
    SUBMIT_MAX_CALLS = 1000,
    /* JSON values in one request: each costs far more than its bytes once it is built. */
    SUBMIT_MAX_VALUES = 10000,
};

/*
 * Requests are read one at a time, so that a body costs little more than its bytes.
 *
 * 202 {"accepted": [ids]} once Kafka has all of them; 422 {"errors": [...]} when one does not fit: then none
 * was produced; 400 for what is no JSON; 503 when Kafka does not acknowledge one. After a 503 some may be on
 * the topic all the same: sending the same again is safe, a duplicate is never dialled twice.
 */
void submit_calls(struct gateway *g, struct httpd_request *req);

#endif
