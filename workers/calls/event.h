/*
 * A call event: from the values that a script packed (lib/events.lua, emit) to the record on ivr.call-events.
 * Rendering is a pure function of those values, so an event produced twice is identical by construction.
 */
#ifndef IVR_CALLS_EVENT_H
#define IVR_CALLS_EVENT_H

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/status.h"

/* Spans are borrowed from the packed bytes. Absent numbers are -1, absent times 0, absent texts empty. */
struct event {
    struct span type; /* "accepted", without "call." */
    struct span id;   /* "tenant/call_id" */
    int64_t seq;
    struct span identity; /* identity.h */
    struct span campaign; /* "tenant/campaign": the record's key */
    int attempt;          /* 0: null */
    struct span channel;
    struct span provider;
    struct span provider_call_id;
    int64_t placed_at_ms;
    enum call_status status;
    enum call_status previous;
    int hop; /* -1: null */
    struct span reason_code;
    struct span reason_detail;
    bool final;
    int64_t next_attempt_at_ms;
    int64_t occurred_at_ms;
    int64_t recorded_at_ms;
    int64_t ring_seconds;
    int64_t talk_seconds;
    int64_t cost_micros;
    struct span currency;
    struct span drop_reason;
    bool in_doubt;           /* nobody knows whether the attempt was placed */
    struct span traceparent; /* empty without */
    struct span tracestate;
};

/* Reads one of the packed events. */
void event_read(struct event *event, const msgpack_object *packed);
/* "acme/0192f1c4/7" */
void event_add_id(struct buf *b, const struct event *event);
void event_add_json(struct buf *b, const struct event *event);

#endif
