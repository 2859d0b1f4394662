/*
 * Hanging up: asks the provider of a cancelled call to end it, where the provider can be asked (hang_up of struct
 * provider; Africa's Talking cannot). The answer is no evidence: what became of the call comes with its reports, as
 * always. The provider is asked until it has answered or the call is over, eight times at most, further and further
 * apart (hangup.lua).
 *
 * At most HANGUP_MAX requests are on their way at once, in transfer slots of their own.
 */
#ifndef IVR_DISPATCH_HANGUP_H
#define IVR_DISPATCH_HANGUP_H

#include "workers/calls/control.h"
#include "workers/dispatch/dispatch.h"

enum { HANGUP_MAX = 16 };

struct hangups;

struct hangups *hangups_new(struct dispatch *dispatch);
void hangups_free(struct hangups **hangups);
/* How many more may start. */
unsigned hangups_room(const struct hangups *hangups);
/* Without room, or where the channel is gone from the file, nothing happens: Redis offers the item again. */
void hangup_start(struct hangups *hangups, const struct control_hangup *item);

#endif
