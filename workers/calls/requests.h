/*
 * A request for a call comes in: it is stored once, whatever comes twice, and may be claimed in the same step.
 *
 * Life of a call, and what each crash leaves behind:
 *
 *   request ──► waiting ──claim──► placing ──outcome──► placed ──evidence──► done
 *      │           ▲                  │ │                  │
 *      │           └──back, retry─────┘ └──settle──► in doubt (done, may still be corrected)
 *      └──► dropped (expired, cancelled: never attempted)
 *
 *   killed before request:  the offset is not committed, the request is delivered again
 *   killed while waiting:   the call stands in :due, and any dispatch worker takes it;
 *                           or in a hold, while operators pause it (control.h)
 *   killed while placing:   the claim runs out in :open, and is settled as in doubt:
 *                           the call is never dialled again on its own
 *   killed while placed:    nothing is lost: callbacks carry our reference
 *   killed after a script:  its events stand in :out, and any worker produces them
 *
 * Who asks: request here, waiting in due.h, claim and outcome in claims.h, evidence in evidence.h, settle in
 * settle.h.
 */
#ifndef IVR_CALLS_REQUESTS_H
#define IVR_CALLS_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "workers/calls/claims.h"
#include "workers/store/store.h"

enum calls_request_what {
    REQUEST_NOTHING, /* nobody answered */
    REQUEST_CLAIMED,
    REQUEST_HALTED, /* as CLAIMED, but operators paused or cancelled the call since: give the claim back */
    REQUEST_STORED,
    REQUEST_DUPLICATE,
    REQUEST_CONFLICT,
    REQUEST_TOO_OLD,
    REQUEST_DROPPED
};

struct calls_request {
    struct span id; /* "tenant/call_id" */
    struct span fingerprint;
    struct span campaign; /* "tenant/campaign" */
    struct span channel;
    struct span provider;
    /* JSON fragment of events: "tenant":…,"campaign":…,"call_id":…,"to":…,"metadata":… */
    struct span identity;
    struct span request; /* request_add_json() */
    int max_attempts;
    unsigned retry_on;
    const int *delays_s;
    size_t delays_n;
    bool redial_in_doubt;
    int priority; /* for its record: it waits by that of its ticket */
    int64_t expires_at_ms;
    int64_t recorded_ms; /* the record's timestamp; 0: never too old */
    int64_t not_before_ms;
    struct span token;   /* SPAN_NONE: store only */
    int64_t claim_ms;    /* how long the claim may stay without an outcome */
    int64_t wait_ms;     /* store only: before the first try */
    struct span trace;   /* "traceparent\ntracestate"; SPAN_NONE */
    struct span contact; /* the number whose lock the attempt will hold (contact.h); SPAN_NONE: none */
    int64_t hold_ms;     /* at most */
    int64_t lease_ms;    /* store only: it is not offered to others meanwhile */
};

/* `claimed` is set with REQUEST_CLAIMED and REQUEST_HALTED, `what` with STORE_OK and STORE_UNACKED. */
typedef void (*calls_request_fn)(enum store_status status, enum calls_request_what what,
                                 struct calls_claimed claimed, void *arg);
void calls_request(struct store *store, const struct calls_request *request, calls_request_fn fn, void *arg);

#endif
