/*
 * Look-ups: where no report of an attempt came for IVR_PENDING_CHECK, its provider is asked for it. What the provider
 * says is evidence like any other. "Not found", and whatever is unclear, is no evidence and never permits a redial.
 *
 * An attempt in doubt has no id to ask by. Where the provider lists calls by number (find of struct provider), the one
 * call to that number whose time fits, and which is no other attempt's, is the attempt's call. It is linked, so that
 * callbacks which name only the id find the attempt, and what the provider says of it ends the doubt.
 *
 * At most RECONCILE_MAX requests are on their way at once, in transfer slots of their own, so that they never stand in
 * the way of a placement.
 */
#ifndef IVR_DISPATCH_RECONCILE_H
#define IVR_DISPATCH_RECONCILE_H

#include "workers/calls/settle.h"
#include "workers/dispatch/dispatch.h"

enum { RECONCILE_MAX = 8 };

struct reconciler;

struct reconciler *reconciler_new(struct dispatch *dispatch);
void reconciler_free(struct reconciler **reconciler);
/* How many more may start. */
unsigned reconciler_room(const struct reconciler *reconciler);
/* Asks the provider. Nothing happens where the channel is gone, its provider cannot be asked, or there is no room: Redis
 * offers the item again. */
void reconcile_start(struct reconciler *reconciler, const struct calls_settled *item);

#endif
