#include "workers/dispatch/gate.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "workers/dispatch/judge.h"

struct gate {
    struct gate *next;
    char *channel;
    bool suspended;
    bool probing; /* the one call of this turn is out */
    int64_t until_mono_ms;
    struct metric_series *open;
};

struct gates {
    struct gate *first; /* a handful of channels: a list is enough */
};

struct gates *gates_new(void)
{
    return mem_calloc(1, sizeof(struct gates));
}

void gates_free(struct gates **gates)
{
    while ((*gates)->first != NULL) {
        struct gate *gate = (*gates)->first;
        (*gates)->first = gate->next;
        free(gate->channel);
        free(gate);
    }
    free(*gates);
    *gates = NULL;
}

static struct gate *gate_of(struct gates *gates, struct span channel)
{
    for (struct gate *gate = gates->first; gate != NULL; gate = gate->next)
        if (span_is(channel, gate->channel))
            return gate;
    struct gate *gate = mem_calloc(1, sizeof(*gate));
    gate->channel = mem_strndup(channel.p, channel.n);
    gate->open = metric_series(M_CHANNEL_OPEN, gate->channel, NULL);
    gate->next = gates->first;
    gates->first = gate;
    metric_set(gate->open, 0);
    return gate;
}

bool gate_admit(struct gates *gates, struct span channel, int64_t mono_ms, int64_t *wait_ms)
{
    struct gate *gate = gate_of(gates, channel);
    if (!gate->suspended)
        return true;
    if (!gate->probing && mono_ms >= gate->until_mono_ms) {
        gate->probing = true;
        return true;
    }
    *wait_ms = gate->until_mono_ms > mono_ms ? gate->until_mono_ms - mono_ms : 1000;
    return false;
}

static void gate_open(struct gate *gate)
{
    if (!gate->suspended)
        return;
    gate->suspended = gate->probing = false;
    metric_set(gate->open, 0);
    LOG_INFO("channel is open again", LOG_STR("channel", gate->channel));
}

void gate_release(struct gates *gates, struct span channel, enum gate_news news, struct span reason,
                  int64_t mono_ms)
{
    struct gate *gate = gate_of(gates, channel);
    switch (news) {
    case GATE_UNUSED:
        gate->probing = false;
        return;
    case GATE_OPEN:
        gate_open(gate);
        return;
    case GATE_SUSPENDED:
        break;
    }
    if (!gate->suspended || gate->probing) /* not once for each call that was out when the key went bad */
        LOG_ERROR("channel suspended, its calls wait; the next probe is in 30 s",
                  LOG_SPAN("channel", channel), LOG_SPAN("reason", reason));
    gate->suspended = true;
    gate->probing = false;
    gate->until_mono_ms = mono_ms + JUDGE_SUSPEND_MS;
    metric_set(gate->open, 1);
}

size_t gates_suspended(const struct gates *gates, struct span *channels, size_t max)
{
    size_t n = 0;
    for (const struct gate *gate = gates->first; gate != NULL && n < max; gate = gate->next)
        if (gate->suspended)
            channels[n++] = span_str(gate->channel);
    return n;
}

void gate_resume(struct gates *gates, struct span channel)
{
    for (struct gate *gate = gates->first; gate != NULL; gate = gate->next)
        if (span_is(channel, gate->channel))
            gate_open(gate);
}

void gates_reset(struct gates *gates)
{
    for (struct gate *gate = gates->first; gate != NULL; gate = gate->next)
        gate_open(gate);
}
