/* The headers of a record that we produce: CloudEvents 1.0 in binary mode, and the trace of what caused it. */
#ifndef IVR_KAFKA_CLOUDEVENT_H
#define IVR_KAFKA_CLOUDEVENT_H

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

/* Random hexadecimal digits. */
void cloudevent_make_id(char out[CLOUDEVENT_ID_LEN + 1]);
/* Begins the headers. `source`: "ivr/ivr-gateway"; `id`: SPAN_NONE makes a fresh one. It must not be copied, since the
 * headers point into it; what is handed in and added must outlive it. */
void cloudevent_init(struct cloudevent *event, struct span source, struct span id, struct span type,
                     int64_t time_wall_ms);
void cloudevent_add(struct cloudevent *event, const char *name, struct span value);
/* Passes the two headers of a request on, where it has them (SPAN_NONE: it does not). */
void cloudevent_add_trace(struct cloudevent *event, struct span traceparent, struct span tracestate);

#endif
