#include "workers/dispatch/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/evidence.h"
#include "workers/calls/links.h"
#include "workers/program/parked_out.h"

/* The clocks of Redis and the provider differ a little, and the provider's knows seconds only. */
enum { CLOCKS_DIFFER_MS = 5000 };

struct call_lookup {
    struct reconciler *owner;
    struct channel *channel; /* a reference; NULL while it is free */
    struct buf id;
    int attempt;
    struct evidence evidence;
    /* An attempt in doubt. */
    struct request request;
    struct doubt doubt;
    struct buf provider_id; /* "provider:provider call id", once it is found */
    struct buf ref;         /* "tenant/call_id/attempt" */
};

struct reconciler {
    struct dispatch *dispatch;
    struct call_lookup slots[RECONCILE_MAX];
    unsigned out;
};

struct reconciler *reconciler_new(struct dispatch *dispatch)
{
    struct reconciler *reconciler = mem_calloc(1, sizeof(*reconciler));
    reconciler->dispatch = dispatch;
    for (size_t i = 0; i < RECONCILE_MAX; i++) {
        reconciler->slots[i].owner = reconciler;
        buf_init(&reconciler->slots[i].id, CALLS_MAX_REF + 1);
        buf_init(&reconciler->slots[i].ref, CALLS_MAX_REF + 1);
        buf_init(&reconciler->slots[i].provider_id, EVIDENCE_ID_MAX + 64);
    }
    return reconciler;
}

void reconciler_free(struct reconciler **reconciler)
{
    for (size_t i = 0; i < RECONCILE_MAX; i++) {
        struct call_lookup *lookup = &(*reconciler)->slots[i];
        if (lookup->channel != NULL)
            channel_unref(&lookup->channel);
        request_done(&lookup->request);
        buf_done(&lookup->id);
        buf_done(&lookup->ref);
        buf_done(&lookup->provider_id);
    }
    free(*reconciler);
    *reconciler = NULL;
}

unsigned reconciler_room(const struct reconciler *reconciler)
{
    return RECONCILE_MAX - reconciler->out;
}

static void lookup_end(struct call_lookup *lookup)
{
    lookup->owner->out--;
    lookup->owner->dispatch->busy--;
    request_done(&lookup->request);
    memset(&lookup->request, 0, sizeof(lookup->request));
    channel_unref(&lookup->channel);
}

/* Where it was not recorded, Redis offers the attempt again after IVR_PENDING_CHECK. */
static void on_recorded(enum store_status status, const struct calls_evidence_result *result, void *arg)
{
    (void)status, (void)result;
    lookup_end(arg);
}

static void record(struct call_lookup *lookup)
{
    const struct channel *channel = lookup->channel;
    const struct calls_evidence evidence = {.id = buf_span(&lookup->id),
                                            .attempt = lookup->attempt,
                                            .channel = span_str(channel->name),
                                            .provider = span_str(channel->provider->name),
                                            .evidence = &lookup->evidence};
    calls_evidence(lookup->owner->dispatch->worker->store, &evidence, on_recorded, lookup);
}

static bool says_nothing(const struct evidence *ev)
{
    return ev->status == STATUS_NONE && ev->hops == 0 && ev->provider_call_id[0] == '\0';
}

static void log_nothing(const struct call_lookup *lookup, const struct http_reply *reply)
{
    LOG_LIMITED(LOG_LEVEL_INFO, "the provider says nothing of a silent call",
                LOG_SPAN("call", buf_span(&lookup->id)), LOG_INT("attempt", lookup->attempt),
                LOG_STR("channel", lookup->channel->name), LOG_INT("http_status", reply->status),
                LOG_STR("error", reply->error));
}

/* ---- by the provider's id ---- */

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct call_lookup *lookup = arg;
    const struct channel *channel = lookup->channel;
    evidence_init(&lookup->evidence);
    if (reply->outcome == HTTP_REPLY)
        channel->provider->looked_up(channel, reply->status, reply->body, &lookup->evidence);
    if (says_nothing(&lookup->evidence)) {
        log_nothing(lookup, reply);
        lookup_end(lookup);
        return;
    }
    record(lookup);
}

/* ---- by the number called ---- */

/* Where the provider's call is linked to another attempt (`parked` is NULL), it must not answer for this one, which may
 * never have been placed. */
static void on_linked(enum store_status status, const struct calls_parked *parked, size_t n, void *arg)
{
    struct call_lookup *lookup = arg;
    if (status != STORE_OK || parked == NULL) {
        lookup_end(lookup); /* Redis offers it again */
        return;
    }
    for (size_t i = 0; i < n; i++)
        parked_put_back(lookup->owner->dispatch->worker, buf_span(&lookup->provider_id), &parked[i], NULL,
                        NULL);
    record(lookup);
}

static void link_found(struct call_lookup *lookup)
{
    buf_clear(&lookup->provider_id);
    buf_addf(&lookup->provider_id, "%s:%s", lookup->channel->provider->name,
             lookup->evidence.provider_call_id);
    buf_clear(&lookup->ref);
    buf_addf(&lookup->ref, "%.*s/%d", SPAN_ARG(buf_span(&lookup->id)), lookup->attempt);
    const struct calls_call call = {buf_span(&lookup->provider_id), span_str(lookup->channel->name)};
    calls_link_inferred(lookup->owner->dispatch->worker->store, &call, buf_span(&lookup->ref), on_linked,
                        lookup);
}

static void on_found(const struct http_reply *reply, void *arg)
{
    struct call_lookup *lookup = arg;
    const struct channel *channel = lookup->channel;
    evidence_init(&lookup->evidence);
    if (reply->outcome == HTTP_REPLY)
        channel->provider->found(channel, &lookup->doubt, reply->status, reply->body, &lookup->evidence);
    if (lookup->evidence.provider_call_id[0] == '\0') {
        log_nothing(lookup, reply);
        lookup_end(lookup);
        return;
    }
    link_found(lookup);
}

/* False when the stored request cannot be read: a defect, or written by a later version. */
static bool read_doubt(struct call_lookup *lookup, const struct calls_settled *item)
{
    const struct channel *channel = lookup->channel;
    struct err err = ERR_INIT;
    if (request_read_stored(&lookup->request, REQUEST_NUMBERS, item->request, &err) != 0) {
        metric_count(M_STORED_UNREAD, "unreadable", NULL);
        LOG_LIMITED(LOG_LEVEL_ERROR, "a stored request cannot be read", LOG_SPAN("call", item->id),
                    LOG_ERR(&err));
        return false;
    }
    struct span from = lookup->request.from.n > 0 ? lookup->request.from : span_str(channel->from);
    lookup->doubt = (struct doubt){.to = lookup->request.to,
                                   .from = from,
                                   .from_ms = item->placed_ms - CLOCKS_DIFFER_MS,
                                   .to_ms = item->placed_ms + channel->request_timeout_ms + CLOCKS_DIFFER_MS};
    return true;
}

/* ---- both ---- */

static struct call_lookup *free_slot(struct reconciler *reconciler)
{
    for (size_t i = 0; i < RECONCILE_MAX; i++)
        if (reconciler->slots[i].channel == NULL)
            return &reconciler->slots[i];
    return NULL;
}

/* Builds the request to the provider. False when there is none to send. */
static bool ask(struct call_lookup *lookup, const struct calls_settled *item, struct http_request *http)
{
    const struct channel *channel = lookup->channel;
    struct err err = ERR_INIT;
    int code = item->what == SETTLED_FIND
                   ? !read_doubt(lookup, item) || channel->provider->find(channel, &lookup->doubt, http, &err)
                   : channel->provider->lookup(channel, item->provider_call_id, http, &err);
    if (code != 0)
        LOG_LIMITED(LOG_LEVEL_WARN, "a silent call cannot be looked up", LOG_SPAN("call", item->id),
                    LOG_ERR(&err));
    return code == 0;
}

static bool can_be_asked(const struct channel *channel, const struct calls_settled *item)
{
    return item->what == SETTLED_FIND ? channel->provider->find != NULL : channel->provider->lookup != NULL;
}

void reconcile_start(struct reconciler *reconciler, const struct calls_settled *item)
{
    struct dispatch *d = reconciler->dispatch;
    struct channel *channel = worker_channel(d->worker, item->channel, SPAN_NONE);
    struct call_lookup *lookup = free_slot(reconciler);
    if (lookup == NULL || channel == NULL || !can_be_asked(channel, item))
        return;
    struct http_slot *slot = http_slot_take(d->http);
    if (slot == NULL)
        return;
    lookup->channel = channel_ref(channel);
    lookup->attempt = item->attempt;
    buf_clear(&lookup->id);
    buf_addspan(&lookup->id, item->id);
    reconciler->out++;
    d->busy++;
    http_request_clear(&d->scratch);
    if (!ask(lookup, item, &d->scratch)) {
        http_slot_release(d->http, &slot);
        lookup_end(lookup);
        return;
    }
    const struct http_limits limits = {.timeout_ms = channel->request_timeout_ms,
                                       .idle_timeout_ms = channel->idle_timeout_ms};
    http_send(d->http, &slot, &d->scratch, &limits, item->what == SETTLED_FIND ? on_found : on_reply, lookup);
}
