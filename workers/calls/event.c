#include "workers/calls/event.h"

#include "common/json/json.h"
#include "common/model/hop.h"
#include "layout.h"
#include "workers/calls/identity.h"
#include "workers/calls/trace.h"
#include "workers/store/pack.h"

void event_read(struct event *event, const msgpack_object *packed)
{
    event->type = pack_get_span(packed, LAYOUT_EVENT_TYPE);
    event->id = pack_get_span(packed, LAYOUT_EVENT_ID);
    event->seq = pack_get_int(packed, LAYOUT_EVENT_SEQ);
    event->identity = pack_get_span(packed, LAYOUT_EVENT_IDENTITY);
    event->campaign = pack_get_span(packed, LAYOUT_EVENT_CAMPAIGN);
    event->attempt = (int)pack_get_int(packed, LAYOUT_EVENT_ATTEMPT);
    event->channel = pack_get_span(packed, LAYOUT_EVENT_CHANNEL);
    event->provider = pack_get_span(packed, LAYOUT_EVENT_PROVIDER);
    event->provider_call_id = pack_get_span(packed, LAYOUT_EVENT_PROVIDER_CALL_ID);
    event->placed_at_ms = pack_get_int(packed, LAYOUT_EVENT_PLACED_AT);
    event->status = (enum call_status)pack_get_int(packed, LAYOUT_EVENT_STATUS);
    event->previous = (enum call_status)pack_get_int(packed, LAYOUT_EVENT_PREVIOUS);
    event->hop = (int)pack_get_int(packed, LAYOUT_EVENT_HOP);
    event->reason_code = pack_get_span(packed, LAYOUT_EVENT_CODE);
    event->reason_detail = pack_get_span(packed, LAYOUT_EVENT_DETAIL);
    event->final = pack_get_int(packed, LAYOUT_EVENT_FINAL) != 0;
    event->next_attempt_at_ms = pack_get_int(packed, LAYOUT_EVENT_NEXT_AT);
    event->occurred_at_ms = pack_get_int(packed, LAYOUT_EVENT_OCCURRED);
    event->recorded_at_ms = pack_get_int(packed, LAYOUT_EVENT_RECORDED);
    event->ring_seconds = pack_get_int(packed, LAYOUT_EVENT_RING);
    event->talk_seconds = pack_get_int(packed, LAYOUT_EVENT_TALK);
    event->cost_micros = pack_get_int(packed, LAYOUT_EVENT_COST);
    event->currency = pack_get_span(packed, LAYOUT_EVENT_CURRENCY);
    event->drop_reason = pack_get_span(packed, LAYOUT_EVENT_DROP);
    struct span trace = pack_get_span(packed, LAYOUT_EVENT_TRACE);
    trace_split(trace, &event->traceparent, &event->tracestate);
    event->in_doubt = pack_get_int(packed, LAYOUT_EVENT_IN_DOUBT) != 0;
}

void event_add_id(struct buf *b, const struct event *event)
{
    buf_addspan(b, event->id);
    buf_addc(b, '/');
    buf_addint(b, event->seq);
}

static void add_reason(struct buf *b, const struct event *event)
{
    json_key(b, "reason");
    if (event->reason_code.n == 0 && event->reason_detail.n == 0) {
        buf_adds(b, "null");
        return;
    }
    buf_addc(b, '{');
    json_kstr(b, "code", event->reason_code);
    json_kstr(b, "detail", event->reason_detail);
    buf_addc(b, '}');
}

/* The fields in the order of schemas/call-event.schema.json; the identity (identity.h) holds tenant to metadata. */
void event_add_json(struct buf *b, const struct event *event)
{
    buf_adds(b, "{\"v\":1,\"id\":\"");
    event_add_id(b, event);
    buf_addc(b, '"');
    json_kint(b, "seq", event->seq);
    buf_adds(b, ",\"type\":\"call.");
    buf_addspan(b, event->type);
    buf_adds(b, "\",");
    identity_add_json(b, event->identity);
    json_kcount(b, "attempt", event->attempt > 0 ? event->attempt : -1);
    json_ktext(b, "channel", event->channel);
    json_ktext(b, "provider", event->provider);
    json_ktext(b, "provider_call_id", event->provider_call_id);
    json_ktime(b, "placed_at", event->placed_at_ms);
    json_kstrz(b, "status", status_name(event->status));
    json_kstrz(b, "previous_status", status_name(event->previous));
    json_kstrz(b, "hop", event->hop >= 0 ? hop_name((enum hop)event->hop) : NULL);
    add_reason(b, event);
    json_kbool(b, "final", event->final);
    json_ktime(b, "next_attempt_at", event->next_attempt_at_ms);
    json_ktime(b, "occurred_at", event->occurred_at_ms);
    json_ktime(b, "recorded_at", event->recorded_at_ms);
    json_kcount(b, "ring_seconds", event->ring_seconds);
    json_kcount(b, "talk_seconds", event->talk_seconds);
    json_kcost(b, "cost", event->cost_micros, event->currency);
    json_kbool(b, "in_doubt", event->in_doubt);
    json_knull(b, "answered_by");
    bool ends = span_is(event->type, "dropped") || span_is(event->type, "final");
    if (ends && event->drop_reason.n > 0)
        json_kstr(b, "drop_reason", event->drop_reason);
    buf_addc(b, '}');
}
