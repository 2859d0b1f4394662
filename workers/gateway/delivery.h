/* A callback's record on its way to the brokers. */
#ifndef IVR_GATEWAY_DELIVERY_H
#define IVR_GATEWAY_DELIVERY_H

#include "workers/gateway/callback_record.h"

/* Called once, when the brokers have acknowledged the record (`error` NULL) or did not take it. It is counted
 * and logged by then. */
typedef void (*delivery_fn)(struct gateway *g, const char *error, void *arg);

/* Whether the producer takes no record now: it is counted, and nothing may be started. */
bool delivery_full(struct gateway *g, const struct received *r);

/* Hands the record to the producer, which copies it. `fn` NULL: nobody waits for the acknowledgement. */
void delivery_start(struct gateway *g, const struct received *r, const struct callback_record *record,
                    delivery_fn fn, void *arg);

#endif
