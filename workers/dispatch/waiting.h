/*
 * The gauge ivr_waiting{channel}: calls that wait in Redis, added up over the shards every few seconds. It is
 * the same number in every replica: a dashboard takes the maximum, not the sum.
 */
#ifndef IVR_DISPATCH_WAITING_H
#define IVR_DISPATCH_WAITING_H

#include "common/run/loop.h"
#include "workers/store/store.h"

struct waiting_gauge;

struct waiting_gauge *waiting_gauge_new(struct loop *loop, struct store *store);
/* No further rounds. Requests that are on their way are still answered. */
void waiting_gauge_stop(struct waiting_gauge *waiting);
void waiting_gauge_free(struct waiting_gauge **waiting);

#endif
