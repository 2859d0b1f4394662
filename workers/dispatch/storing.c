#include "workers/dispatch/storing.h"

#include "common/run/metrics.h"
#include "workers/calls/identity.h"
#include "workers/calls/requests.h"
#include "workers/dispatch/claiming.h"
#include "workers/dispatch/dead_letter.h"
#include "workers/dispatch/opening.h"
#include "workers/dispatch/queues.h"
#include "workers/dispatch/turn.h"

static void ask_request(struct attempt *a);

static void take_answer(struct attempt *a, enum calls_request_what what, struct calls_claimed claim)
{
    static const char *const words[] = {
        [REQUEST_CLAIMED] = "stored",      [REQUEST_HALTED] = "stored",     [REQUEST_STORED] = "stored",
        [REQUEST_DUPLICATE] = "duplicate", [REQUEST_CONFLICT] = "conflict", [REQUEST_TOO_OLD] = "too_old",
        [REQUEST_DROPPED] = "dropped"};
    metric_count(M_REQUESTS, words[what], NULL);
    switch (what) {
    case REQUEST_CLAIMED:
    case REQUEST_HALTED: /* never here: claiming_in_vain() gave it back */
        claiming_taken(a, claim);
        return;
    case REQUEST_CONFLICT:
        dead_letter_send(
            a, "conflict",
            SPAN_LIT("call_id: this tenant has used it before for a request with other content; expected "
                     "the same content or a new call_id"));
        return;
    case REQUEST_TOO_OLD:
        dead_letter_send(
            a, "too_old",
            SPAN_LIT("the record is older than IVR_RETENTION and Redis does not know its call: it may have "
                     "been dialled before; send it again under a new call_id"));
        return;
    case REQUEST_STORED:
        if (a->counts_as_storing)
            turn_queue(a);
        else
            attempt_end(a);
        return;
    case REQUEST_DUPLICATE:
    case REQUEST_DROPPED:
    case REQUEST_NOTHING: /* never here: asked again */
        attempt_end(a);
        return;
    }
}

static void on_request(enum store_status status, enum calls_request_what what, struct calls_claimed claim,
                       void *arg)
{
    struct attempt *a = arg;
    const struct claiming_answer answer = {
        .status = status, .taken = what == REQUEST_CLAIMED, .halted = what == REQUEST_HALTED, .claim = claim};
    if (claiming_in_vain(a, &answer))
        return;
    if (status == STORE_UNREADABLE) {
        dead_letter_unreadable(a);
        return;
    }
    if (status != STORE_OK || what == REQUEST_NOTHING) {
        attempt_again(a, ask_request);
        return;
    }
    take_answer(a, what, claim);
}

/* Identity, campaign key and request text stand one after the other in a->text. */
static void ask_request(struct attempt *a)
{
    const struct request *r = &a->request;
    struct buf *b = &a->text;
    buf_clear(b);
    identity_add(b, r);
    size_t identity = b->n;
    buf_addspan(b, r->tenant);
    buf_addc(b, '/');
    buf_addspan(b, r->campaign);
    size_t campaign = b->n;
    request_add_json(b, r);
    const struct calls_request request = {
        .id = attempt_id(a),
        .fingerprint = span_of((const char *)r->fingerprint, sizeof(r->fingerprint)),
        .campaign = span_of(b->p + identity, campaign - identity),
        .channel = span_str(a->channel->name),
        .provider = span_str(a->channel->provider->name),
        .identity = span_of(b->p, identity),
        .request = span_of(b->p + campaign, b->n - campaign),
        .max_attempts = r->max_attempts,
        .retry_on = r->retry_on,
        .delays_s = r->delays_s,
        .delays_n = r->delays_n,
        .redial_in_doubt = r->redial_in_doubt,
        .priority = r->priority,
        .expires_at_ms = r->expires_at_ms,
        .recorded_ms = a->record->timestamp_ms,
        .not_before_ms = a->not_before_ms,
        .token = a->admitted ? span_str(a->token) : SPAN_NONE,
        .claim_ms = claiming_ms(a),
        .wait_ms = a->wait_ms,
        .trace = buf_span(&a->trace),
        .contact = claiming_contact(a),
        .hold_ms = attempt_hold_ms(a),
        .lease_ms = a->counts_as_storing ? ATTEMPT_LEASE_MS : 0,
    };
    attempt_enter(a, ATTEMPT_CLAIMING);
    calls_request(a->dispatch->worker->store, &request, on_request, a);
}

static void name_call(struct attempt *a)
{
    struct buf *id = &a->ticket.id;
    buf_clear(id);
    buf_addspan(id, a->request.tenant);
    buf_addc(id, '/');
    buf_addspan(id, a->request.call_id);
    a->ticket.claim_no = 1;
    a->ticket.priority = a->request.priority;
}

void storing_begin(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    a->start = storing_begin;
    a->tries = 0;
    a->ticket.claimed_mono_ms = 0;
    attempt_uncount_storing(a);
    name_call(a);
    a->not_before_ms = opening_not_before_ms(a);
    bool now = a->not_before_ms <= loop_wall_ms(d->worker->loop);
    if (now && queues_makes_wait(d, a->channel, a->request.tenant))
        attempt_count_storing(a);
    else if (now)
        claiming_admit(a);
    ask_request(a);
}
