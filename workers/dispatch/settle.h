/*
 * Calls that nobody settled: a round over the shards, whatever replica is there. Claims whose owner died are settled as in
 * doubt, attempts without a report as such; silent and doubtful ones are asked for at their provider (reconcile.h).
 */
#ifndef IVR_DISPATCH_SETTLE_H
#define IVR_DISPATCH_SETTLE_H

#include "workers/dispatch/dispatch.h"

struct settle *settle_new(struct dispatch *dispatch);
/* No further rounds; requests that are out are still answered. */
void settle_stop(struct settle *settle);
void settle_free(struct settle **settle);

#endif
