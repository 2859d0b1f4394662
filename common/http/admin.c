#include "common/http/admin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/descriptors.h"
#include "common/base/mem.h"
#include "common/http/httpd.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum {
    MAX_CHECKS = 16,
    MIN_CONNECTIONS = 4, /* a scraper, the orchestrator's probes, a person: none needs many */
    MAX_CONNECTIONS = 32,
    /* A page of metrics that is not taken at once, and the heads of requests. */
    MAX_MEMORY = 20 * 1024 * 1024,
    MAX_WHY = 2048, /* four topics with long names */
    MAX_PAGE = 16 * 1024 * 1024,
    /* Longer than the usual scrape interval of 15 s, so that its connection is kept. */
    IDLE_TIMEOUT_MS = 30 * 1000,
    REQUEST_TIMEOUT_MS = 1000, /* far below a probe's, so that what drips in cannot keep one out */
};

#define ONE_CHECK "/readyz/"
enum { ONE_N = sizeof(ONE_CHECK) - 1 };

struct check {
    const char *name;
    admin_check_fn fn;
    void *arg;
};

struct admin {
    struct httpd *server;
    struct check checks[MAX_CHECKS];
    int checks_n;
    bool draining;
    struct buf page; /* reused, so that a scrape does not allocate */
};

static void reply_text(struct httpd_request *req, int status, const char *text)
{
    httpd_reply(req, status, "text/plain; charset=utf-8", span_str(text), "Cache-Control: no-store\r\n");
}

/* Every failing check in one answer, so that one look at it is enough. `only`: the name of
 * the one that is asked for, SPAN_NONE for all of them. */
static void reply_ready(struct admin *admin, struct httpd_request *req, struct span only)
{
    struct buf why;
    bool known = only.p == NULL;
    buf_clear(&admin->page);
    if (admin->draining)
        buf_adds(&admin->page, "draining\n");
    buf_init(&why, MAX_WHY);
    for (int i = 0; i < admin->checks_n; i++) {
        const struct check *check = &admin->checks[i];
        if (only.p != NULL && !span_is(only, check->name))
            continue;
        known = true;
        buf_clear(&why);
        if (!check->fn(check->arg, &why))
            buf_addf(&admin->page, "%s: %s\n", check->name, why.n ? why.p : "not ready");
    }
    buf_done(&why);
    if (!known)
        reply_text(req, 404, "no such check, /readyz has all of them\n");
    else if (admin->page.n)
        reply_text(req, 503, admin->page.p);
    else
        reply_text(req, 200, "ready\n");
}

static void reply_metrics(struct admin *admin, struct httpd_request *req)
{
    buf_clear(&admin->page);
    metrics_render(&admin->page);
    httpd_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_span(&admin->page), NULL);
}

static void on_request(struct httpd_request *req, void *arg)
{
    struct admin *admin = arg;
    struct span path = httpd_path(req);
    const char *method = httpd_method(req);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        httpd_reply(req, 405, "text/plain", SPAN_LIT("GET only\n"), "Allow: GET, HEAD\r\n");
    else if (span_is(path, "/metrics"))
        reply_metrics(admin, req);
    else if (span_is(path, "/healthz"))
        reply_text(req, 200, "ok\n");
    else if (span_is(path, "/readyz"))
        reply_ready(admin, req, SPAN_NONE);
    else if (path.n > ONE_N && memcmp(path.p, ONE_CHECK, ONE_N) == 0)
        reply_ready(admin, req, span_of(path.p + ONE_N, path.n - ONE_N));
    else
        reply_text(req, 404, "try /metrics, /healthz or /readyz\n");
}

/* What is open here, a call that is to be placed cannot open: of few descriptors a sixteenth has to do. */
static unsigned most_connections(void)
{
    int share = descriptors_limit() / 16;
    return share < MIN_CONNECTIONS   ? MIN_CONNECTIONS
           : share > MAX_CONNECTIONS ? MAX_CONNECTIONS
                                     : (unsigned)share;
}

int admin_start(struct admin **admin_at, struct loop *loop, const char *listen, struct err *err)
{
    struct admin *admin = mem_calloc(1, sizeof(*admin));
    const struct httpd_options options = {.name = "admin",
                                          .listen = listen,
                                          .max_body = 1024,
                                          .max_memory = MAX_MEMORY,
                                          .max_connections = most_connections(),
                                          .idle_timeout_ms = IDLE_TIMEOUT_MS,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                          .handler = on_request,
                                          .arg = admin};
    int rc = httpd_start(&admin->server, loop, &options, err);
    if (rc) {
        free(admin);
        return rc;
    }
    buf_init(&admin->page, MAX_PAGE);
    *admin_at = admin;
    LOG_INFO("admin listener is up", LOG_STR("admin_listen", httpd_address(admin->server)));
    return 0;
}

const char *admin_address(const struct admin *admin)
{
    return httpd_address(admin->server);
}

void admin_add_check(struct admin *admin, const char *name, admin_check_fn fn, void *arg)
{
    assert(admin->checks_n < MAX_CHECKS);
    admin->checks[admin->checks_n++] = (struct check){name, fn, arg};
}

void admin_drain(struct admin *admin)
{
    admin->draining = true;
}

void admin_stop(struct admin **admin_at)
{
    struct admin *admin = *admin_at;
    if (!admin)
        return;
    *admin_at = NULL;
    httpd_stop(&admin->server);
    buf_done(&admin->page);
    free(admin);
}
