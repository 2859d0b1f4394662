#include "workers/dispatch/placing.h"

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/claims.h"
#include "workers/calls/links.h"
#include "workers/dispatch/lane.h"
#include "workers/dispatch/route.h"
#include "workers/program/parked_out.h"

/* ---- recording ---- */

static void record(struct attempt *a);

/* A failover forgot the request together with its claim, which was never acted on: the record is all that is
 * left of the call. */
static bool forgotten_unsent(const struct attempt *a, enum calls_outcome_what what)
{
    bool sent = a->verdict.kind == OUTCOME_ACCEPTED || a->verdict.kind == OUTCOME_REFUSED ||
                a->verdict.kind == OUTCOME_REFUSED_NOW || a->verdict.kind == OUTCOME_DOUBT;
    return what == OUTCOME_UNKNOWN && !sent && a->record != NULL;
}

static void on_recorded(enum store_status status, enum calls_outcome_what what, void *arg)
{
    struct attempt *a = arg;
    if (status == STORE_UNREADABLE) {
        LOG_ERROR("the outcome of a placement cannot be recorded, its call cannot be read in Redis",
                  LOG_SPAN("call", buf_span(&a->id)), LOG_INT("attempt", a->number),
                  LOG_STR("outcome", a->verdict.word));
        attempt_unreadable(a);
        return;
    }
    if (status != STORE_OK) {
        attempt_again(a, record);
        return;
    }
    if (forgotten_unsent(a, what)) {
        LOG_LIMITED(LOG_LEVEL_WARN, "Redis forgot a request with its claim, taking it up again",
                    LOG_SPAN("call", buf_span(&a->id)));
        attempt_begin_again(a);
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
    const struct calls_outcome outcome = {.id = buf_span(&a->id),
                                          .attempt = a->number,
                                          .token = span_str(a->token),
                                          .kind = a->verdict.kind,
                                          .evidence = &a->verdict.evidence,
                                          .wait_ms = a->verdict.wait_ms,
                                          .trace = buf_span(&a->trace),
                                          .channel = span_str(a->channel->name),
                                          .provider = span_str(a->channel->provider->name)};
    a->state = ATTEMPT_RECORDING;
    calls_outcome(a->dispatch->worker->store, &outcome, on_recorded, a);
}

/* ---- linking the provider's id, before the outcome counts as recorded ---- */

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
    a->state = ATTEMPT_LINKING;
    buf_clear(&a->text);
    add_provider_id(&a->text, a);
    buf_init(&ref, CALLS_MAX_REF + 1);
    buf_addspan(&ref, buf_span(&a->id));
    buf_addc(&ref, '/');
    buf_addint(&ref, a->number);
    const struct calls_call call = {buf_span(&a->text), span_str(a->channel->name)};
    calls_link(a->dispatch->worker->store, &call, buf_span(&ref), on_linked, a);
    buf_done(&ref);
}

/* The transfer slot is free, and the channel hears what the provider said. */
static void over(struct attempt *a)
{
    a->admitted = false;
    lane_trial_over(a);
    if (a->slot != NULL)
        http_slot_release(a->dispatch->http, &a->slot);
}

static void conclude(struct attempt *a)
{
    over(a);
    a->tries = 0;
    if (a->verdict.kind == OUTCOME_UNREACHED && route_has_elsewhere(a))
        a->verdict.kind = OUTCOME_ELSEWHERE;
    metric_count(M_PLACEMENTS, a->channel->name, a->verdict.word);
    if (a->verdict.evidence.provider_call_id[0] != '\0')
        link_id(a);
    else
        record(a);
}

void placing_give_back(struct attempt *a, int64_t wait_ms)
{
    judge_unsent(&a->verdict, wait_ms);
    conclude(a);
}

void placing_listed(struct attempt *a)
{
    judge_listed(&a->verdict);
    conclude(a);
}

void placing_busy(struct attempt *a)
{
    judge_busy(&a->verdict);
    conclude(a);
}

/* ---- placing ---- */

static void tell_lane(struct attempt *a, const struct http_reply *reply)
{
    struct lane *lane = lane_of(a->dispatch->lanes, a->channel);
    int64_t late_ms = lane_late_ms(lane);
    if (a->verdict.suspend)
        lane_heard(a, LANE_SUSPENDED);
    else if (a->verdict.kind == OUTCOME_DOUBT)
        lane_heard(a, LANE_DOUBTFUL);
    else if (a->verdict.kind == OUTCOME_UNREACHED)
        lane_heard(a, LANE_UNREACHED);
    else if (reply->outcome == HTTP_REPLY)
        lane_heard(a, a->verdict.kind == OUTCOME_BACK ? LANE_ANSWERED : LANE_ACCEPTED);
    if (late_ms > 0 && a->slot_mono_ms > 0 && reply->sent_mono_ms > a->slot_mono_ms + late_ms)
        lane_was_late(lane);
}

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct attempt *a = arg;
    judge_reply(a->channel, reply, a->request.from.n > 0, &a->verdict);
    tell_lane(a, reply);
    metric_observe(metric_series(M_PLACEMENT_SECONDS, a->channel->name, NULL),
                   (double)reply->seconds_us / 1e6);
    if (log_enabled(LOG_LEVEL_DEBUG) || a->verdict.kind == OUTCOME_DOUBT)
        LOG_LIMITED(a->verdict.kind == OUTCOME_DOUBT ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "placement",
                    LOG_SPAN("call", buf_span(&a->id)), LOG_INT("attempt", a->number),
                    LOG_STR("channel", a->channel->name), LOG_STR("outcome", a->verdict.word),
                    LOG_INT("http_status", reply->status), LOG_STR("error", reply->error));
    conclude(a);
}

static struct http_limits limits_of(const struct attempt *a)
{
    const struct channel *channel = a->channel;
    int64_t late_ms = lane_late_ms(lane_of(a->dispatch->lanes, channel));
    return (struct http_limits){.timeout_ms = channel->request_timeout_ms,
                                .connect_timeout_ms = PLACING_CONNECT_MS,
                                .idle_timeout_ms = channel->idle_timeout_ms,
                                .send_before_mono_ms = a->asked_mono_ms + channel->request_timeout_ms,
                                .reuse_before_mono_ms =
                                    a->slot_mono_ms > 0 && late_ms > 0 ? a->slot_mono_ms + late_ms : 0};
}

void placing_send(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    struct err err = ERR_INIT;
    const struct channel *channel = a->channel;
    const struct placement placement = {
        .channel = channel,
        .request = &a->request,
        .from = a->request.from.n > 0 ? a->request.from : span_str(channel->from),
        .attempt = a->number,
        .public_url = span_str(d->worker->settings->public_url),
    };
    a->state = ATTEMPT_PLACING;
    http_request_clear(&d->scratch);
    if (channel->provider->place(&placement, &d->scratch, &err) != 0) {
        judge_unsayable(&err, &a->verdict);
        conclude(a);
        return;
    }
    d->scratch.once = true;
    const struct http_limits limits = limits_of(a);
    http_send(d->http, &a->slot, &d->scratch, &limits, on_reply, a);
}
