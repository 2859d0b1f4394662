/*
 * A row of ivr.call-records: one flat record a final call, from the values that lib/records.lua made of it. Pure.
 *
 * The same values give the same bytes. Which row of a call is the newest is decided by who sends (records.h).
 */
#ifndef IVR_CALLS_CALL_RECORD_H
#define IVR_CALLS_CALL_RECORD_H

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/status.h"

/* Spans are borrowed from the packed bytes. Absent times are 0, absent numbers -1, absent texts empty. */
struct call_record {
    struct span id; /* "tenant/call_id": the record's key */
    int64_t seq;
    struct span identity; /* identity.h */
    enum call_status status;
    struct span drop_reason;
    bool in_doubt;
    struct span reason_code, reason_detail;
    struct span channel, provider, provider_call_id;
    int attempts;
    int priority;
    int64_t created_ms, first_attempt_ms, last_attempt_ms, answered_ms, ended_ms, final_ms, updated_ms;
    int64_t ring_seconds, talk_seconds; /* of all attempts together */
    const msgpack_object *costs;        /* [currency, millionths, currency, millionths, ...] */
    struct span traceparent, tracestate;
};

/* Reads layout.RECORD. False where it is no such row; nothing of it may be used then. */
bool call_record_read(struct call_record *record, const msgpack_object *packed);
/* "acme/0192f1c4/7" */
void call_record_add_id(struct buf *b, const struct call_record *record);
/* Every field of schemas/call-record.schema.json, null where it is unknown. */
void call_record_add_json(struct buf *b, const struct call_record *record);

#endif
