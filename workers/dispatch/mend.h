/*
 * A slow walk over all calls in Redis. A call that stands in no index waits for ever, because every worker finds its
 * calls by the indexes.
 *
 * No script of ours leaves a call without an index. It can happen where an operator changed Redis by hand, where Redis
 * was restored from half a file, or where it refused a script in its middle. So one of all dispatch workers walks: a
 * page of keys a second, and ten minutes of rest after each walk. mend.lua puts each call back into the index that it
 * belongs in. Calls that were put back are counted (ivr_calls_mended_total) and logged; there should be none.
 */
#ifndef IVR_DISPATCH_MEND_H
#define IVR_DISPATCH_MEND_H

#include "workers/dispatch/dispatch.h"

struct mending;

struct mending *mending_new(struct dispatch *dispatch);
/* No further pages. Requests that are on their way are still answered. */
void mending_stop(struct mending *mending);
void mending_free(struct mending **mending);

#endif
