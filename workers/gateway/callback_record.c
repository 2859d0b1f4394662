#include "workers/gateway/callback_record.h"

#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "workers/gateway/cloudevent.h"

enum { ID_MAX = 64 * 1024 };

/* What a provider's callback_id() reads: as the record stands on the topic. */
static struct callback on_topic(const struct received *r)
{
    struct callback callback = r->callback;
    if (strcmp(callback.method, "GET") == 0) /* without a query: empty, not Kafka's null */
        callback.body = callback.query.p != NULL ? callback.query : SPAN_LIT("");
    return callback;
}

bool callback_record_ref(const struct received *r, struct buf *ref)
{
    struct callback callback = on_topic(r);
    struct span tenant, call_id;
    int attempt;
    struct buf text;
    if (r->provider->callback_ref == NULL)
        return false;
    buf_init(&text, ID_MAX);
    bool found = r->provider->callback_ref(&callback, &text) && buf_ok(&text) &&
                 route_read_ref(buf_span(&text), &tenant, &call_id, &attempt);
    if (found)
        buf_addspan(ref, buf_span(&text));
    buf_done(&text);
    return found;
}

bool callback_record_add_id(struct buf *b, const struct received *r)
{
    struct callback callback = on_topic(r);
    struct buf id;
    buf_init(&id, ID_MAX);
    bool found = r->provider->callback_id(&callback, &id) && buf_ok(&id) && id.n > 0;
    buf_adds(b, r->provider->name);
    buf_addc(b, ':');
    if (found)
        buf_addspan(b, buf_span(&id));
    buf_done(&id);
    return found;
}

static const char *verified_name(enum verified verified)
{
    switch (verified) {
    case VERIFIED_SIGNATURE:
        return "signature";
    case VERIFIED_TOKEN:
        return "token";
    case VERIFIED_NONE:
    case VERIFIED_NO:
        break;
    }
    return "none";
}

/* Which attempt it is about; false when it says nothing of it. The spans point into the route or `text`. */
static bool read_ref(const struct received *r, struct buf *text, struct span *tenant, struct span *call_id,
                     int *attempt)
{
    *tenant = r->route->tenant;
    *call_id = r->route->call_id;
    *attempt = r->route->attempt;
    return *attempt > 0 ||
           (callback_record_ref(r, text) && route_read_ref(buf_span(text), tenant, call_id, attempt));
}

static void add_about(struct cloudevent *event, const struct received *r)
{
    cloudevent_add(event, "ce_provider", span_str(r->provider->name));
    cloudevent_add(event, "ce_channel", span_str(r->channel->name));
    cloudevent_add(event, "ce_verified", span_str(verified_name(r->verified)));
    if (r->callback.content_type.p != NULL)
        cloudevent_add(event, "content-type", r->callback.content_type);
    if (strcmp(r->callback.method, "GET") != 0 && r->callback.query.n > 0)
        cloudevent_add(event, "ce_query", r->callback.query);
}

void callback_record_put(struct gateway *g, const struct received *r, kafka_ack_fn ack, void *arg)
{
    struct cloudevent event;
    struct buf key, ref;
    struct span tenant, call_id;
    int attempt;
    char number[16];
    buf_init(&key, ID_MAX + 64);
    buf_init(&ref, ID_MAX);
    cloudevent_init(&event, r->req, "ivr.callback", r->callback.received_ms);
    add_about(&event, r);
    if (read_ref(r, &ref, &tenant, &call_id, &attempt)) {
        (void)snprintf(number, sizeof(number), "%d", attempt);
        cloudevent_add(&event, "ce_tenant", tenant);
        cloudevent_add(&event, "ce_callid", call_id);
        cloudevent_add(&event, "ce_attempt", span_str(number));
        buf_addspan(&key, tenant);
        buf_addc(&key, '/');
        buf_addspan(&key, call_id);
    } else {
        callback_record_add_id(&key, r);
    }
    kafka_produce(g->worker.producer, g->worker.settings->topics[TOPIC_CALLBACKS], buf_span(&key),
                  on_topic(r).body, event.headers, event.n, GATEWAY_ACK_MS, ack, arg);
    buf_done(&ref);
    buf_done(&key);
}
