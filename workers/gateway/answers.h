/* POST or GET /answer/...: what the call should do now, in the provider's language. */
#ifndef IVR_GATEWAY_ANSWERS_H
#define IVR_GATEWAY_ANSWERS_H

#include "workers/gateway/received.h"

/*
 * 200 with the document for the request's message; 404 with a document that hangs up for a call that is
 * unknown or was dropped (an id that is not linked yet is waited for); 503 when Redis does not answer in
 * time, so that the provider's fallback takes over.
 */
void answers_serve(struct gateway *g, struct httpd_request *req, const struct route *route);

#endif
