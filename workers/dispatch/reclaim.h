/*
 * Lines found again, and given back for others (workers/channel/lines.h): a walk over the shards puts back
 * what the channels forgot, a walk over the channels with lines gives back what no attempt has any more. Both
 * go round in about RECLAIM_ROUND_MS, in small steps, in every replica.
 */
#ifndef IVR_DISPATCH_RECLAIM_H
#define IVR_DISPATCH_RECLAIM_H

#include "workers/dispatch/dispatch.h"

enum { RECLAIM_ROUND_MS = 20000 };

struct reclaim;

struct reclaim *reclaim_new(struct dispatch *dispatch);
/* No further steps; questions that are out are still answered. */
void reclaim_stop(struct reclaim *reclaim);
void reclaim_free(struct reclaim **reclaim);

#endif
