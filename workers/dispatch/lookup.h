/*
 * Look-ups: an attempt of which nothing was heard for IVR_PENDING_CHECK is asked for at its provider. What
 * the provider says is evidence like any other; "not found" and whatever is unclear say nothing, and never
 * permit a redial.
 *
 * At most LOOKUP_MAX are out at once, in transfer slots of their own, so that they never stand in the way of
 * a placement.
 */
#ifndef IVR_DISPATCH_LOOKUP_H
#define IVR_DISPATCH_LOOKUP_H

#include "workers/dispatch/dispatch.h"

enum { LOOKUP_MAX = 8 };

struct lookups;

struct lookups *lookups_new(struct dispatch *dispatch);
void lookups_free(struct lookups **lookups);
/* How many more may start. */
unsigned lookups_room(const struct lookups *lookups);
/* Asks the provider; nothing happens when the channel is gone, its provider cannot be asked, or there is no
 * room: it is offered again. */
void lookup_start(struct lookups *lookups, const struct store_settled *item);

#endif
