#include "workers/dispatch/attempt.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/identity.h"
#include "workers/calls/look.h"
#include "workers/calls/requests.h"
#include "workers/channel/queue.h"
#include "workers/contact/contact.h"
#include "workers/dispatch/lane.h"
#include "workers/dispatch/opening.h"
#include "workers/dispatch/placing.h"

enum {
    CLAIM_SLACK_MS = 5000, /* a claim is settled by others request_timeout + this after it was taken
                              (contract: + 10 s with the sweep) */
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 2000,
    LETTER_AGAIN_MS = 1000,
    /* Calls that will wait anyway do not stand before those whose send time has come: at the most so many of
     * them are on their way into Redis, a few milliseconds of its time. */
    STORING_MAX = 64,
    BUF_MAX = 256 * 1024,
};

/* ---- the pool ---- */

static void free_push(struct attempt *a)
{
    struct attempt **list = a->for_due ? &a->dispatch->free_for_due : &a->dispatch->free_for_records;
    a->state = ATTEMPT_FREE;
    a->next = *list;
    *list = a;
    a->dispatch->due_free += a->for_due;
}

void attempts_init(struct dispatch *d)
{
    size_t records = (size_t)d->worker->settings->max_in_flight;
    size_t due = records / 2 > 8 ? records / 2 : 8;
    d->attempts_n = records + due;
    d->attempts = mem_calloc(d->attempts_n, sizeof(*d->attempts));
    for (size_t i = d->attempts_n; i-- > 0;) {
        struct attempt *a = &d->attempts[i];
        a->dispatch = d;
        a->for_due = i >= records;
        buf_init(&a->id, CALLS_MAX_REF + 1);
        buf_init(&a->trace, 2048);
        buf_init(&a->text, BUF_MAX);
        free_push(a);
    }
}

void attempts_done(struct dispatch *d)
{
    for (size_t i = 0; i < d->attempts_n; i++) {
        struct attempt *a = &d->attempts[i];
        if (a->timer != NULL)
            loop_timer_stop(&a->timer);
        if (a->state != ATTEMPT_FREE)
            request_done(&a->request);
        if (a->channel != NULL)
            channel_unref(&a->channel);
        buf_done(&a->id);
        buf_done(&a->trace);
        buf_done(&a->text);
    }
    free(d->attempts);
}

struct attempt *attempt_take(struct dispatch *d, bool for_due)
{
    struct attempt **list = for_due ? &d->free_for_due : &d->free_for_records;
    struct attempt *a = *list;
    if (a == NULL)
        return NULL;
    *list = a->next;
    d->due_free -= for_due;
    d->busy++;
    a->state = ATTEMPT_PARSED;
    a->record = NULL;
    a->admitted = false;
    a->queues = a->claimed = false;
    a->number = a->unreached = a->claim_no = 0;
    a->lane = NULL;
    a->slot_mono_ms = a->line_ms = 0;
    a->trial = NULL;
    a->tries = 0;
    a->wait_ms = 0;
    a->not_before_ms = 0;
    a->again = NULL;
    memset(&a->request, 0, sizeof(a->request));
    buf_clear(&a->id);
    buf_clear(&a->trace);
    buf_clear(&a->text);
    return a;
}

static void storing_began(struct attempt *a)
{
    a->queues = true;
    if (++a->dispatch->storing >= STORING_MAX)
        kafka_pause(a->dispatch->consumer, WHY_STORING);
}

static void storing_ended(struct attempt *a)
{
    if (!a->queues)
        return;
    a->queues = false;
    if (--a->dispatch->storing <= STORING_MAX / 2)
        kafka_resume(a->dispatch->consumer, WHY_STORING);
}

void attempt_end(struct attempt *a)
{
    struct kafka_record *record = a->record;
    lane_end(a, LANE_DROPPED);
    lane_trial_over(a);
    if (a->slot != NULL)
        http_slot_release(a->dispatch->http, &a->slot);
    storing_ended(a);
    request_done(&a->request);
    if (a->channel != NULL)
        channel_unref(&a->channel);
    a->dispatch->busy--;
    free_push(a);
    if (record != NULL)
        kafka_done(&record); /* last: the next record may come at once and wants the place */
}

/* ---- asking again ---- */

static void ask_again(void *arg)
{
    struct attempt *a = arg;
    loop_timer_stop(&a->timer);
    a->again(a);
}

static void later(struct attempt *a, void (*again)(struct attempt *), int64_t wait_ms)
{
    a->again = again;
    a->timer = loop_timer_start(a->dispatch->worker->loop, wait_ms, 0, ask_again, a);
}

/* Redis did not confirm. Nothing was lost: the same question again, with backoff. */
void attempt_again(struct attempt *a, void (*again)(struct attempt *))
{
    int64_t wait = RETRY_FIRST_MS << (a->tries < 5 ? a->tries : 5);
    a->tries++;
    later(a, again, wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

/* ---- dead letters ---- */

static void send_letter(struct attempt *a);

static void on_letter(const char *error, void *arg)
{
    struct attempt *a = arg;
    if (error != NULL) {
        later(a, send_letter, LETTER_AGAIN_MS);
        return;
    }
    attempt_end(a);
}

static void send_letter(struct attempt *a)
{
    worker_dead_letter(a->dispatch->worker, a->record, a->letter, buf_span(&a->text), on_letter, a);
}

void attempt_dead_letter(struct attempt *a, const char *reason, struct span detail)
{
    a->state = ATTEMPT_LETTER;
    a->letter = reason;
    buf_clear(&a->text);
    buf_addspan(&a->text, detail);
    send_letter(a);
}

/* A call that was due has no record to tell it by: the log and a metric do (store_unreadable). */
void attempt_unreadable(struct attempt *a)
{
    if (a->record != NULL)
        attempt_dead_letter(a, "unreadable_call", span_str(store_why(a->dispatch->worker->store)));
    else
        attempt_end(a);
}

int64_t attempt_hold_ms(const struct attempt *a)
{
    return ((int64_t)a->request.ring_timeout_s + a->request.time_limit_s + 60) * 1000;
}

/* ---- may the contact be called ---- */

static void ask_contact(struct attempt *a);

/* Whoever drains, or lost the partition, hands the call on, and what may not be dialled any more is due again
 * to be put off; a send that would be late is refused by common/http too. */
static void go_on(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    struct lane *lane = lane_of(d->lanes, a->channel);
    int64_t now_mono_ms = loop_mono_ms(d->worker->loop), late_ms = lane_late_ms(lane);
    bool owned = a->record == NULL || kafka_still_owned(a->record);
    bool fresh = now_mono_ms - a->asked_mono_ms <= ATTEMPT_ANSWER_HOLDS_MS;
    if (d->draining || !owned || !fresh || !opening_is_now(a))
        placing_give_back(a, 0);
    else if (a->slot_mono_ms > 0 && late_ms > 0 && now_mono_ms - a->slot_mono_ms > late_ms)
        lane_ready_again(lane, a); /* too late for its send time */
    else
        placing_send(a);
}

static void on_contact(enum store_status status, enum contact_what what, void *arg)
{
    struct attempt *a = arg;
    if (status == STORE_OK && what == CONTACT_LISTED) {
        placing_listed(a);
    } else if (status == STORE_OK && what == CONTACT_BUSY) {
        placing_busy(a);
    } else if (status == STORE_OK && what == CONTACT_FREE) {
        go_on(a);
    } else {
        LOG_LIMITED(LOG_LEVEL_WARN, "the do-not-call lists cannot be read, a call is not dialled for now",
                    LOG_SPAN("call", buf_span(&a->id)));
        placing_give_back(a, ATTEMPT_AWAY_MS);
    }
}

static void ask_contact(struct attempt *a)
{
    const struct contact contact = {.tenant = a->request.tenant,
                                    .number = a->request.to,
                                    .channel = span_str(a->channel->name),
                                    .one_at_a_time = a->channel->one_call_per_number,
                                    .id = buf_span(&a->id),
                                    .claim_no = a->claim_no,
                                    .hold_ms = attempt_hold_ms(a)};
    a->state = ATTEMPT_ASKING;
    contact_ask(a->dispatch->worker->store, &contact, on_contact, a);
}

static void claimed(struct attempt *a, struct calls_claimed claim)
{
    a->number = claim.attempt;
    a->claim_no = claim.claim_no;
    a->tries = 0;
    a->claimed = true;
    lane_end(a, LANE_CLAIMED);
    ask_contact(a);
}

/* ---- claiming ---- */

static struct span contact_of(const struct attempt *a)
{
    return a->channel->one_call_per_number ? a->request.to : SPAN_NONE;
}

static void admit(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    a->admitted = !d->away && !d->draining;
    a->wait_ms = d->away ? ATTEMPT_AWAY_MS : 0;
    if (!a->admitted)
        return;
    a->slot = http_slot_take(d->http);
    assert(a->slot != NULL); /* there are as many as attempts */
    calls_token(a->token);
    a->epoch = lane_epoch(lane_of(d->lanes, a->channel));
    a->asked_mono_ms = loop_mono_ms(d->worker->loop);
}

/* Too few replicas have the claim, so a failover could forget it; or operators halted the call meanwhile:
 * nothing is sent under it. */
static bool claimed_in_vain(struct attempt *a, enum store_status status, bool taken, bool halted,
                            struct calls_claimed claim)
{
    bool unsafe = status == STORE_UNACKED && (taken || halted);
    if (!unsafe && !(status == STORE_OK && halted))
        return false;
    a->number = claim.attempt;
    a->claim_no = claim.claim_no;
    a->tries = 0;
    lane_end(a, LANE_CLAIMED);
    placing_give_back(a, unsafe ? ATTEMPT_AWAY_MS : 0);
    return true;
}

static void ask_request(struct attempt *a);
static void to_queue(struct attempt *a);

static void on_request(enum store_status status, enum calls_request_what what, struct calls_claimed claim,
                       void *arg)
{
    static const char *const words[] = {
        [REQUEST_CLAIMED] = "stored",      [REQUEST_HALTED] = "stored",     [REQUEST_STORED] = "stored",
        [REQUEST_DUPLICATE] = "duplicate", [REQUEST_CONFLICT] = "conflict", [REQUEST_TOO_OLD] = "too_old",
        [REQUEST_DROPPED] = "dropped"};
    struct attempt *a = arg;
    if (claimed_in_vain(a, status, what == REQUEST_CLAIMED, what == REQUEST_HALTED, claim))
        return;
    if (status == STORE_UNREADABLE) {
        attempt_unreadable(a);
        return;
    }
    if (status != STORE_OK) {
        attempt_again(a, ask_request);
        return;
    }
    if (what == REQUEST_NOTHING) {
        attempt_again(a, ask_request);
        return;
    }
    metric_count(M_REQUESTS, words[what], NULL);
    switch (what) {
    case REQUEST_NOTHING: /* asked again above */
    case REQUEST_CLAIMED:
    case REQUEST_HALTED: /* given back above */
        claimed(a, claim);
        return;
    case REQUEST_CONFLICT:
        attempt_dead_letter(
            a, "conflict",
            SPAN_LIT("call_id: this tenant has used it before for a request with other content; expected "
                     "the same content or a new call_id"));
        return;
    case REQUEST_TOO_OLD:
        attempt_dead_letter(
            a, "too_old",
            SPAN_LIT("the record is older than IVR_RETENTION and Redis does not know its call: it may have "
                     "been dialled before; send it again under a new call_id"));
        return;
    case REQUEST_STORED:
        if (a->queues)
            to_queue(a);
        else
            attempt_end(a);
        return;
    case REQUEST_DUPLICATE:
    case REQUEST_DROPPED:
        attempt_end(a);
        return;
    }
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
        .id = buf_span(&a->id),
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
        .claim_ms = a->channel->request_timeout_ms + CLAIM_SLACK_MS,
        .wait_ms = a->wait_ms,
        .trace = buf_span(&a->trace),
        .contact = contact_of(a),
        .hold_ms = attempt_hold_ms(a),
        .lease_ms = a->queues ? ATTEMPT_LEASE_MS : 0,
    };
    a->state = ATTEMPT_CLAIMING;
    calls_request(a->dispatch->worker->store, &request, on_request, a);
}

void attempt_begin(struct attempt *a)
{
    buf_addspan(&a->id, a->request.tenant);
    buf_addc(&a->id, '/');
    buf_addspan(&a->id, a->request.call_id);
    a->claim_no = 1;
    a->not_before_ms = opening_not_before_ms(a);
    bool now = a->not_before_ms <= loop_wall_ms(a->dispatch->worker->loop);
    if (now && lane_queues(lane_of(a->dispatch->lanes, a->channel), a->request.tenant))
        storing_began(a);
    else if (now)
        admit(a);
    ask_request(a);
}

void attempt_begin_again(struct attempt *a)
{
    a->tries = 0;
    a->claimed = false;
    storing_ended(a);
    buf_clear(&a->id);
    attempt_begin(a);
}

/* ---- the channel's queue ---- */

static void to_queue(struct attempt *a)
{
    a->state = ATTEMPT_QUEUEING;
    a->tries = 0;
    lane_queue(lane_of(a->dispatch->lanes, a->channel), a);
}

static void on_deferred(enum store_status status, void *arg)
{
    (void)status; /* not confirmed: it is offered again after its lease, and has its ticket by then */
    attempt_end(arg);
}

/* What may go elsewhere, and whose time to give up runs, is looked at more often. */
void attempt_queued(struct attempt *a)
{
    if (a->unreached > 0 || a->channel->fallback[0] != NULL)
        attempt_end(a);
    else
        calls_defer(a->dispatch->worker->store, buf_span(&a->id), QUEUE_DEFER_MS, on_deferred, a);
}

void attempt_no_slot(struct attempt *a)
{
    if (a->claimed) {
        placing_give_back(a, 0);
        return;
    }
    lane_end(a, LANE_BACK);
    attempt_end(a);
}

static void ask_claim(struct attempt *a);

static void on_claim(enum store_status status, enum calls_claim_what what, struct calls_claimed got,
                     void *arg)
{
    struct attempt *a = arg;
    if (claimed_in_vain(a, status, what == CLAIM_TAKEN, what == CLAIM_HALTED, got))
        return;
    if (status == STORE_UNREADABLE) {
        attempt_unreadable(a);
        return;
    }
    if (status != STORE_OK) {
        attempt_again(a, ask_claim);
        return;
    }
    if (what == CLAIM_TAKEN) {
        claimed(a, got);
        return;
    }
    if (what == CLAIM_NO && got.claim_no == a->claim_no)
        lane_end(a, LANE_UNDER_WAY);
    attempt_end(a);
}

static void ask_claim(struct attempt *a)
{
    const struct calls_claim claim = {.id = buf_span(&a->id),
                                      .token = span_str(a->token),
                                      .claim_ms = a->channel->request_timeout_ms + CLAIM_SLACK_MS,
                                      .channel = span_str(a->channel->name),
                                      .provider = span_str(a->channel->provider->name),
                                      .trace = buf_span(&a->trace),
                                      .contact = contact_of(a),
                                      .line = a->lane != NULL && lane_has_lines(a->lane, a->request.tenant),
                                      .hold_ms = attempt_hold_ms(a)};
    a->state = ATTEMPT_CLAIMING;
    calls_claim(a->dispatch->worker->store, &claim, on_claim, a);
}

static void claim(struct attempt *a)
{
    admit(a);
    if (a->admitted) {
        ask_claim(a);
        return;
    }
    lane_end(a, LANE_BACK);
    attempt_end(a);
}

void attempt_begin_due(struct attempt *a)
{
    if (!opening_is_now(a))
        opening_wait(a);
    else if (lane_queues(lane_of(a->dispatch->lanes, a->channel), a->request.tenant))
        to_queue(a);
    else
        claim(a);
}

void attempt_go(struct attempt *a)
{
    if (a->claimed) {
        a->epoch = lane_epoch(lane_of(a->dispatch->lanes, a->channel));
        go_on(a);
    } else if (lane_in_hand(a)) {
        claim(a);
    } else {
        a->lane = NULL;
        attempt_end(a);
    }
}
