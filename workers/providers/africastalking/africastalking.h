/*
 * Africa's Talking Voice. Credentials: username and api_key.
 *
 * One callback URL is registered for each rented number, in the provider's dashboard:
 * PUBLIC_URL/callbacks/africastalking/CHANNEL?token=SECRET. Requests with isActive=1 ask there what the call
 * should do; the one with isActive=0 closes it. The optional events URL may be the same. Nothing is signed,
 * so the token alone guards it; a call cannot be asked for; a ring or time limit cannot be set.
 *
 * A call is known by clientRequestId, our "tenant/call_id/attempt", where the provider echoes it, else by its
 * sessionId.
 */
#ifndef IVR_PROVIDERS_AFRICASTALKING_H
#define IVR_PROVIDERS_AFRICASTALKING_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "workers/providers/provider.h"

/* The text, SPAN_NONE where the provider says nothing: "" or the word "None". Its words come in capitals or
 * not, by who wrote that part of it: none is compared by case. */
struct span africastalking_said(struct span text);

/* As in struct provider. */
int africastalking_callback(const struct callback *callback, struct evidence *ev, struct err *err);
bool africastalking_callback_id(const struct callback *callback, struct buf *id);
bool africastalking_callback_ref(const struct callback *callback, struct buf *ref);
bool africastalking_callback_asks(const struct callback *callback);

#endif
