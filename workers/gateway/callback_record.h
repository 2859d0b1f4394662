/* A provider's request as a record of ivr.callbacks: the value byte for byte, what we know about it in the
 * headers. */
#ifndef IVR_GATEWAY_CALLBACK_RECORD_H
#define IVR_GATEWAY_CALLBACK_RECORD_H

#include "workers/gateway/received.h"

/* The reference that the provider echoes in a field of its own; `ref` gets "tenant/call_id/attempt"
 * (appended). False when there is none that fits. Not for the long form, whose path says it. */
bool callback_record_ref(const struct received *r, struct buf *ref);
/* Appends "provider:provider call id"; without an id only "provider:", and false. */
bool callback_record_add_id(struct buf *b, const struct received *r);

/* Produces the record; `ack` comes within about GATEWAY_ACK_MS. Everything is copied before it returns. */
void callback_record_put(struct gateway *g, const struct received *r, kafka_ack_fn ack, void *arg);

#endif
