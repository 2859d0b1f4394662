/* POST or GET /callbacks/...: not acknowledged to the provider until Kafka has it. */
#ifndef IVR_GATEWAY_CALLBACKS_H
#define IVR_GATEWAY_CALLBACKS_H

#include "workers/gateway/gateway.h"
#include "workers/gateway/route.h"

/* Answers 204 on the brokers' ack (the call's instructions, answers.h, where the callback asks for them), 503
 * without one (the provider sends again), 403 or 404 as received.h says. */
void callbacks_serve(struct gateway *g, struct httpd_request *req, const struct route *route);

#endif
