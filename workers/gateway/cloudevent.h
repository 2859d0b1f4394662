/* The headers of a record that the gateway produces: CloudEvents 1.0 in binary mode, and the trace of what
 * caused it. */
#ifndef IVR_GATEWAY_CLOUDEVENT_H
#define IVR_GATEWAY_CLOUDEVENT_H

#include <stdint.h>

#include "common/base/clock.h"
#include "common/kafka/kafka.h"

enum { CLOUDEVENT_ID_LEN = 32 };

struct cloudevent {
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    size_t n;
    char id[CLOUDEVENT_ID_LEN + 1];
    char time[CLOCK_RFC3339_LEN + 1];
};

/* Begins the headers: a fresh random id, and the time. It must not be copied, since the headers point into
 * it; what is added must outlive it. */
void cloudevent_init(struct cloudevent *event, const char *type, int64_t time_wall_ms);
void cloudevent_add(struct cloudevent *event, const char *name, struct span value);
/* Passes the two headers of a request on, where it has them (SPAN_NONE: it does not). */
void cloudevent_add_trace(struct cloudevent *event, struct span traceparent, struct span tracestate);

#endif
