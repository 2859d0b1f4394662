/*
 * Calls that waited for their time: a round over the shards, whatever replica is there.
 *
 * An offer is leased for ATTEMPT_LEASE_MS; the claim decides who dials. A call whose channel makes it wait its turn goes to
 * the channel's queue. One whose channel is gone from the channels file stays due, and is offered again.
 */
#ifndef IVR_DISPATCH_DUE_H
#define IVR_DISPATCH_DUE_H

#include "workers/dispatch/dispatch.h"

struct due *due_new(struct dispatch *dispatch);
/* No further rounds; requests that are out are still answered. */
void due_stop(struct due *due);
void due_free(struct due **due);

#endif
