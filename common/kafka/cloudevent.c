#include "common/kafka/cloudevent.h"

#include <assert.h>

#include "common/base/crypto.h"

/* W3C Trace Context: a traceparent has 55 characters (later versions may be longer), a tracestate should be
 * kept up to 512. */
enum { TRACEPARENT_MAX = 128, TRACESTATE_MAX = 512 };

void cloudevent_add(struct cloudevent *event, const char *name, struct span value)
{
    assert(event->n < KAFKA_MAX_HEADERS);
    event->headers[event->n++] = (struct kafka_header){span_str(name), value};
}

void cloudevent_add_trace(struct cloudevent *event, struct span traceparent, struct span tracestate)
{
    if (traceparent.n == 0 || traceparent.n > TRACEPARENT_MAX)
        return; /* a tracestate alone means nothing */
    cloudevent_add(event, "traceparent", traceparent);
    if (tracestate.n > 0 && tracestate.n <= TRACESTATE_MAX)
        cloudevent_add(event, "tracestate", tracestate);
}

void cloudevent_make_id(char out[CLOUDEVENT_ID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[CLOUDEVENT_ID_LEN / 2];
    crypto_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < CLOUDEVENT_ID_LEN; i++)
        out[i] = digits[(i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2]) & 15];
    out[CLOUDEVENT_ID_LEN] = '\0';
}

void cloudevent_init(struct cloudevent *event, struct span source, struct span id, struct span type,
                     int64_t time_wall_ms)
{
    event->n = 0;
    if (id.p == NULL) {
        cloudevent_make_id(event->id);
        id = span_of(event->id, CLOUDEVENT_ID_LEN);
    }
    clock_rfc3339(time_wall_ms, event->time);
    cloudevent_add(event, "ce_specversion", SPAN_LIT("1.0"));
    cloudevent_add(event, "ce_id", id);
    cloudevent_add(event, "ce_source", source);
    cloudevent_add(event, "ce_type", type);
    cloudevent_add(event, "ce_time", span_of(event->time, CLOCK_RFC3339_LEN));
}
