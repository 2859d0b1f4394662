/*
 * What a record of the callbacks topic says: from its headers and body to evidence about an attempt.
 * Pure: no I/O, nothing is kept.
 */
#ifndef IVR_STATUS_READING_H
#define IVR_STATUS_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/kafka/kafka.h"
#include "common/model/evidence.h"
#include "workers/providers/provider.h"
#include "workers/store/store.h"

enum { READING_TRACE_MAX = 640, READING_CHANNEL_MAX = 64 };

/* Our own reference to an attempt. */
struct call_ref {
    char id[CALLS_MAX_REF + 1]; /* "tenant/call_id" */
    size_t id_n;                /* 0: none */
    int attempt;
};

/* Spans are borrowed from the record. */
struct callback_reading {
    const struct provider *provider; /* NULL when unknown */
    struct span channel;
    struct call_ref ref; /* id_n 0: the record does not carry one */
    /* What was signed does not cover the reference: only the provider's call id says whose it is. */
    bool unproved;
    int64_t received_ms; /* 0 when it does not say */
    bool parked_before;
    char trace[READING_TRACE_MAX]; /* "traceparent\ntracestate" */
    size_t trace_n;
    struct evidence evidence; /* its provider_call_id is "" when the callback names none */
};

/*
 * 0, or ERR_INVALID with a sentence: the provider is unknown, one of our headers is missing or malformed, or
 * the provider's adapter cannot read the body. `received_ms`, `provider` and `parked_before` are set as far
 * as they were found even then.
 */
int reading_read(struct callback_reading *reading, const struct kafka_header *headers, size_t n,
                 struct span body, struct err *err);

/* "tenant/call_id/attempt"; false when it is not of that form. */
bool call_ref_parse(struct call_ref *ref, struct span text);

#endif
