#include "workers/dispatch/placing.h"

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/dispatch/queues.h"
#include "workers/dispatch/recording.h"

/* ---- claimed, and not sent ---- */

void placing_give_back(struct attempt *a, int64_t wait_ms)
{
    judge_unsent(&a->verdict, wait_ms);
    recording_begin(a);
}

void placing_listed(struct attempt *a)
{
    judge_listed(&a->verdict);
    recording_begin(a);
}

void placing_busy(struct attempt *a)
{
    judge_busy(&a->verdict);
    recording_begin(a);
}

/* ---- placing ---- */

/* What the answer says of the channel; nothing, where the request never left. */
static enum channel_result result_of(const struct verdict *verdict, const struct http_reply *reply)
{
    if (verdict->suspend)
        return CHANNEL_REFUSED_US;
    if (verdict->kind == OUTCOME_DOUBT)
        return CHANNEL_DOUBTFUL;
    if (verdict->kind == OUTCOME_UNREACHED)
        return CHANNEL_UNREACHED;
    if (reply->outcome != HTTP_REPLY)
        return CHANNEL_RESULT_NONE;
    return verdict->kind == OUTCOME_BACK ? CHANNEL_NOT_NOW : CHANNEL_ACCEPTED_CALL;
}

static void tell_channel_queue(struct attempt *a, const struct http_reply *reply)
{
    struct dispatch *d = a->dispatch;
    struct channel_queue *queue = queues_of(d, a->channel);
    int64_t late_ms = channel_queue_late_ms(queue), send_mono_ms = a->ticket.send_mono_ms;
    enum channel_result result = result_of(&a->verdict, reply);
    if (result != CHANNEL_RESULT_NONE)
        queues_add_result(d, a->channel, a->epoch, result, &a->verdict.evidence);
    if (late_ms > 0 && send_mono_ms > 0 && reply->sent_mono_ms > send_mono_ms + late_ms)
        channel_queue_add_late(queue);
}

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct attempt *a = arg;
    judge_reply(a->channel, reply, a->request.from.n > 0, &a->verdict);
    tell_channel_queue(a, reply);
    metric_observe(metric_series(M_PLACEMENT_SECONDS, a->channel->name, NULL),
                   (double)reply->seconds_us / 1e6);
    if (log_enabled(LOG_LEVEL_DEBUG) || a->verdict.kind == OUTCOME_DOUBT)
        LOG_LIMITED(a->verdict.kind == OUTCOME_DOUBT ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "placement",
                    LOG_SPAN("call", attempt_id(a)), LOG_INT("attempt", a->number),
                    LOG_STR("channel", a->channel->name), LOG_STR("outcome", a->verdict.word),
                    LOG_INT("http_status", reply->status), LOG_STR("error", reply->error));
    recording_begin(a);
}

static struct http_limits limits_of(const struct attempt *a)
{
    const struct channel *channel = a->channel;
    int64_t late_ms = channel_queue_late_ms(queues_of(a->dispatch, channel));
    return (struct http_limits){.timeout_ms = channel->request_timeout_ms,
                                .connect_timeout_ms = PLACING_CONNECT_MS,
                                .idle_timeout_ms = channel->idle_timeout_ms,
                                .send_before_mono_ms = a->claiming_mono_ms + channel->request_timeout_ms,
                                .reuse_before_mono_ms = a->ticket.send_mono_ms > 0 && late_ms > 0
                                                            ? a->ticket.send_mono_ms + late_ms
                                                            : 0};
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
    attempt_enter(a, ATTEMPT_PLACING);
    http_request_clear(&d->scratch);
    if (channel->provider->place(&placement, &d->scratch, &err) != 0) {
        judge_unsayable(&err, &a->verdict);
        recording_begin(a);
        return;
    }
    d->scratch.once = true;
    const struct http_limits limits = limits_of(a);
    http_send(d->http, &a->slot, &d->scratch, &limits, on_reply, a);
}
