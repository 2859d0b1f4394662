/* A request of a provider (a callback or a question what to do), after its channel was found and its
 * signature or token verified. */
#ifndef IVR_GATEWAY_RECEIVED_H
#define IVR_GATEWAY_RECEIVED_H

#include <stdbool.h>

#include "workers/gateway/gateway.h"
#include "workers/gateway/route.h"

struct received {
    const struct route *route;
    struct channel *channel; /* borrowed from the worker's channels until control returns to the loop */
    const struct provider *provider;
    struct httpd_request *req;
    struct callback callback; /* as it came, its query without the token */
    struct span raw_query;    /* with it; undecoded, SPAN_NONE without a query */
    struct buf query;         /* owns the one without */
    enum verified verified;
};

/* The channel that the path names, of that provider. NULL: there is none, and the request is answered (404)
 * and counted. */
struct channel *received_channel(const struct gateway *g, struct httpd_request *req,
                                 const struct route *route);

/* True: it may be taken. False: it was answered (404 unknown channel or not of this provider, 405 a method
 * that the provider was never asked to use, 403 not verified) and counted. `route` must outlive it;
 * received_done() in any case. */
bool received_check(struct gateway *g, struct httpd_request *req, const struct route *route,
                    struct received *r);
void received_done(struct received *r);

/* How it is verified: by the provider's signature, or by the token in its query where the provider signs
 * nothing; over the path as it came, or as it was handed out (route_add_path). Pure. */
enum verified received_verify(const struct received *r, struct span public_url);

/* What was verified covers the path and so the reference in it, or there is nothing to verify. */
bool received_proves_path(const struct received *r);

/* Counts in ivr_callbacks_total; a path's provider that does not exist is counted as "other". */
void received_count(struct span provider, const char *result);
/* Each result of each provider, so that the first one that Kafka does not take is an increase. */
void received_count_from_zero(void);

#endif
