#include "workers/dispatch/recording.h"

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/claims.h"
#include "workers/calls/links.h"
#include "workers/channel/channel_queue.h"
#include "workers/dispatch/dead_letter.h"
#include "workers/dispatch/route.h"
#include "workers/program/parked_out.h"

/* ---- the outcome ---- */

static void record(struct attempt *a);

/* A failover forgot the request together with its claim, which was never acted on: the record is all that is
 * left of the call. */
static bool forgotten_unsent(const struct attempt *a, enum calls_outcome_what what)
{
    bool sent = a->verdict.kind == OUTCOME_ACCEPTED || a->verdict.kind == OUTCOME_REFUSED ||
                a->verdict.kind == OUTCOME_REFUSED_NOW || a->verdict.kind == OUTCOME_DOUBT;
    return what == OUTCOME_UNKNOWN && !sent && a->start != NULL;
}

static void on_recorded(enum store_status status, enum calls_outcome_what what, void *arg)
{
    struct attempt *a = arg;
    if (status == STORE_UNREADABLE) {
        LOG_ERROR("the outcome of a placement cannot be recorded, its call cannot be read in Redis",
                  LOG_SPAN("call", attempt_id(a)), LOG_INT("attempt", a->number),
                  LOG_STR("outcome", a->verdict.word));
        dead_letter_unreadable(a);
        return;
    }
    if (status != STORE_OK) {
        attempt_again(a, record);
        return;
    }
    if (forgotten_unsent(a, what)) {
        LOG_LIMITED(LOG_LEVEL_WARN, "Redis forgot a request with its claim, taking it up again",
                    LOG_SPAN("call", attempt_id(a)));
        a->start(a);
        return;
    }
    if (what != OUTCOME_RECORDED)
        LOG_WARN(what == OUTCOME_LATE ? "outcome came after its claim was settled by others or forgotten"
                                      : "outcome of a call that Redis does not know any more",
                 LOG_SPAN("call", attempt_id(a)), LOG_INT("attempt", a->number),
                 LOG_STR("outcome", a->verdict.word));
    attempt_end(a);
}

static void record(struct attempt *a)
{
    const struct calls_outcome outcome = {.id = attempt_id(a),
                                          .attempt = a->number,
                                          .token = span_str(a->token),
                                          .kind = a->verdict.kind,
                                          .evidence = &a->verdict.evidence,
                                          .wait_ms = a->verdict.wait_ms,
                                          .trace = buf_span(&a->trace),
                                          .channel = span_str(a->channel->name),
                                          .provider = span_str(a->channel->provider->name)};
    attempt_enter(a, ATTEMPT_RECORDING);
    calls_outcome(a->dispatch->worker->store, &outcome, on_recorded, a);
}

/* ---- the provider's id ---- */

static void link_id(struct attempt *a);

static void add_provider_id(struct buf *b, const struct attempt *a)
{
    buf_adds(b, a->channel->provider->name);
    buf_addc(b, ':');
    buf_adds(b, a->verdict.evidence.provider_call_id);
}

static void on_linked(enum store_status status, const struct calls_parked *parked, size_t n, void *arg)
{
    struct attempt *a = arg;
    if (status != STORE_OK) {
        attempt_again(a, link_id);
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
    attempt_enter(a, ATTEMPT_LINKING);
    buf_clear(&a->text);
    add_provider_id(&a->text, a);
    buf_init(&ref, CALLS_MAX_REF + 1);
    buf_addspan(&ref, attempt_id(a));
    buf_addc(&ref, '/');
    buf_addint(&ref, a->number);
    const struct calls_call call = {buf_span(&a->text), span_str(a->channel->name)};
    calls_link(a->dispatch->worker->store, &call, buf_span(&ref), on_linked, a);
    buf_done(&ref);
}

/* ---- both ---- */

static void release(struct attempt *a)
{
    a->admitted = false;
    channel_queue_end_trial(&a->ticket);
    if (a->slot != NULL)
        http_slot_release(a->dispatch->http, &a->slot);
}

void recording_begin(struct attempt *a)
{
    release(a);
    a->tries = 0;
    if (a->verdict.kind == OUTCOME_UNREACHED && route_has_elsewhere(a))
        a->verdict.kind = OUTCOME_ELSEWHERE;
    metric_count(M_PLACEMENTS, a->channel->name, a->verdict.word);
    if (a->verdict.evidence.provider_call_id[0] != '\0')
        link_id(a);
    else
        record(a);
}
