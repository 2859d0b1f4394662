/*
 * What adapters share in reading the reply to a placement: the evidence that goes with each kind of verdict,
 * so that the seven statuses are said in one place.
 */
#ifndef IVR_PROVIDERS_REPLY_H
#define IVR_PROVIDERS_REPLY_H

#include "workers/providers/provider.h"

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
