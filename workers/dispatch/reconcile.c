#include "workers/dispatch/reconcile.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"

struct lookup {
    struct reconciler *owner;
    struct channel *channel; /* a reference; NULL while it is free */
    struct buf id;
    int attempt;
};

struct reconciler {
    struct dispatch *dispatch;
    struct lookup slots[RECONCILE_MAX];
    unsigned out;
};

struct reconciler *reconciler_new(struct dispatch *dispatch)
{
    struct reconciler *reconciler = mem_calloc(1, sizeof(*reconciler));
    reconciler->dispatch = dispatch;
    for (size_t i = 0; i < RECONCILE_MAX; i++) {
        reconciler->slots[i].owner = reconciler;
        buf_init(&reconciler->slots[i].id, STORE_MAX_REF + 1);
    }
    return reconciler;
}

void reconciler_free(struct reconciler **reconciler)
{
    for (size_t i = 0; i < RECONCILE_MAX; i++) {
        struct lookup *lookup = &(*reconciler)->slots[i];
        if (lookup->channel != NULL)
            channel_unref(&lookup->channel);
        buf_done(&lookup->id);
    }
    free(*reconciler);
    *reconciler = NULL;
}

unsigned reconciler_room(const struct reconciler *reconciler)
{
    return RECONCILE_MAX - reconciler->out;
}

static void lookup_end(struct lookup *lookup)
{
    lookup->owner->out--;
    lookup->owner->dispatch->busy--;
    channel_unref(&lookup->channel);
}

/* Not recorded: the attempt is offered again after IVR_PENDING_CHECK. */
static void on_recorded(enum store_status status, const struct store_evidence_told *told, void *arg)
{
    (void)status, (void)told;
    lookup_end(arg);
}

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct lookup *lookup = arg;
    const struct channel *channel = lookup->channel;
    struct evidence ev;
    evidence_init(&ev);
    if (reply->outcome == HTTP_REPLY)
        channel->provider->looked_up(channel, reply->status, reply->body, &ev);
    if (ev.status == STATUS_NONE && ev.hops == 0) {
        LOG_LIMITED(LOG_LEVEL_INFO, "the provider says nothing of a silent call",
                    LOG_SPAN("call", buf_span(&lookup->id)), LOG_INT("attempt", lookup->attempt),
                    LOG_STR("channel", channel->name), LOG_INT("http_status", reply->status),
                    LOG_STR("error", reply->error));
        lookup_end(lookup);
        return;
    }
    const struct store_evidence evidence = {.id = buf_span(&lookup->id),
                                            .attempt = lookup->attempt,
                                            .channel = span_str(channel->name),
                                            .provider = span_str(channel->provider->name),
                                            .evidence = &ev};
    store_evidence(lookup->owner->dispatch->worker->store, &evidence, on_recorded, lookup);
}

static struct lookup *free_slot(struct reconciler *reconciler)
{
    for (size_t i = 0; i < RECONCILE_MAX; i++)
        if (reconciler->slots[i].channel == NULL)
            return &reconciler->slots[i];
    return NULL;
}

void reconcile_start(struct reconciler *reconciler, const struct store_settled *item)
{
    struct dispatch *d = reconciler->dispatch;
    struct channel *channel = channels_find(d->worker->channels, item->channel);
    struct lookup *lookup = free_slot(reconciler);
    struct err err = ERR_INIT;
    if (lookup == NULL || channel == NULL || channel->provider->lookup == NULL)
        return;
    http_request_clear(&d->scratch);
    if (channel->provider->lookup(channel, item->provider_call_id, &d->scratch, &err) != 0) {
        LOG_LIMITED(LOG_LEVEL_WARN, "a silent call cannot be looked up", LOG_SPAN("call", item->id),
                    LOG_ERR(&err));
        return;
    }
    struct http_slot *slot = http_slot_take(d->http);
    if (slot == NULL)
        return;
    lookup->channel = channel_ref(channel);
    lookup->attempt = item->attempt;
    buf_clear(&lookup->id);
    buf_addspan(&lookup->id, item->id);
    reconciler->out++;
    d->busy++;
    const struct http_limits limits = {.timeout_ms = channel->request_timeout_ms,
                                       .idle_timeout_ms = channel->idle_timeout_ms};
    http_send(d->http, &slot, &d->scratch, &limits, on_reply, lookup);
}
