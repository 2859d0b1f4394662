/*
 * What operators say over HTTP, as ivrctl says it (workers/calls/control.h, dnc.h):
 *
 *     POST /v1/campaigns/{tenant}/{campaign}/pause      resume, cancel; "?ahead=true": also before its first
 * request POST /v1/tenants/{tenant}/pause POST /v1/channels/{name}/pause POST
 * /v1/calls/{tenant}/{call_id}/pause 200 {"kind", "name", "state": "running" | "paused" | "cancelled"}; 404
 * unknown; 409 when it cannot be done: pause of a call that is on its way, resume or cancel of one that is
 * over GET, PUT, DELETE /v1/dnc/{tenant or *}/{number} 200 {"list", "listed"}; GET: whether the tenant may
 * not call that number, by its list or everybody's
 *
 * 503 when Redis does not answer in time: then it may hold for a part of the calls, say it again.
 */
#ifndef IVR_GATEWAY_CONTROLS_H
#define IVR_GATEWAY_CONTROLS_H

#include "workers/gateway/gateway.h"
#include "workers/gateway/route.h"

void controls_say(struct gateway *g, struct httpd_request *req, const struct route *route);
void controls_dnc(struct gateway *g, struct httpd_request *req, const struct route *route);

#endif
