#include "workers/calls/call_record.h"

#include <string.h>

#include "common/json/json.h"
#include "layout.h"
#include "workers/calls/identity.h"
#include "workers/calls/trace.h"
#include "workers/store/pack.h"

static int64_t at_least_unknown(const msgpack_object *packed, size_t i)
{
    int64_t number = pack_get_int(packed, i);
    return number < 0 ? -1 : number;
}

bool call_record_read(struct call_record *record, const msgpack_object *packed)
{
    if (packed->type != MSGPACK_OBJECT_ARRAY || packed->via.array.size <= LAYOUT_RECORD_TRACE)
        return false;
    int64_t status = pack_get_int(packed, LAYOUT_RECORD_STATUS);
    const msgpack_object *costs = &packed->via.array.ptr[LAYOUT_RECORD_COSTS];
    if (status < 0 || status >= STATUS_COUNT)
        return false;
    *record = (struct call_record){
        .id = pack_get_span(packed, LAYOUT_RECORD_ID),
        .seq = pack_get_int(packed, LAYOUT_RECORD_SEQ),
        .identity = pack_get_span(packed, LAYOUT_RECORD_IDENTITY),
        .status = (enum call_status)status,
        .drop_reason = pack_get_span(packed, LAYOUT_RECORD_DROP),
        .in_doubt = pack_get_int(packed, LAYOUT_RECORD_IN_DOUBT) != 0,
        .reason_code = pack_get_span(packed, LAYOUT_RECORD_CODE),
        .reason_detail = pack_get_span(packed, LAYOUT_RECORD_DETAIL),
        .channel = pack_get_span(packed, LAYOUT_RECORD_CHANNEL),
        .provider = pack_get_span(packed, LAYOUT_RECORD_PROVIDER),
        .provider_call_id = pack_get_span(packed, LAYOUT_RECORD_PROVIDER_CALL_ID),
        .attempts = (int)pack_get_int(packed, LAYOUT_RECORD_ATTEMPTS),
        .priority = (int)at_least_unknown(packed, LAYOUT_RECORD_PRIORITY),
        .created_ms = pack_get_int(packed, LAYOUT_RECORD_CREATED),
        .first_attempt_ms = pack_get_int(packed, LAYOUT_RECORD_FIRST_ATTEMPT),
        .last_attempt_ms = pack_get_int(packed, LAYOUT_RECORD_LAST_ATTEMPT),
        .answered_ms = pack_get_int(packed, LAYOUT_RECORD_ANSWERED),
        .ended_ms = pack_get_int(packed, LAYOUT_RECORD_ENDED),
        .final_ms = pack_get_int(packed, LAYOUT_RECORD_FINAL_AT),
        .updated_ms = pack_get_int(packed, LAYOUT_RECORD_UPDATED),
        .ring_seconds = at_least_unknown(packed, LAYOUT_RECORD_RING),
        .talk_seconds = at_least_unknown(packed, LAYOUT_RECORD_TALK),
        .costs = costs->type == MSGPACK_OBJECT_ARRAY ? costs : NULL,
    };
    trace_split(pack_get_span(packed, LAYOUT_RECORD_TRACE), &record->traceparent, &record->tracestate);
    return true;
}

void call_record_add_id(struct buf *b, const struct call_record *record)
{
    buf_addspan(b, record->id);
    buf_addc(b, '/');
    buf_addint(b, record->seq);
}

/* Amounts of one currency stand flat, as a warehouse wants them; of several only side by side. */
static void add_costs(struct buf *b, const msgpack_object *costs)
{
    size_t n = costs != NULL ? costs->via.array.size / 2 : 0;
    if (n == 1) {
        json_kmicros(b, "cost_amount", pack_get_int(costs, 1));
        json_kstr(b, "cost_currency", pack_get_span(costs, 0));
    } else {
        json_knull(b, "cost_amount");
        json_knull(b, "cost_currency");
    }
    if (n < 2) {
        json_knull(b, "costs");
        return;
    }
    json_key(b, "costs");
    buf_addc(b, '{');
    for (size_t i = 0; i < n; i++) {
        json_sep(b);
        json_str(b, pack_get_span(costs, 2 * i));
        buf_addc(b, ':');
        json_micros(b, pack_get_int(costs, 2 * i + 1));
    }
    buf_addc(b, '}');
}

void call_record_add_json(struct buf *b, const struct call_record *record)
{
    buf_adds(b, "{\"v\":1,");
    identity_add_json(b, record->identity);
    json_kint(b, "seq", record->seq);
    json_kstrz(b, "status", status_name(record->status));
    json_ktext(b, "drop_reason", record->drop_reason);
    json_kbool(b, "in_doubt", record->in_doubt);
    json_ktext(b, "reason_code", record->reason_code);
    json_ktext(b, "reason_detail", record->reason_detail);
    json_ktext(b, "channel", record->channel);
    json_ktext(b, "provider", record->provider);
    json_ktext(b, "provider_call_id", record->provider_call_id);
    json_kint(b, "attempts", record->attempts);
    json_kcount(b, "priority", record->priority);
    json_knull(b, "answered_by");
    json_ktime(b, "created_at", record->created_ms);
    json_ktime(b, "first_attempt_at", record->first_attempt_ms);
    json_ktime(b, "last_attempt_at", record->last_attempt_ms);
    json_ktime(b, "answered_at", record->answered_ms);
    json_ktime(b, "ended_at", record->ended_ms);
    json_ktime(b, "final_at", record->final_ms);
    json_kcount(b, "ring_seconds", record->ring_seconds);
    json_kcount(b, "talk_seconds", record->talk_seconds);
    add_costs(b, record->costs);
    json_knull(b, "answers");
    json_kbool(b, "erased", false);
    buf_addc(b, '}');
}
