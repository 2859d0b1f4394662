/* W3C trace context as Redis keeps it: "traceparent\ntracestate", or the first alone. */
#ifndef IVR_CALLS_TRACE_H
#define IVR_CALLS_TRACE_H

#include <string.h>

#include "common/base/span.h"

/* Both empty where there is none. */
static inline void trace_split(struct span trace, struct span *traceparent, struct span *tracestate)
{
    const char *cut = trace.n > 0 ? memchr(trace.p, '\n', trace.n) : NULL;
    *traceparent = cut != NULL ? span_of(trace.p, (size_t)(cut - trace.p)) : trace;
    *tracestate = cut != NULL ? span_of(cut + 1, (size_t)(trace.p + trace.n - cut - 1)) : SPAN_LIT("");
}

#endif
