/* GET /v1/calls/{tenant}/{call_id} and /v1/campaigns/{tenant}/{campaign}: state as JSON, 404 when unknown,
 * 503 without Redis. */
#ifndef IVR_GATEWAY_STATE_H
#define IVR_GATEWAY_STATE_H

#include "workers/gateway/gateway.h"
#include "workers/gateway/route.h"

void state_call(struct gateway *g, struct httpd_request *req, const struct route *route);
void state_campaign(struct gateway *g, struct httpd_request *req, const struct route *route);

#endif
