#include "workers/channel/channel_standing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/run/log.h"
#include "common/run/metrics.h"

static void show_state(struct channel_standing *standing, bool closed, struct span why)
{
    const char *cut = why.n > 0 ? memchr(why.p, ' ', why.n) : NULL;
    if (standing->code[0] != '\0')
        metric_set(metric_series(M_CHANNEL_SHUT, standing->channel, standing->code), 0);
    standing->code[0] = '\0';
    if (closed) {
        snprintf(standing->code, sizeof(standing->code), "%.*s",
                 cut != NULL ? (int)(cut - why.p) : (int)why.n, why.n > 0 ? why.p : "");
        metric_set(metric_series(M_CHANNEL_SHUT, standing->channel, standing->code), 1);
    }
    metric_set(metric_series(M_CHANNEL_OPEN, standing->channel, NULL), closed);
}

void channel_standing_init(struct channel_standing *standing, const char *channel)
{
    *standing = (struct channel_standing){.channel = channel, .state = CHANNEL_OPEN};
    show_state(standing, false, SPAN_NONE);
    channel_standing_show_useful(standing, NULL, 0, 0);
}

void channel_standing_set_state(struct channel_standing *standing, enum channel_state state, struct span why)
{
    if (standing->state == state)
        return;
    if (state == CHANNEL_SUSPENDED)
        LOG_ERROR("channel suspended, its calls wait; the next probe is in 30 s",
                  LOG_STR("channel", standing->channel), LOG_SPAN("reason", why));
    else if (state == CHANNEL_CIRCUIT)
        LOG_ERROR("circuit opened, the channel's calls wait; single probes go out",
                  LOG_STR("channel", standing->channel), LOG_SPAN("reason", why));
    else
        LOG_INFO("channel is open again", LOG_STR("channel", standing->channel));
    standing->state = state;
    show_state(standing, state != CHANNEL_OPEN, why);
}

void channel_standing_set_proved(struct channel_standing *standing, bool proved, bool in_file)
{
    standing->proved = proved;
    metric_set(metric_series(M_CHANNEL_UNPROVED, standing->channel, NULL), !proved && in_file);
}

void channel_standing_show_useful(const struct channel_standing *standing,
                                  const struct channel_limits *limits, int64_t queued, int64_t lines)
{
    double useful = limits != NULL && standing->state == CHANNEL_OPEN ? (double)queued : 0;
    double rate = limits != NULL ? ceil(limits->calls_per_second) : 0;
    if (!standing->proved)
        useful = fmin(useful, CHANNEL_TRIALS);
    if (rate > 0)
        useful = fmin(useful, rate);
    if (limits != NULL && limits->lines > 0)
        useful = fmin(useful, fmax((double)(limits->lines - lines), 0));
    metric_set(metric_series(M_USEFUL_WORK, standing->channel, NULL), useful);
}
