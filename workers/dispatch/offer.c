#include "workers/dispatch/offer.h"

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/dispatch/route.h"

/* A call whose hours this machine cannot tell is left to one that can: it is offered again after its lease. */
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

bool offer_read(struct attempt *a, const struct calls_due *offer)
{
    a->number = offer->attempt;
    a->ticket.claim_no = offer->claim_no;
    a->unreached = offer->unreached;
    if (!read_request(a, offer))
        return false;
    a->ticket.priority = a->request.priority;
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
