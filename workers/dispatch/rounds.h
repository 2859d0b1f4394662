/* What the rounds over the shards have in common: who is first, who gets how much, and when nobody is asked. */
#ifndef IVR_DISPATCH_ROUNDS_H
#define IVR_DISPATCH_ROUNDS_H

#include "workers/dispatch/dispatch.h"

/* A shard to begin with, at random: no shard is always first when there is little room. */
unsigned rounds_first_shard(const struct dispatch *dispatch);
/* A shard's part, at most STORE_BATCH, of the room that is not promised: all shards are asked at the same time. */
size_t rounds_share(const struct dispatch *dispatch, size_t room, size_t promised);
/* The process drains, or Redis is not there. */
bool rounds_stopped(const struct dispatch *dispatch);

#endif
