/* Answers of the gateway. Each ends the request, and does nothing once the server is closed. */
#ifndef IVR_GATEWAY_RESPOND_H
#define IVR_GATEWAY_RESPOND_H

#include "workers/gateway/gateway.h"

void respond(const struct gateway *g, struct httpd_request *req, int status, const char *type,
             struct span body, const char *extra);
void respond_empty(const struct gateway *g, struct httpd_request *req, int status);
void respond_json(const struct gateway *g, struct httpd_request *req, int status, struct span json);
/* {"error": sentence} */
void respond_error(const struct gateway *g, struct httpd_request *req, int status, const char *sentence);
/* 503 that asks for another try in a second. */
void respond_unavailable(const struct gateway *g, struct httpd_request *req, const char *sentence);

#endif
