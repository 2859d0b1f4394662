#include "workers/gateway/callback_record.h"

#include <stdio.h>
#include <string.h>

enum { ID_MAX = 64 * 1024 };

/* Which attempt it is about. */
struct about {
    struct span tenant, call_id;
    int attempt;
};

/* What a provider reads: the request as it stands on the topic. */
static struct callback on_topic(const struct received *r)
{
    struct callback callback = r->callback;
    if (strcmp(callback.method, "GET") == 0) /* without a query: empty, not Kafka's null */
        callback.body = callback.query.p != NULL ? callback.query : SPAN_LIT("");
    return callback;
}

/* From the path, or from a field that the provider echoes, where that fits; the spans point there. */
static bool read_about(struct about *about, struct buf *ref, const struct received *r,
                       const struct callback *callback)
{
    *about = (struct about){r->route->tenant, r->route->call_id, r->route->attempt};
    if (about->attempt > 0)
        return true;
    return r->provider->callback_ref != NULL && r->provider->callback_ref(callback, ref) && buf_ok(ref) &&
           route_read_ref(buf_span(ref), &about->tenant, &about->call_id, &about->attempt);
}

static void name_call(struct callback_record *record, const struct about *about)
{
    record->attempt = about->attempt;
    (void)snprintf(record->attempt_text, sizeof(record->attempt_text), "%d", about->attempt);
    cloudevent_add(&record->event, "ce_tenant", about->tenant);
    cloudevent_add(&record->event, "ce_callid", about->call_id);
    cloudevent_add(&record->event, "ce_attempt", span_str(record->attempt_text));
    buf_addspan(&record->key, about->tenant);
    buf_addc(&record->key, '/');
    buf_addspan(&record->key, about->call_id);
    record->names = NAMES_CALL;
}

bool callback_record_add_id(struct buf *id, const struct received *r)
{
    const struct callback callback = on_topic(r);
    size_t before = id->n;
    return r->provider->callback_id(&callback, id) && buf_ok(id) && id->n > before;
}

/* A body that cannot be read names nothing: the status worker makes it a dead letter. */
static void name_provider_id(struct callback_record *record, const struct received *r)
{
    struct buf id;
    buf_init(&id, ID_MAX);
    bool found = callback_record_add_id(&id, r);
    buf_adds(&record->key, r->provider->name);
    buf_addc(&record->key, ':');
    if (found)
        buf_addspan(&record->key, buf_span(&id));
    record->names = found ? NAMES_PROVIDER_ID : NAMES_NOTHING;
    buf_done(&id);
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

static void add_headers(struct cloudevent *event, const struct received *r)
{
    cloudevent_add(event, "ce_provider", span_str(r->provider->name));
    cloudevent_add(event, "ce_channel", span_str(r->channel->name));
    cloudevent_add(event, "ce_verified", span_str(verified_name(r->verified)));
    if (r->callback.content_type.p != NULL)
        cloudevent_add(event, "content-type", r->callback.content_type);
    if (strcmp(r->callback.method, "GET") != 0 && r->callback.query.n > 0)
        cloudevent_add(event, "ce_query", r->callback.query);
}

void callback_record_init(struct callback_record *record, const struct received *r)
{
    struct about about;
    struct callback callback = on_topic(r);
    record->attempt = 0;
    buf_init(&record->key, ID_MAX + 64);
    buf_init(&record->ref, ID_MAX);
    record->value = callback.body;
    cloudevent_init(&record->event, SPAN_LIT("ivr/ivr-gateway"), SPAN_NONE, SPAN_LIT("ivr.callback"),
                    callback.received_ms);
    cloudevent_add_trace(&record->event, callback.header(&callback, "traceparent"),
                         callback.header(&callback, "tracestate"));
    add_headers(&record->event, r);
    if (read_about(&about, &record->ref, r, &callback))
        name_call(record, &about);
    else
        name_provider_id(record, r);
}

void callback_record_done(struct callback_record *record)
{
    buf_done(&record->key);
    buf_done(&record->ref);
}
