/*
 * ivr-gateway: what providers and clients talk to over HTTP. It opens the public listener, takes callbacks
 * and answers "what should the call do" until SIGTERM, answers what is in, and leaves.
 */
#include "common/base/descriptors.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/gateway/access.h"
#include "workers/gateway/answers.h"
#include "workers/gateway/callbacks.h"
#include "workers/gateway/controls.h"
#include "workers/gateway/deferred.h"
#include "workers/gateway/gateway.h"
#include "workers/gateway/received.h"
#include "workers/gateway/respond.h"
#include "workers/gateway/state.h"
#include "workers/gateway/submit.h"

enum {
    MAX_CONNECTIONS = 10000,
    /* Longer than the 60 s after which common proxies drop a connection: so they, not we, end it. */
    IDLE_TIMEOUT_MS = 75000,
    /* 4 MiB over a slow connection; providers give up on a callback after 15 s. */
    REQUEST_TIMEOUT_MS = 30000,
    /* Of what is being received and sent: a quarter of what the pod may have. */
    MAX_MEMORY = 48 * 1024 * 1024,
    SPARE_DESCRIPTORS = 64, /* for Kafka's brokers, Redis' nodes and the admin listener */
    QUIET_LOOKS = 3,        /* of the drain, 20 ms apart: the last replies are on the wire by then */
};

static const struct worker_info info = {
    .name = "ivr-gateway",
    .sentence = "Takes providers' callbacks, tells calls what to do, and takes call requests over HTTP.",
    .examples = "  IVR_PUBLIC_URL=https://ivr.example.org IVR_GATEWAY_LISTEN=0.0.0.0:8080 ivr-gateway\n"
                "  ivr-gateway --check\n",
    .channels = true,
    .without_redis = true, /* callbacks are safe on the topic */
};

/* ---- requests ---- */

static bool is_v1(enum route_kind kind)
{
    return kind != ROUTE_NONE && kind != ROUTE_CALLBACK && kind != ROUTE_ANSWER;
}

static bool may_use_v1(const struct gateway *g, const struct httpd_request *req)
{
    const char *token = g->worker.settings->api_token;
    return token != NULL && access_granted(httpd_header(req, "Authorization"), token);
}

static void refuse_method(const struct gateway *g, struct httpd_request *req, enum route_kind kind)
{
    char allow[64];
    bool asks = strcmp(httpd_method(req), "OPTIONS") == 0;
    (void)snprintf(allow, sizeof(allow), "Allow: %s\r\n", route_methods(kind));
    if (asks)
        respond(g, req, 204, NULL, SPAN_NONE, allow);
    else
        respond(g, req, 405, "application/json",
                SPAN_LIT("{\"error\":\"this path does not take the method\"}"), allow);
}

static void serve(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    switch (route->kind) {
    case ROUTE_CALLBACK:
        callbacks_serve(g, req, route);
        return;
    case ROUTE_ANSWER:
        answers_serve(g, req, route);
        return;
    case ROUTE_CALLS:
        submit_calls(g, req);
        return;
    case ROUTE_CALL:
        state_call(g, req, route);
        return;
    case ROUTE_CAMPAIGN:
        state_campaign(g, req, route);
        return;
    case ROUTE_CONTROL:
        controls_say(g, req, route);
        return;
    case ROUTE_DNC:
        controls_dnc(g, req, route);
        return;
    case ROUTE_NONE:
    case ROUTE_V1:
        break;
    }
    respond_error(g, req, 404, "nothing is here");
}

static void on_request(struct httpd_request *req, void *arg)
{
    struct gateway *g = arg;
    struct route route;
    route_read(&route, httpd_path(req), g->public_path);
    serve(g, req, &route);
}

static void refuse_path(const struct gateway *g, struct httpd_request *req, const struct route *route)
{
    if (route->stray)
        received_count(route->provider, "unknown_path");
    respond_error(g, req, 404, "nothing is here");
}

/*
 * All that a request must have before its body is read, so that only who may send one fills memory. The
 * signature alone is missing: it is over the body.
 */
static size_t admit(struct httpd_request *req, void *arg)
{
    struct gateway *g = arg;
    struct route route;
    const char *method = httpd_method(req);
    route_read(&route, httpd_path(req), g->public_path);
    bool v1 = is_v1(route.kind);
    if (route.kind == ROUTE_NONE || (v1 && g->worker.settings->api_token == NULL))
        refuse_path(g, req, &route);
    else if (v1 && !may_use_v1(g, req))
        respond_error(g, req, 401, "this needs the bearer token of IVR_API_TOKEN");
    else if (route.kind == ROUTE_V1)
        respond_error(g, req, 404, "nothing is here");
    else if (!route_takes(route.kind, method) || strcmp(method, "OPTIONS") == 0)
        refuse_method(g, req, route.kind);
    else if (!v1)
        (void)received_channel(g, req, &route);
    return route.kind == ROUTE_CALLS ? GATEWAY_MAX_CALLS : GATEWAY_MAX_CALLBACK;
}

/* Its body was not taken: 413 or 503. */
static void on_refused(const struct httpd_request *req, int status, void *arg)
{
    const struct gateway *g = arg;
    struct route route;
    route_read(&route, httpd_path(req), g->public_path);
    if (route.kind == ROUTE_CALLBACK || route.kind == ROUTE_ANSWER)
        received_count(route.provider, status == 413 ? "too_large" : "unavailable");
}

/* ---- opening and draining ---- */

static void collect(void *arg)
{
    const struct gateway *g = arg;
    metric_set(metric_series(M_IN_FLIGHT, NULL, NULL),
               g->server != NULL ? (double)httpd_open_requests(g->server) : 0);
}

/* Under a small limit a quarter has to do. */
static unsigned spare_descriptors(void)
{
    unsigned quarter = (unsigned)descriptors_limit() / 4;
    return quarter < SPARE_DESCRIPTORS ? quarter : SPARE_DESCRIPTORS;
}

static int open_gateway(struct gateway *g, struct err *err)
{
    const struct settings *s = g->worker.settings;
    struct url_parts parts;
    g->public_url = span_str(s->public_url);
    if (s->public_url != NULL && url_split(g->public_url, &parts, NULL) == 0)
        g->public_path = parts.path;
    kafka_producer_needs_topic(g->worker.producer, s->topics[TOPIC_CALLBACKS]);
    kafka_producer_needs_topic(g->worker.producer, s->topics[TOPIC_CALL_REQUESTS]);
    const struct httpd_options options = {.name = "gateway",
                                          .listen = s->gateway_listen,
                                          .max_body = GATEWAY_MAX_CALLS,
                                          .max_memory = MAX_MEMORY,
                                          .max_connections = MAX_CONNECTIONS,
                                          .spare_descriptors = spare_descriptors(),
                                          .idle_timeout_ms = IDLE_TIMEOUT_MS,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                          .admit = admit,
                                          .refused = on_refused,
                                          .handler = on_request,
                                          .arg = g};
    int rc = httpd_start(&g->server, g->worker.loop, &options, err);
    if (rc != 0)
        return err_prefix(err, "IVR_GATEWAY_LISTEN");
    deferred_open(g);
    received_count_from_zero();
    (void)metric_series(M_STORED_UNREAD, "unreadable", NULL);
    metric_on_collect(collect, g);
    LOG_INFO("the gateway listens", LOG_STR("gateway_listen", httpd_address(g->server)));
    return 0;
}

static void quiesce(void *arg)
{
    httpd_quiesce(((struct gateway *)arg)->server);
}

static size_t busy(void *arg)
{
    struct gateway *g = arg;
    size_t open = httpd_open_requests(g->server);
    g->quiet_looks = open == 0 ? g->quiet_looks + 1 : 0;
    return open > 0 ? open : g->quiet_looks < QUIET_LOOKS;
}

/* What Kafka and Redis still answer finds no server any more and says nothing. */
static void close_gateway(struct gateway *g)
{
    deferred_close(g);
    httpd_stop(&g->server);
}

int main(int argc, char **argv)
{
    static struct gateway gateway; /* callbacks of the worker's parts reach it until worker_close() is over */
    struct err err = ERR_INIT;
    int rc = worker_open(&gateway.worker, &info, argc, argv);
    if (rc >= 0)
        return rc;
    if (open_gateway(&gateway, &err) != 0)
        return worker_fail(&gateway.worker, &err);
    worker_run(&gateway.worker, &(struct worker_drain){.quiesce = quiesce, .busy = busy, .arg = &gateway});
    close_gateway(&gateway);
    return worker_close(&gateway.worker);
}
