#include "workers/gateway/received.h"

#include <string.h>

#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/gateway/query.h"
#include "workers/gateway/respond.h"

enum { QUERY_MAX = 64 * 1024 };

void received_count(struct span provider, const char *result)
{
    const struct provider *known = provider_by_name(provider);
    metric_count(M_CALLBACKS, known != NULL ? known->name : "other", result);
}

void received_count_from_zero(void)
{
    static const char *const results[] = {"accepted",     "bad_signature", "unknown_channel", "bad_method",
                                          "unknown_path", "too_large",     "unavailable"};
    size_t n;
    const struct provider *const *providers = provider_all(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < sizeof(results) / sizeof(results[0]); j++)
            (void)metric_series(M_CALLBACKS, providers[i]->name, results[j]);
}

static struct span header_of(const struct callback *callback, const char *name)
{
    return httpd_header(callback->arg, name);
}

static void read_callback(struct received *r)
{
    r->raw_query = httpd_query(r->req);
    buf_init(&r->query, QUERY_MAX);
    query_add_without_token(&r->query, r->raw_query);
    r->callback = (struct callback){
        .method = httpd_method(r->req),
        .target = httpd_target(r->req),
        .query = r->raw_query.p != NULL ? buf_span(&r->query) : SPAN_NONE,
        .content_type = httpd_header(r->req, "Content-Type"),
        .body = httpd_body(r->req),
        .received_ms = httpd_received_wall_ms(r->req),
        .header = header_of,
        .arg = r->req,
    };
}

/* ---- verifying ---- */

static bool token_fits(const struct received *r, struct span token)
{
    const struct route *route = r->route;
    bool fits = channel_token_ok(r->channel, route->path, route->attempt == 0, token);
    struct buf path;
    buf_init(&path, QUERY_MAX);
    for (int spelling = 0; spelling < ROUTE_SPELLINGS && !fits; spelling++) {
        buf_clear(&path);
        route_add_path(&path, route, (enum route_spelling)spelling);
        fits = channel_token_ok(r->channel, buf_span(&path), false, token);
    }
    buf_done(&path);
    return fits;
}

/* The channels file refuses a channel without a secret unless it is insecure or on loopback, so here nothing
 * is left to ask. */
static enum verified verify_token(const struct received *r)
{
    struct buf token;
    if (r->channel->callback_secrets[0] == NULL)
        return VERIFIED_NONE;
    buf_init(&token, QUERY_MAX);
    bool fits = query_add_token(&token, r->raw_query) && token_fits(r, buf_span(&token));
    buf_done(&token);
    return fits ? VERIFIED_TOKEN : VERIFIED_NO;
}

/* A signature is over the URL that was handed out; a proxy may have spelled its path otherwise since. */
static enum verified verify_signature(const struct received *r, struct span public_url)
{
    const struct provider *provider = r->provider;
    enum verified verified = provider->verify(r->channel, public_url, &r->callback);
    struct buf target;
    buf_init(&target, QUERY_MAX);
    for (int spelling = 0; spelling < ROUTE_SPELLINGS && verified == VERIFIED_NO; spelling++) {
        struct callback callback = r->callback;
        buf_clear(&target);
        route_add_path(&target, r->route, (enum route_spelling)spelling);
        if (span_eq(buf_span(&target), r->route->path))
            continue;
        if (r->raw_query.p != NULL) {
            buf_addc(&target, '?');
            buf_addspan(&target, r->raw_query);
        }
        callback.target = buf_span(&target);
        verified = provider->verify(r->channel, public_url, &callback);
    }
    buf_done(&target);
    return verified;
}

enum verified received_verify(const struct received *r, struct span public_url)
{
    if (r->provider->verify == NULL)
        return verify_token(r);
    enum verified verified = verify_signature(r, public_url);
    bool may_be_none = !r->provider->signs_callbacks && r->channel->callback_secrets[0] == NULL;
    return verified == VERIFIED_NONE && !may_be_none ? VERIFIED_NO : verified;
}

/* ---- checking ---- */

struct channel *received_channel(const struct gateway *g, struct httpd_request *req,
                                 const struct route *route)
{
    struct channel *channel = worker_channel(&g->worker, route->channel, route->provider);
    if (channel != NULL)
        return channel;
    received_count(route->provider, "unknown_channel");
    LOG_LIMITED(LOG_LEVEL_WARN, "request for an unknown channel, not taken",
                LOG_TEXT("provider", route->provider), LOG_TEXT("channel", route->channel));
    respond_error(g, req, 404, "no such channel of this provider");
    return NULL;
}

bool received_proves_path(const struct received *r)
{
    return r->verified != VERIFIED_SIGNATURE || !r->provider->signs_body_only;
}

bool received_check(struct gateway *g, struct httpd_request *req, const struct route *route,
                    struct received *r)
{
    *r = (struct received){.route = route, .req = req};
    read_callback(r);
    r->channel = received_channel(g, req, route); /* it was there before the body came; SIGHUP may be since */
    if (r->channel == NULL)
        return false;
    r->provider = r->channel->provider;
    if (strcmp(r->callback.method, "GET") == 0 && !r->provider->calls_by_get) {
        received_count(route->provider, "bad_method");
        respond(g, req, 405, "application/json",
                SPAN_LIT("{\"error\":\"this provider does not ask by GET\"}"), "Allow: POST, OPTIONS\r\n");
        return false;
    }
    r->verified = received_verify(r, g->public_url);
    if (r->verified != VERIFIED_NO)
        return true;
    received_count(route->provider, "bad_signature");
    LOG_LIMITED(LOG_LEVEL_WARN,
                "request that is not the provider's, not taken: its signature or token is wrong",
                LOG_STR("channel", r->channel->name), LOG_TEXT("path", route->path));
    respond_error(g, req, 403, "the signature or token does not fit");
    return false;
}

void received_done(struct received *r)
{
    buf_done(&r->query);
}
