#include "workers/dispatch/ticket.h"

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/look.h"
#include "workers/dispatch/lane.h"
#include "workers/dispatch/opening.h"
#include "workers/dispatch/route.h"

/* A call whose hours nobody here can tell is left to a machine that can: it is offered again after its lease.
 */
static bool read_request(struct attempt *a, const struct calls_due *offer)
{
    struct err err = ERR_INIT;
    if (request_read_stored(&a->request, REQUEST_WHOLE, offer->request, &err) != 0) {
        metric_count(M_STORED_UNREAD, "unreadable", NULL);
        LOG_LIMITED(LOG_LEVEL_ERROR, "a stored request cannot be read any more, its call waits",
                    LOG_SPAN("call", offer->id), LOG_ERR(&err));
        return false;
    }
    if (a->request.lost_zone.n > 0) {
        metric_count(M_STORED_UNREAD, "lost_zone", NULL);
        LOG_LIMITED(
            LOG_LEVEL_ERROR,
            "this machine's tzdata lacks the time zone of a call's hours, the call waits; install tzdata "
            "and tzdata-legacy, then restart",
            LOG_SPAN("call", offer->id), LOG_SPAN("timezone", a->request.lost_zone));
        return false;
    }
    return true;
}

bool ticket_read_offer(struct attempt *a, const struct calls_due *offer)
{
    a->number = offer->attempt;
    a->claim_no = offer->claim_no;
    a->unreached = offer->unreached;
    if (!read_request(a, offer))
        return false;
    struct channel *channel = route_choose(a->dispatch, &a->request, a->unreached);
    if (channel == NULL) {
        LOG_LIMITED(LOG_LEVEL_ERROR,
                    "a waiting call's channel is gone from the channels file, the call waits",
                    LOG_SPAN("call", offer->id), LOG_SPAN("channel", offer->channel));
        return false;
    }
    channel_ref(channel);
    if (a->channel != NULL)
        channel_unref(&a->channel);
    a->channel = channel;
    return true;
}

static void end(struct attempt *a, enum lane_end how)
{
    lane_end(a, how);
    attempt_end(a);
}

static void on_ready(struct attempt *a, const struct calls_due *offer)
{
    struct dispatch *d = a->dispatch;
    struct lane *lane = a->lane;
    if (!ticket_read_offer(a, offer)) {
        end(a, LANE_DROPPED);
    } else if (d->draining || d->away) {
        end(a, LANE_BACK);
    } else if (lane != lane_of(d->lanes, a->channel) || !opening_is_now(a)) {
        lane_end(a, LANE_DROPPED);
        attempt_begin_due(a); /* elsewhere, or put off */
    } else {
        lane_ready(lane, a);
    }
}

static void on_looked(enum store_status status, const struct calls_look_result *looked, void *arg)
{
    struct attempt *a = arg;
    lane_looked(a, status == STORE_OK && looked->what == LOOK_READY);
    if (status != STORE_OK && status != STORE_UNREADABLE) {
        end(a, LANE_FORGOTTEN);
    } else if (looked->what == LOOK_READY) {
        on_ready(a, &looked->offer);
    } else {
        a->line_ms = looked->line_ms;
        end(a, looked->what == LOOK_LIVE ? LANE_UNDER_WAY : LANE_DROPPED);
    }
}

void ticket_look(struct attempt *a)
{
    const struct calls_look look = {.id = buf_span(&a->id),
                                    .claim_no = a->claim_no,
                                    .channel = span_str(a->channel->name),
                                    .lease_ms = ATTEMPT_LEASE_MS};
    a->state = ATTEMPT_LOOKING;
    calls_look(a->dispatch->worker->store, &look, on_looked, a);
}
