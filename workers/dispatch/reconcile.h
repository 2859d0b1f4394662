/*
 * Look-ups: an attempt of which nothing was heard for IVR_PENDING_CHECK is asked for at its provider. What
 * the provider says is evidence like any other; "not found" and whatever is unclear say nothing, and never
 * permit a redial.
 *
 * An attempt in doubt has no id to ask by. Where the provider lists calls by number (find of struct
 * provider), it is the one call to that number whose time fits and which is no other attempt's: then it is
 * linked, so that callbacks which name only the id find it, and what the provider says of it ends the doubt.
 *
 * At most RECONCILE_MAX are out at once, in transfer slots of their own, so that they never stand in the way
 * of a placement.
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
/* Asks the provider; nothing happens when the channel is gone, its provider cannot be asked, or there is no
 * room: it is offered again. */
void reconcile_start(struct reconciler *reconciler, const struct calls_settled *item);

#endif
