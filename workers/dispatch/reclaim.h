/*
 * Keeps the two lists of lines alike (workers/channel/lines.h). A walk over the shards puts back the lines that the
 * channels lost. A walk over the channels gives back the lines that no claim has any more. Every replica walks, in small
 * steps: the shards in about RECLAIM_ROUND_MS, the channels at the pace of eight in that time.
 */
#ifndef IVR_DISPATCH_RECLAIM_H
#define IVR_DISPATCH_RECLAIM_H

#include "workers/dispatch/dispatch.h"

enum { RECLAIM_ROUND_MS = 20000 };

struct reclaim;

struct reclaim *reclaim_new(struct dispatch *dispatch);
/* No further steps. Requests that are on their way are still answered. */
void reclaim_stop(struct reclaim *reclaim);
void reclaim_free(struct reclaim **reclaim);

#endif
