/*
 * What adapters share in reading the reply to a placement: the evidence that goes with each kind of verdict,
 * so that the seven statuses are said in one place.
 */
#ifndef IVR_PROVIDERS_REPLY_H
#define IVR_PROVIDERS_REPLY_H

#include "workers/providers/provider.h"

/* What a complete reply to a placement says. The adapter reads it (provider.h), except for replies that no
 * provider sends but something before it does, or another address: a redirect (301, 302, 303, 307, 308),
 * which we never follow, and a proxy's 407. Nothing was placed then, and the channel is what is wrong:
 * PLACED_CHANNEL. */
bool reply_is_redirect(int status);
void reply_read(const struct channel *channel, const struct http_reply *reply, struct placed *out);

/* Starts `out`: in doubt, nothing said. */
void reply_begin(struct placed *out);
/* The verdict, with the status that it means: Pending; Failed_unknown_reason for a refusal, for good or for
 * now; Gateway_unavailable in doubt. The reason is set before or after. */
void reply_settle(struct placed *out, enum placed_kind kind);
/* The reason of last resort: "HTTP 502" and a sentence, which may be "". */
void reply_http_reason(struct placed *out, int status, const char *detail);
/* In doubt, for a reply that is neither a call nor a refusal. */
void reply_in_doubt(struct placed *out, int status, const char *detail);

#endif
