/*
 * The calls in Redis: one function a script of workers/scripts/, batched.
 *
 * A call's shard ("{ivr:07}", by hash of tenant/call_id) is its sole truth. Records of one shard that come up
 * in one turn of the loop leave in one script call (at most STORE_BATCH), all shards in one pipeline. Each
 * record's callback runs exactly once, never before the function returns.
 *
 * Life of a call, and what each crash leaves behind:
 *
 *   request ──► waiting ──claim──► placing ──outcome──► placed ──evidence──► done
 *      │           ▲                  │ │                  │
 *      │           └──back, retry─────┘ └──settle──► in doubt (done, may still be corrected)
 *      └──► dropped (expired, cancelled: never attempted)
 *
 *   killed before request:  the offset is not committed, the request is delivered again
 *   killed while waiting:   the call stands in :due, any dispatch worker takes it; or in a hold, while
 * operators pause it (control.h) killed while placing:   the claim runs out in :open and is settled as in
 * doubt: never dialled again on its own killed while placed:    nothing is lost: callbacks carry our
 * reference killed after a script:  its events stand in :out, and any worker produces them
 *
 * Every script may run twice: a caller whose result is STORE_LOST asks again with the same values (same
 * token).
 */
#ifndef IVR_STORE_STORE_H
#define IVR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/model/evidence.h"
#include "common/redis/redis.h"
#include "common/run/loop.h"
#include "common/run/settings.h"

enum {
    STORE_BATCH =
        64, /* most records in one script call: bounds how long Redis is busy with it (about 1 ms) */
    CALLS_TOKEN_LEN = 16, /* characters of a claim's token */
    CALLS_MAX_REF = 64 + 1 + 64 + 1 + 10,
};

struct store;

enum store_status {
    STORE_OK,
    STORE_REFUSED, /* certainly not executed (not connected, LOADING, OOM, ...): ask again later */
    STORE_LOST,    /* may have been executed: ask again with the same values */
    STORE_UNACKED, /* was executed, and IVR_REDIS_REPLICAS replicas do not have it: a failover may undo it, so
                      ask again with the same values; what a request or a claim got is told */
    STORE_UNREADABLE, /* what stands in Redis of this call cannot be read, nothing was done with it: asking
                         again does not help; store_why() names the key and what is wrong */
};

/* A script's events: the outbox entry that holds them, to be produced and then removed
 * (workers/calls/outbox.h). */
typedef void (*store_events_fn)(unsigned shard, struct span entry, struct span packed, void *arg);

/* A reply was lost: what the script may have written to this shard's outbox is nobody's now. */
typedef void (*store_lost_fn)(unsigned shard, void *arg);

int store_new(struct store **store, struct loop *loop, struct redis *redis, const struct settings *settings,
              struct err *err);
void store_free(struct store **store);
/* Who takes the events; set before the first call. */
void store_on_events(struct store *store, store_events_fn fn, store_lost_fn lost, void *arg);

/* Records the number of shards on the first start (`record`; a tool that only reads leaves nothing behind)
 * and compares it later: `fn` gets NULL, or a sentence (exit code 2). Asks again until Redis answers. */
void store_check_shards(struct store *store, bool record, void (*fn)(const char *problem, void *arg),
                        void *arg);

unsigned store_shards(const struct store *store);
unsigned store_shard_of(const struct store *store,
                        struct span id); /* id: "tenant/call_id", or "provider:id" */
/* "{ivr:07}"; lives as long as the store. */
struct span store_shard_key(const struct store *store, unsigned shard);
struct redis *store_redis(const struct store *store);
/* Records and commands without an answer yet. */
size_t store_pending(const struct store *store);

/* Why the status is what it is, as a sentence: of STORE_UNREADABLE, while its callback runs. */
const char *store_why(const struct store *store);
/* Redis takes writes: what it does not know does not exist. Otherwise it may be that it was not let in yet.
 */
bool store_takes(const struct store *store);

/* A fresh claim token: random, unique. */
void calls_token(char out[CALLS_TOKEN_LEN + 1]);

/* ---- requests and claims (request.lua, due.lua, postpone.lua, claim.lua, outcome.lua) ---- */

enum calls_request_what {
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
    struct span
        identity; /* JSON fragment of events: "tenant":…,"campaign":…,"call_id":…,"to":…,"metadata":… */
    struct span request; /* request_add_json() */
    int max_attempts;
    unsigned retry_on;
    const int *delays_s;
    size_t delays_n;
    bool redial_in_doubt;
    int64_t expires_at_ms;
    int64_t recorded_ms; /* the record's timestamp; 0: never too old */
    int64_t not_before_ms;
    struct span token;   /* SPAN_NONE: store only */
    int64_t claim_ms;    /* how long the claim may stay without an outcome */
    int64_t wait_ms;     /* store only: before the first try */
    struct span trace;   /* "traceparent\ntracestate"; SPAN_NONE */
    struct span contact; /* the number whose line the attempt will hold (contact.h); SPAN_NONE: none */
    int64_t hold_ms;     /* at most */
    int64_t lease_ms;    /* store only: it is not offered to others meanwhile */
};

/* A claim: the attempt's number, and the number of the claim itself among those of its call. An attempt's
 * number is used again when its claim is given back, a claim's is not: lines, tickets and locks are named by
 * it. */
struct calls_claimed {
    int attempt;
    int claim_no;
};
/* `claimed` is set with REQUEST_CLAIMED and REQUEST_HALTED, `what` with STORE_OK and STORE_UNACKED. */
typedef void (*calls_request_fn)(enum store_status status, enum calls_request_what what,
                                 struct calls_claimed claimed, void *arg);
void calls_request(struct store *store, const struct calls_request *request, calls_request_fn fn, void *arg);

struct calls_due {
    struct span id;
    struct span channel;
    struct span
        request;   /* empty: nothing to dial, a call that operators paused or cancelled was moved away */
    int attempt;   /* the number that its claim will have */
    int unreached; /* attempts in a row that reached nobody; -1 once one may have been placed */
    int claim_no;  /* of its claim */
};
typedef void (*calls_due_fn)(enum store_status status, const struct calls_due *items, size_t n, void *arg);
/* `again`: an answer was lost; what it offered is offered again before its lease is over (to others too: one
 * of them gets the claim). `suspended`: channels whose calls do not come nearer to their time to give up
 * during this lease. */
struct calls_due_query {
    unsigned shard;
    unsigned limit; /* at most STORE_BATCH */
    int64_t lease_ms;
    int64_t lost_ms;
    const struct span *suspended;
    size_t suspended_n;
};
void calls_due(struct store *store, const struct calls_due_query *asked, calls_due_fn fn, void *arg);

/* Set with STORE_OK and STORE_UNACKED. */
enum calls_claim_what { CLAIM_TAKEN, CLAIM_HALTED, CLAIM_NO, CLAIM_OVER }; /* HALTED: as of a request */
struct calls_claim {
    struct span id;
    struct span token;
    int64_t claim_ms;
    struct span channel;
    struct span provider;
    struct span trace;
    struct span contact; /* as of a request */
    bool line;           /* it holds a line of its channel (queue.h) */
    int64_t hold_ms;     /* both, at most */
};
/* With CLAIM_NO `claimed.claim_no` is that of the claim that has a line of the channel, 0 without. */
typedef void (*calls_claim_fn)(enum store_status status, enum calls_claim_what what,
                               struct calls_claimed claimed, void *arg);
void calls_claim(struct store *store, const struct calls_claim *claim, calls_claim_fn fn, void *arg);

/* Puts a due call off until its calling hours open, at `opening_ms` (wall). Nothing where it does not wait
 * any more or is not due; asked again it changes nothing. */
typedef void (*calls_postpone_fn)(enum store_status status, void *arg);
void calls_postpone(struct store *store, struct span id, int64_t opening_ms, struct span provider,
                    calls_postpone_fn fn, void *arg);

enum calls_outcome_kind {
    OUTCOME_ACCEPTED,
    OUTCOME_REFUSED,
    OUTCOME_REFUSED_NOW,
    OUTCOME_DOUBT,
    OUTCOME_UNREACHED,
    OUTCOME_ELSEWHERE, /* unreached, and another channel is there to be tried at once */
    OUTCOME_BACK,
    OUTCOME_BUSY,  /* as BACK: another call to the number is under way, and its end makes this one due sooner
                    */
    OUTCOME_LISTED /* not sent: the number is on a do-not-call list; the call ends */
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
enum calls_outcome_what { OUTCOME_RECORDED, OUTCOME_LATE, OUTCOME_UNKNOWN };
typedef void (*calls_outcome_fn)(enum store_status status, enum calls_outcome_what what, void *arg);
void calls_outcome(struct store *store, const struct calls_outcome *outcome, calls_outcome_fn fn, void *arg);

/* ---- evidence (evidence.lua, settle.lua) ---- */

enum calls_evidence_what {
    EVIDENCE_RECORDED,
    EVIDENCE_REPEATED,
    EVIDENCE_UNKNOWN,  /* no such call, or no such attempt on this channel */
    EVIDENCE_FOREIGN,  /* the attempt has another id at its provider: it is about another call */
    EVIDENCE_UNPROVED, /* only the provider's id in it can say whose it is: calls_park() knows */
    EVIDENCE_FITS,     /* the same, but the attempt is in doubt and has the number that it says was called:
                          calls_link_inferred() */
};
struct calls_evidence {
    struct span id;
    int attempt;
    struct span channel;
    struct span provider;
    const struct evidence *evidence;
    struct span trace;
    bool unproved; /* `id` and `attempt` stood beside what its signature covers */
};
struct calls_evidence_result {
    enum calls_evidence_what what;
    enum call_status call_status; /* the call's after it */
    bool unlinked; /* reports alone told the provider's id: calls_link() it, nobody else will */
};
typedef void (*calls_evidence_fn)(enum store_status status, const struct calls_evidence_result *told,
                                  void *arg);
void calls_evidence(struct store *store, const struct calls_evidence *evidence, calls_evidence_fn fn,
                    void *arg);

/* Looks at up to `limit` overdue calls of a shard: settles claims whose owner died and attempts without a
 * report, and offers up to `look_ups` silent or doubtful ones to be asked for at their provider. */
enum calls_settled_what { SETTLED_CLAIM_LOST, SETTLED_NO_REPORT, SETTLED_LOOK_UP, SETTLED_FIND };
struct calls_settled {
    struct span id;
    int attempt;
    enum calls_settled_what what;
    struct span channel;          /* SETTLED_LOOK_UP, SETTLED_FIND */
    struct span provider_call_id; /* SETTLED_LOOK_UP */
    struct span request;          /* SETTLED_FIND: as calls_request() took it */
    int64_t placed_ms;            /* SETTLED_FIND: when it was claimed */
};
typedef void (*calls_settle_fn)(enum store_status status, const struct calls_settled *items, size_t n,
                                void *arg);
void calls_settle(struct store *store, unsigned shard, unsigned limit, unsigned look_ups, calls_settle_fn fn,
                  void *arg);

/* ---- provider ids and early callbacks (link.lua, park.lua, parked.lua, unpark.lua) ---- */

struct calls_parked {
    struct span field; /* names the record: "CHANNEL|topic:partition:offset" */
    struct span value; /* as it was parked */
};
/* A provider's call, as a channel knows it: what is linked on one channel says nothing on another. */
struct calls_call {
    struct span provider_id; /* "provider:provider call id" */
    struct span channel;
};

/* Links it to "tenant/call_id/attempt". `parked`: callbacks that came before. */
typedef void (*calls_link_fn)(enum store_status status, const struct calls_parked *parked, size_t n,
                              void *arg);
void calls_link(struct store *store, const struct calls_call *call, struct span ref, calls_link_fn fn,
                void *arg);

/* The same for an id that was inferred (the call fits the attempt, nobody said so): only while it is no other
 * attempt's, on whatever channel. `parked`: NULL when it is. */
void calls_link_inferred(struct store *store, const struct calls_call *call, struct span ref,
                         calls_link_fn fn, void *arg);

/* The reference behind the id, or parked under it until unknown_callback_keep. An id "call:tenant/call_id"
 * parks a callback of a call that Redis does not know, in that call's shard. What may wait is bounded. */
enum calls_park_what {
    PARK_LINKED, /* `ref` is set */
    PARK_PARKED,
    PARK_FULL_ID, /* not parked: as much waits under this id, of its channel, or in all, as may */
    PARK_FULL_CHANNEL,
    PARK_FULL,
};
/* Of one id and channel; of a channel and of all over all shards. About: a shard has its part of them. */
enum {
    CALLS_PARK_ID_N = 32,
    CALLS_PARK_ID_BYTES = 256 * 1024,
    CALLS_PARK_CHANNEL_N = 16 * 1024,
    CALLS_PARK_CHANNEL_BYTES = 16 * 1024 * 1024,
    CALLS_PARK_N = 64 * 1024,
    CALLS_PARK_BYTES = 64 * 1024 * 1024,
};
typedef void (*calls_park_fn)(enum store_status status, enum calls_park_what what, struct span ref,
                              void *arg);
void calls_park(struct store *store, const struct calls_call *call, const struct calls_parked *callback,
                calls_park_fn fn, void *arg);

struct calls_overdue {
    struct span provider_id;
    bool known;                        /* linked by now: put back; otherwise dead letters */
    const struct calls_parked *parked; /* some of them; the others once these are removed */
    size_t n;
};
/* What is overdue is offered to one asker at a time, and again after 30 s when it is still there. `more`:
 * there is more now, or will be once this is removed. */
typedef void (*calls_overdue_fn)(enum store_status status, const struct calls_overdue *items, size_t n,
                                 bool more, void *arg);
void calls_overdue(struct store *store, unsigned shard, calls_overdue_fn fn, void *arg);
/* Forgets one parked callback that is safe elsewhere. No answer: it would be found again. */
void calls_unpark(struct store *store, struct span provider_id, struct span field);

#endif
