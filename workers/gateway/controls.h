/*
 * What operators say over HTTP, as ivrctl says it (workers/calls/control.h, dnc.h):
 *
 *     POST              /v1/campaigns/{tenant}/{campaign}/{pause|resume|cancel}    [?ahead=true]
 *     POST              /v1/tenants/{tenant}/{pause|resume|cancel}
 *     POST              /v1/channels/{name}/{pause|resume|cancel}
 *     POST              /v1/calls/{tenant}/{call_id}/{pause|resume|cancel}
 *     GET, PUT, DELETE  /v1/dnc/{tenant or *}/{number}
 *
 * Answers to a POST:
 *
 *     200   {"kind", "name", "state": "running" | "paused" | "cancelled", "affected": how many calls}
 *     400   the body is not {"reason": "a text"}; it is optional
 *     404   it is unknown; a campaign is until its first request, unless ?ahead=true
 *     409   it cannot be done: pause of a call that is on its way, anything of one that is over,
 *           pause of what is cancelled
 *
 * Of a do-not-call list: 200 {"list", "listed"}. GET says whether the tenant may not call that number, by its
 * own list or by everybody's.
 *
 * All: 503 when Redis does not answer in time. Then it may hold for a part of the calls: send it again.
 */
#ifndef IVR_GATEWAY_CONTROLS_H
#define IVR_GATEWAY_CONTROLS_H

#include "workers/gateway/gateway.h"
#include "workers/gateway/route.h"

void controls_say(struct gateway *g, struct httpd_request *req, const struct route *route);
void controls_dnc(struct gateway *g, struct httpd_request *req, const struct route *route);

#endif
