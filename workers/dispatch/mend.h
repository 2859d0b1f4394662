/*
 * A slow walk over all calls in Redis: what stands in no index waits for ever, and nobody would ever look at
 * it.
 *
 * No script of ours leaves a call so. A Redis that an operator mended by hand, restored from half a file, or
 * that refused a script in its middle can. So once in ten minutes one of all dispatch workers walks: a page
 * of keys a second, each call looked at by mend.lua, which puts it back into the index that it belongs in.
 * What was mended is counted (ivr_calls_mended_total) and logged: it should be nothing.
 */
#ifndef IVR_DISPATCH_MEND_H
#define IVR_DISPATCH_MEND_H

#include "workers/dispatch/dispatch.h"

struct mending;

struct mending *mending_new(struct dispatch *dispatch);
/* No further pages; questions that are out are still answered. */
void mending_stop(struct mending *mending);
void mending_free(struct mending **mending);

#endif
