#include "workers/dispatch/queues.h"

#include <stdio.h>

/* The first bytes tell settings apart. */
static void fingerprint_of(const struct channel *channel, char *fingerprint)
{
    for (size_t i = 0; i < CHANNEL_FINGERPRINT_LEN / 2; i++)
        snprintf(fingerprint + 2 * i, 3, "%02x", channel->digest[i]);
}

static struct channel_limits limits_of(const struct channel *channel)
{
    struct channel_limits limits = {.calls_per_second = channel->calls_per_second,
                                    .lines = channel->concurrent_calls,
                                    .request_timeout_ms = channel->request_timeout_ms};
    fingerprint_of(channel, limits.fingerprint);
    return limits;
}

static void read_caps(struct dispatch *d)
{
    const char *tenant;
    int lines;
    for (size_t i = 0; (tenant = channels_tenants_at(d->worker->channels, i, &lines)) != NULL; i++)
        channel_queues_add_cap(d->queues, tenant, lines);
}

void queues_read_channels(struct dispatch *d)
{
    const struct channels *channels = d->worker->channels;
    channel_queues_forget_limits(d->queues);
    for (size_t i = 0; i < channels_count(channels); i++) {
        const struct channel *channel = channels_at(channels, i);
        const struct channel_limits limits = limits_of(channel);
        channel_queue_set_limits(queues_of(d, channel), &limits);
    }
    read_caps(d);
}

struct channel_queue *queues_of(struct dispatch *d, const struct channel *channel)
{
    return channel_queues_get(d->queues, channel->name);
}

bool queues_is_closed(struct dispatch *d, const struct channel *channel)
{
    return channel_queue_standing(queues_of(d, channel))->state != CHANNEL_OPEN;
}

int64_t queues_epoch(struct dispatch *d, const struct channel *channel)
{
    return channel_queue_standing(queues_of(d, channel))->epoch;
}

bool queues_makes_wait(struct dispatch *d, const struct channel *channel, struct span tenant)
{
    const struct channel_queue *queue = queues_of(d, channel);
    const struct channel_standing *standing = channel_queue_standing(queue);
    const struct channel_limits *limits = channel_queue_limits(queue);
    if (standing->state != CHANNEL_OPEN || !standing->proved || limits == NULL ||
        limits->calls_per_second > 0)
        return true;
    return queues_has_lines(d, queue, tenant);
}

bool queues_has_lines(const struct dispatch *d, const struct channel_queue *queue, struct span tenant)
{
    const struct channel_limits *limits = channel_queue_limits(queue);
    return (limits != NULL && limits->lines > 0) || channels_tenant_cap(d->worker->channels, tenant) > 0;
}

void queues_add_result(struct dispatch *d, const struct channel *channel, int64_t epoch,
                       enum channel_result result, const struct evidence *why)
{
    char fingerprint[CHANNEL_FINGERPRINT_LEN + 1];
    fingerprint_of(channel, fingerprint);
    channel_queue_add_result(queues_of(d, channel), epoch, fingerprint, result, why);
}
