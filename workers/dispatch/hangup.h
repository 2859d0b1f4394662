/*
 * Hanging up: the provider of a cancelled call is asked to end it, where it can be asked (hang_up of struct
 * provider; Africa's Talking cannot). What became of the call its reports say, as always: an answer here is
 * no evidence. Asked again (hangup.lua: eight times at most, further and further apart) until the provider
 * has answered or the call is over.
 *
 * At most HANGUP_MAX are out at once, in transfer slots of their own.
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
/* Without room, or while the channel is gone from the file, nothing happens: it is offered again. */
void hangup_start(struct hangups *hangups, const struct control_hangup *item);

#endif
