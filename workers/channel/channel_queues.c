#include "workers/channel/channel_queues.h"

#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"

enum { CAPS_MAX = 4096 };

struct named_queue {
    struct named_queue *next;
    struct channel_queue *queue;
};

struct channel_queues {
    struct channel_queue_shared shared;
    struct named_queue *first; /* a handful of channels: a list is enough */
    struct admission_cap caps[CAPS_MAX];
};

static bool flush(void *arg)
{
    struct channel_queues *queues = arg;
    bool did = false;
    for (struct named_queue *at = queues->first; at != NULL; at = at->next)
        did = channel_queue_flush(at->queue) || did;
    return did;
}

struct channel_queues *channel_queues_new(struct loop *loop, struct store *store,
                                          const struct channel_queue_events *events, void *arg)
{
    struct channel_queues *queues = mem_calloc(1, sizeof(*queues));
    queues->shared = (struct channel_queue_shared){
        .loop = loop, .store = store, .events = events, .arg = arg, .caps = queues->caps};
    crypto_random(&queues->shared.asker, sizeof(queues->shared.asker));
    loop_at_turn_end(loop, flush, queues);
    return queues;
}

void channel_queues_stop(struct channel_queues *queues)
{
    queues->shared.stopped = true;
    for (struct named_queue *at = queues->first; at != NULL; at = at->next)
        channel_queue_stop(at->queue);
}

size_t channel_queues_busy(const struct channel_queues *queues)
{
    size_t n = 0;
    for (const struct named_queue *at = queues->first; at != NULL; at = at->next)
        n += channel_queue_busy(at->queue);
    return n;
}

void channel_queues_free(struct channel_queues **queues)
{
    while ((*queues)->first != NULL) {
        struct named_queue *first = (*queues)->first;
        (*queues)->first = first->next;
        channel_queue_free(&first->queue);
        free(first);
    }
    free(*queues);
    *queues = NULL;
}

struct channel_queue *channel_queues_find(const struct channel_queues *queues, struct span channel)
{
    const struct named_queue *at = queues->first;
    while (at != NULL && !span_is(channel, channel_queue_name(at->queue)))
        at = at->next;
    return at != NULL ? at->queue : NULL;
}

struct channel_queue *channel_queues_get(struct channel_queues *queues, const char *channel)
{
    struct channel_queue *found = channel_queues_find(queues, span_str(channel));
    if (found != NULL)
        return found;
    struct named_queue *added = mem_alloc(sizeof(*added));
    *added = (struct named_queue){queues->first, channel_queue_new(&queues->shared, channel)};
    queues->first = added;
    return added->queue;
}

void channel_queues_forget_limits(struct channel_queues *queues)
{
    queues->shared.caps_n = 0;
    for (struct named_queue *at = queues->first; at != NULL; at = at->next)
        channel_queue_unset_limits(at->queue);
}

void channel_queues_add_cap(struct channel_queues *queues, const char *tenant, int lines)
{
    if (queues->shared.caps_n < CAPS_MAX)
        queues->caps[queues->shared.caps_n++] = (struct admission_cap){span_str(tenant), lines};
}

size_t channel_queues_promised(const struct channel_queues *queues)
{
    return queues->shared.promised;
}

size_t channel_queues_suspended(const struct channel_queues *queues, struct span *channels, size_t max)
{
    size_t n = 0;
    for (const struct named_queue *at = queues->first; at != NULL && n < max; at = at->next)
        if (channel_queue_standing(at->queue)->state == CHANNEL_SUSPENDED)
            channels[n++] = span_str(channel_queue_name(at->queue));
    return n;
}
