#include "workers/dispatch/route.h"

#include "workers/dispatch/queues.h"

enum { CHAIN_MAX = 16 };

struct route_chain {
    struct channel *items[CHAIN_MAX];
    size_t n;
};

static bool has(const struct route_chain *chain, const struct channel *channel)
{
    for (size_t i = 0; i < chain->n; i++)
        if (chain->items[i] == channel)
            return true;
    return false;
}

/* Each channel's own fallbacks stand before those behind them. */
static void read_chain(struct route_chain *chain, const struct channels *channels, struct channel *first)
{
    chain->n = 0;
    if (first != NULL)
        chain->items[chain->n++] = first;
    for (size_t i = 0; i < chain->n; i++)
        for (char **name = chain->items[i]->fallback; *name != NULL && chain->n < CHAIN_MAX; name++) {
            struct channel *channel = channels_find(channels, span_str(*name));
            if (channel != NULL && !has(chain, channel))
                chain->items[chain->n++] = channel;
        }
}

struct channel *route_choose(struct dispatch *d, const struct request *request, int unreached)
{
    struct channel *own = channels_choose(d->worker->channels, request->channel, request->to);
    struct route_chain chain;
    if (own == NULL || unreached < 0 || own->fallback[0] == NULL)
        return own;
    read_chain(&chain, d->worker->channels, own);
    for (size_t i = 0; i < chain.n; i++) {
        struct channel *channel = chain.items[((size_t)unreached + i) % chain.n];
        if (!queues_is_closed(d, channel))
            return channel;
    }
    return own;
}

bool route_has_elsewhere(const struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    struct channel *own = channels_choose(d->worker->channels, a->request.channel, a->request.to);
    struct route_chain chain;
    if (own == NULL || a->unreached < 0)
        return false;
    read_chain(&chain, d->worker->channels, own);
    size_t next = chain.n > 0 ? ((size_t)a->unreached + 1) % chain.n : 0;
    return next != 0 && !queues_is_closed(d, chain.items[next]);
}
