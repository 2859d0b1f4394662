#include "workers/gateway/respond.h"

#include "common/json/json.h"

void respond(const struct gateway *g, struct httpd_request *req, int status, const char *type,
             struct span body, const char *extra)
{
    if (g->server != NULL)
        httpd_reply(req, status, type, body, extra);
}

void respond_empty(const struct gateway *g, struct httpd_request *req, int status)
{
    respond(g, req, status, NULL, SPAN_NONE, NULL);
}

void respond_json(const struct gateway *g, struct httpd_request *req, int status, struct span json)
{
    respond(g, req, status, "application/json", json, NULL);
}

static void respond_sentence(const struct gateway *g, struct httpd_request *req, int status,
                             const char *sentence, const char *extra)
{
    struct buf b;
    buf_init(&b, 8 * 1024);
    buf_addc(&b, '{');
    json_kstrz(&b, "error", sentence);
    buf_addc(&b, '}');
    respond(g, req, status, "application/json", buf_span(&b), extra);
    buf_done(&b);
}

void respond_error(const struct gateway *g, struct httpd_request *req, int status, const char *sentence)
{
    const char *extra = status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL;
    respond_sentence(g, req, status, sentence, extra);
}

void respond_unavailable(const struct gateway *g, struct httpd_request *req, const char *sentence)
{
    respond_sentence(g, req, 503, sentence, "Retry-After: 1\r\n");
}
