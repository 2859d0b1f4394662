/* Which channels have calls under way: being placed, ringing, talking, or in doubt. */
#ifndef IVR_CALLS_UNDER_WAY_H
#define IVR_CALLS_UNDER_WAY_H

#include "workers/store/store.h"

enum { UNDER_WAY_CHANNELS_MAX = 64, UNDER_WAY_CURSOR_MAX = 24 };

/* Those of the channels that have a call on this page of the shard; the next page begins at `cursor`, "0"
 * after the last. Borrowed until it returns. */
typedef void (*under_way_fn)(enum store_status status, struct span cursor, const struct span *channels,
                             size_t n, void *arg);
void under_way_page(struct store *store, unsigned shard, struct span cursor, const struct span *channels,
                    size_t n, under_way_fn fn, void *arg);

#endif
