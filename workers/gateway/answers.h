/* What a call should do now, in the provider's language: POST or GET /answer/..., and callbacks that ask. */
#ifndef IVR_GATEWAY_ANSWERS_H
#define IVR_GATEWAY_ANSWERS_H

#include "workers/gateway/callback_record.h"

/*
 * 200 with the document for the request's message; 404 with a document that hangs up for a call that is
 * unknown or was dropped (an id that is not linked yet is waited for); 503 when Redis does not answer in
 * time, so that the provider's fallback takes over.
 */
void answers_serve(struct gateway *g, struct httpd_request *req, const struct route *route);

/*
 * The same for a callback that also asks: prepared while the request is read, started (which answers it) once
 * the callback itself is safe, or dropped. A call that is unknown or was dropped gets the document that hangs
 * up with 200: the callback was taken, and the provider is not to send it again.
 */
struct answer;
struct answer *answers_prepare(struct gateway *g, const struct received *r,
                               const struct callback_record *record);
void answers_start(struct answer *answer);
void answers_drop(struct answer *answer);

#endif
