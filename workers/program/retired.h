/*
 * Channels that are gone from the channels file while their calls are under way. A retired channel takes no
 * new call, but its calls' callbacks are verified and answered with its secrets, their silence is looked up
 * and they are hung up, until none of them is left.
 *
 * Life: gone from the file (SIGHUP) -> retired, at least IVR_UNKNOWN_CALLBACK_KEEP, because other workers may
 * not have read the file yet -> no call of it is under way in any shard -> forgotten; or back in the file,
 * which then holds. A process that starts later does not know it.
 */
#ifndef IVR_WORKERS_RETIRED_H
#define IVR_WORKERS_RETIRED_H

#include "common/run/loop.h"
#include "workers/providers/channels.h"
#include "workers/store/store.h"

struct retired;

/* `keep_ms`: how long at least. `channels`: those that are there, for the metric. */
struct retired *retired_new(struct loop *loop, struct store *store, const struct channels *channels,
                            int64_t keep_ms);
/* No further questions to Redis, no further callbacks; before the store is freed. */
void retired_free(struct retired **retired);

/* The file was read again: what `old` has and `fresh` has not, by name and provider, is retired and warned
 * of. */
void retired_take(struct retired *retired, const struct channels *old, const struct channels *fresh);
/* NULL when there is none of the name and provider; SPAN_NONE: of any provider. Borrowed; channel_ref() to
 * keep. */
struct channel *retired_find(const struct retired *retired, struct span name, struct span provider);

#endif
