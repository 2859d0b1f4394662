#include "workers/dispatch/attempt.h"

#include <assert.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "workers/dispatch/opening.h"
#include "workers/store/dnc.h"
#include "workers/store/parked.h"

enum {
    CONNECT_TIMEOUT_MS = 5000, /* a peer that is not there is known before request_timeout */
    CLAIM_SLACK_MS = 5000,     /* a claim is settled by others request_timeout + this after it was taken
                                  (contract: + 10 s with the sweep) */
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 2000,
    LETTER_AGAIN_MS = 1000,
    AWAY_MS = 1000, /* before a call is offered that could not be dialled because Kafka or Redis is not fit */
    /* Contract: what operators say is effective within a second. So is what the do-not-call lists say. */
    ANSWER_HOLDS_MS = 1000,
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
    size_t due = records / 4 > 8 ? records / 4 : 8;
    d->attempts_n = records + due;
    d->attempts = mem_calloc(d->attempts_n, sizeof(*d->attempts));
    for (size_t i = d->attempts_n; i-- > 0;) {
        struct attempt *a = &d->attempts[i];
        a->dispatch = d;
        a->for_due = i >= records;
        buf_init(&a->id, STORE_MAX_REF + 1);
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
    a->listed = LISTED_NOT_ASKED;
    a->ended = false;
    a->number = 0;
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

static void gate_back(struct attempt *a, enum gate_news news, struct span reason)
{
    struct dispatch *d = a->dispatch;
    if (!a->admitted)
        return;
    a->admitted = false;
    gate_release(d->gates, span_str(a->channel->name), news, reason, loop_mono_ms(d->worker->loop));
    if (a->slot != NULL)
        http_slot_release(d->http, &a->slot);
}

void attempt_end(struct attempt *a)
{
    struct kafka_record *record = a->record;
    gate_back(a, GATE_UNUSED, SPAN_NONE);
    if (a->listed == LISTED_ASKING) {
        a->ended = true;
        return;
    }
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
static void later_backoff(struct attempt *a, void (*again)(struct attempt *))
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
    gate_back(a, GATE_UNUSED, SPAN_NONE);
    a->state = ATTEMPT_LETTER;
    a->letter = reason;
    buf_clear(&a->text);
    buf_addspan(&a->text, detail);
    send_letter(a);
}

/* ---- recording ---- */

static void record(struct attempt *a);

/* A failover forgot the request together with its claim, which was never acted on: the record is all that is
 * left of the call. */
static bool forgotten_unsent(const struct attempt *a, enum store_outcome_what what)
{
    bool unsent = a->verdict.kind == OUTCOME_BACK || a->verdict.kind == OUTCOME_LISTED ||
                  a->verdict.kind == OUTCOME_UNREACHED;
    return what == OUTCOME_UNKNOWN && unsent && a->record != NULL;
}

static void begin_again(struct attempt *a)
{
    a->tries = 0;
    buf_clear(&a->id);
    attempt_begin(a);
}

static void on_recorded(enum store_status status, enum store_outcome_what what, void *arg)
{
    struct attempt *a = arg;
    if (status != STORE_OK) {
        later_backoff(a, record);
        return;
    }
    if (forgotten_unsent(a, what)) {
        LOG_LIMITED(LOG_LEVEL_WARN, "Redis forgot a request with its claim, taking it up again",
                    LOG_SPAN("call", buf_span(&a->id)));
        begin_again(a);
        return;
    }
    if (what != OUTCOME_RECORDED)
        LOG_WARN(what == OUTCOME_LATE ? "outcome came after its claim was settled by others or forgotten"
                                      : "outcome of a call that Redis does not know any more",
                 LOG_SPAN("call", buf_span(&a->id)), LOG_INT("attempt", a->number),
                 LOG_STR("outcome", a->verdict.word));
    attempt_end(a);
}

static void record(struct attempt *a)
{
    const struct store_outcome outcome = {.id = buf_span(&a->id),
                                          .attempt = a->number,
                                          .token = span_str(a->token),
                                          .kind = a->verdict.kind,
                                          .evidence = &a->verdict.evidence,
                                          .wait_ms = a->verdict.wait_ms,
                                          .trace = buf_span(&a->trace),
                                          .channel = span_str(a->channel->name),
                                          .provider = span_str(a->channel->provider->name)};
    a->state = ATTEMPT_RECORDING;
    store_outcome(a->dispatch->worker->store, &outcome, on_recorded, a);
}

/* ---- linking the provider's id, before the outcome counts as recorded ---- */

static void link_id(struct attempt *a);

static void add_provider_id(struct buf *b, const struct attempt *a)
{
    buf_adds(b, a->channel->provider->name);
    buf_addc(b, ':');
    buf_adds(b, a->verdict.evidence.provider_call_id);
}

static void on_linked(enum store_status status, const struct store_parked *parked, size_t n, void *arg)
{
    struct attempt *a = arg;
    if (status != STORE_OK) {
        later_backoff(a, link_id);
        return;
    }
    buf_clear(&a->text);
    add_provider_id(&a->text, a);
    for (size_t i = 0; i < n; i++)
        parked_put_back(a->dispatch->worker, buf_span(&a->text), &parked[i], NULL, NULL);
    record(a);
}

static void link_id(struct attempt *a)
{
    struct buf ref;
    a->state = ATTEMPT_LINKING;
    buf_clear(&a->text);
    add_provider_id(&a->text, a);
    buf_init(&ref, STORE_MAX_REF + 1);
    buf_addspan(&ref, buf_span(&a->id));
    buf_addc(&ref, '/');
    buf_addint(&ref, a->number);
    store_link(a->dispatch->worker->store, buf_span(&a->text), buf_span(&ref), on_linked, a);
    buf_done(&ref);
}

static void conclude(struct attempt *a)
{
    metric_count(M_PLACEMENTS, a->channel->name, a->verdict.word);
    if (a->verdict.evidence.provider_call_id[0] != '\0')
        link_id(a);
    else
        record(a);
}

/* ---- placing ---- */

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct attempt *a = arg;
    judge_reply(a->channel, reply, a->request.from.n > 0, &a->verdict);
    if (a->verdict.suspend)
        gate_back(a, GATE_SUSPENDED, span_str(a->verdict.evidence.reason_detail));
    else
        gate_back(a, reply->outcome == HTTP_REPLY ? GATE_OPEN : GATE_UNUSED, SPAN_NONE);
    metric_observe(metric_series(M_PLACEMENT_SECONDS, a->channel->name, NULL),
                   (double)reply->seconds_us / 1e6);
    if (log_enabled(LOG_LEVEL_DEBUG) || a->verdict.kind == OUTCOME_DOUBT)
        LOG_LIMITED(a->verdict.kind == OUTCOME_DOUBT ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "placement",
                    LOG_SPAN("call", buf_span(&a->id)), LOG_INT("attempt", a->number),
                    LOG_STR("channel", a->channel->name), LOG_STR("outcome", a->verdict.word),
                    LOG_INT("http_status", reply->status), LOG_STR("error", reply->error));
    conclude(a);
}

static void place(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    struct worker *w = d->worker;
    struct err err = ERR_INIT;
    const struct channel *channel = a->channel;
    const struct placement placement = {
        .channel = channel,
        .request = &a->request,
        .from = a->request.from.n > 0 ? a->request.from : span_str(channel->from),
        .attempt = a->number,
        .public_url = span_str(w->settings->public_url),
    };
    a->state = ATTEMPT_PLACING;
    http_request_clear(&d->scratch);
    if (channel->provider->place(&placement, &d->scratch, &err) != 0) {
        judge_unsayable(&err, &a->verdict);
        gate_back(a, GATE_UNUSED, SPAN_NONE);
        conclude(a);
        return;
    }
    d->scratch.once = true;
    const struct http_limits limits = {.timeout_ms = channel->request_timeout_ms,
                                       .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                       .idle_timeout_ms = channel->idle_timeout_ms,
                                       .send_before_mono_ms = a->asked_mono_ms + channel->request_timeout_ms};
    http_send(d->http, &a->slot, &d->scratch, &limits, on_reply, a);
}

static void give_back(struct attempt *a, int64_t wait_ms)
{
    judge_unsent(&a->verdict, wait_ms);
    gate_back(a, GATE_UNUSED, SPAN_NONE);
    conclude(a);
}

/* The claim is ours, and the do-not-call lists have answered. Whoever drains, or lost the partition, hands it
 * on, and what may not be dialled any more is due again to be put off; a send that would be late is refused
 * by common/http too. */
static void go_on(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    bool owned = a->record == NULL || kafka_still_owned(a->record);
    bool fresh = loop_mono_ms(d->worker->loop) - a->asked_mono_ms <= ANSWER_HOLDS_MS;
    if (a->listed == LISTED_YES) {
        judge_listed(&a->verdict);
        gate_back(a, GATE_UNUSED, SPAN_NONE);
        conclude(a);
    } else if (a->listed != LISTED_NO) {
        LOG_LIMITED(LOG_LEVEL_WARN, "the do-not-call lists cannot be read, a call is not dialled for now",
                    LOG_SPAN("call", buf_span(&a->id)));
        give_back(a, AWAY_MS);
    } else if (d->draining || !owned || !fresh || !opening_is_now(a)) {
        give_back(a, 0);
    } else {
        place(a);
    }
}

static void claimed(struct attempt *a, int number)
{
    a->number = number;
    a->tries = 0;
    a->state = ATTEMPT_CLAIMED;
    if (a->listed != LISTED_ASKING)
        go_on(a);
}

/* ---- the do-not-call lists ---- */

static void ask_lists(struct attempt *a);

/* While the worker leaves, its other parts may be gone: then nothing but the same question. */
static void on_listed(enum store_status status, bool listed, void *arg)
{
    struct attempt *a = arg;
    a->listed = status != STORE_OK ? LISTED_UNREAD : listed ? LISTED_YES : LISTED_NO;
    if (a->ended)
        attempt_end(a);
    else if (a->state == ATTEMPT_CLAIMED && status != STORE_OK && a->dispatch->draining)
        later_backoff(a, ask_lists);
    else if (a->state == ATTEMPT_CLAIMED)
        go_on(a);
}

static void ask_lists(struct attempt *a)
{
    a->listed = LISTED_ASKING;
    dnc_look(a->dispatch->worker->store, a->request.tenant, a->request.to, on_listed, a);
}

/* ---- claiming ---- */

static void admit(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    if (d->away)
        a->wait_ms = AWAY_MS;
    else
        a->admitted = !d->draining && gate_admit(d->gates, span_str(a->channel->name),
                                                 loop_mono_ms(d->worker->loop), &a->wait_ms);
    if (!a->admitted)
        return;
    a->slot = http_slot_take(d->http);
    assert(a->slot != NULL); /* there are as many as attempts */
    store_token(a->token);
    a->asked_mono_ms = loop_mono_ms(d->worker->loop);
    if (a->listed != LISTED_ASKING)
        ask_lists(a);
}

/* Too few replicas have the claim, so a failover could forget it; or operators halted the call meanwhile:
 * nothing is sent under it. */
static bool claimed_in_vain(struct attempt *a, enum store_status status, bool taken, bool halted, int number)
{
    bool unsafe = status == STORE_UNACKED && (taken || halted);
    if (!unsafe && !(status == STORE_OK && halted))
        return false;
    a->number = number;
    a->tries = 0;
    give_back(a, unsafe ? AWAY_MS : 0);
    return true;
}

static void ask_request(struct attempt *a);

static void on_request(enum store_status status, enum store_request_what what, int number, void *arg)
{
    static const char *const words[] = {
        [REQUEST_CLAIMED] = "stored",      [REQUEST_HALTED] = "stored",     [REQUEST_STORED] = "stored",
        [REQUEST_DUPLICATE] = "duplicate", [REQUEST_CONFLICT] = "conflict", [REQUEST_TOO_OLD] = "too_old",
        [REQUEST_DROPPED] = "dropped"};
    struct attempt *a = arg;
    if (claimed_in_vain(a, status, what == REQUEST_CLAIMED, what == REQUEST_HALTED, number))
        return;
    if (status != STORE_OK) {
        later_backoff(a, ask_request);
        return;
    }
    metric_count(M_REQUESTS, words[what], NULL);
    switch (what) {
    case REQUEST_CLAIMED:
    case REQUEST_HALTED: /* given back above */
        claimed(a, number);
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
    case REQUEST_DUPLICATE:
    case REQUEST_DROPPED:
        attempt_end(a);
        return;
    }
}

/* What every event of the call repeats; written once, so that events are the same whoever renders them. */
static void add_identity(struct buf *b, const struct attempt *a)
{
    const struct settings *s = a->dispatch->worker->settings;
    const struct request *r = &a->request;
    buf_adds(b, "\"tenant\":");
    json_str(b, r->tenant);
    buf_adds(b, ",\"campaign\":");
    json_str(b, r->campaign);
    buf_adds(b, ",\"call_id\":");
    json_str(b, r->call_id);
    buf_adds(b, ",\"to\":\"");
    phone_add_shown(b, r->to, s->pii, span_str(s->pii_key));
    buf_adds(b, "\",\"metadata\":");
    buf_addspan(b, r->metadata.n > 0 ? r->metadata : SPAN_LIT("{}"));
}

/* Identity, campaign key and request text stand one after the other in a->text. */
static void ask_request(struct attempt *a)
{
    const struct request *r = &a->request;
    struct buf *b = &a->text;
    buf_clear(b);
    add_identity(b, a);
    size_t identity = b->n;
    buf_addspan(b, r->tenant);
    buf_addc(b, '/');
    buf_addspan(b, r->campaign);
    size_t campaign = b->n;
    request_add_json(b, r);
    const struct store_request request = {
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
        .expires_at_ms = r->expires_at_ms,
        .recorded_ms = a->record->timestamp_ms,
        .not_before_ms = a->not_before_ms,
        .token = a->admitted ? span_str(a->token) : SPAN_NONE,
        .claim_ms = a->channel->request_timeout_ms + CLAIM_SLACK_MS,
        .wait_ms = a->wait_ms,
        .trace = buf_span(&a->trace),
    };
    a->state = ATTEMPT_CLAIMING;
    store_request(a->dispatch->worker->store, &request, on_request, a);
}

void attempt_begin(struct attempt *a)
{
    buf_addspan(&a->id, a->request.tenant);
    buf_addc(&a->id, '/');
    buf_addspan(&a->id, a->request.call_id);
    a->not_before_ms = opening_not_before_ms(a);
    if (a->not_before_ms <= loop_wall_ms(a->dispatch->worker->loop))
        admit(a);
    ask_request(a);
}

static void ask_claim(struct attempt *a);

static void on_claim(enum store_status status, enum store_claim_what what, int number, void *arg)
{
    struct attempt *a = arg;
    if (claimed_in_vain(a, status, what == CLAIM_TAKEN, what == CLAIM_HALTED, number))
        return;
    if (status != STORE_OK) {
        later_backoff(a, ask_claim);
        return;
    }
    if (what == CLAIM_TAKEN)
        claimed(a, number);
    else
        attempt_end(a);
}

static void ask_claim(struct attempt *a)
{
    const struct store_claim claim = {.id = buf_span(&a->id),
                                      .token = span_str(a->token),
                                      .claim_ms = a->channel->request_timeout_ms + CLAIM_SLACK_MS,
                                      .channel = span_str(a->channel->name),
                                      .provider = span_str(a->channel->provider->name),
                                      .trace = buf_span(&a->trace)};
    a->state = ATTEMPT_CLAIMING;
    store_claim(a->dispatch->worker->store, &claim, on_claim, a);
}

void attempt_begin_due(struct attempt *a)
{
    if (!opening_is_now(a)) {
        opening_wait(a);
        return;
    }
    admit(a);
    if (a->admitted)
        ask_claim(a);
    else
        attempt_end(a);
}
