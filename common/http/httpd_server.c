#include "common/http/httpd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/mem.h"
#include "common/http/httpd_private.h"

enum {
    MAX_MEMORY = 64 * 1024 * 1024, /* where the options name none */
    LINGER_MS = 2000,              /* enough for what was on its way when the reply left */
    REPLY_HEAD_MAX = 64 * 1024,
};

/* ---- start and stop ---- */

static void take_options(struct httpd *server, const struct httpd_options *options)
{
    struct httpd_options *o = &server->options;
    *o = *options;
    o->listen = NULL;
    if (o->name == NULL)
        o->name = "http";
    if (o->max_memory == 0)
        o->max_memory = MAX_MEMORY;
    if (o->request_timeout_ms == 0)
        o->request_timeout_ms = 2 * o->idle_timeout_ms;
    server->timeouts_ms[CONN_IDLE] = o->idle_timeout_ms;
    server->timeouts_ms[CONN_READING] = o->request_timeout_ms;
    server->timeouts_ms[CONN_SENDING] = o->idle_timeout_ms;
    server->timeouts_ms[CONN_LINGERING] = o->idle_timeout_ms < LINGER_MS ? o->idle_timeout_ms : LINGER_MS;
}

static void take_limits(struct httpd *server)
{
    int limit = descriptors_limit();
    server->max_fd = limit - (int)server->options.spare_descriptors;
    server->max_connections = server->options.max_connections;
}

static void open_metrics(struct httpd *server)
{
    static const char *const reasons[REASONS] = {[REASON_FULL] = "full",
                                                 [REASON_DESCRIPTORS] = "descriptors",
                                                 [REASON_MEMORY] = "memory",
                                                 [REASON_LATE] = "late",
                                                 [REASON_MALFORMED] = "malformed"};
    const char *name = server->options.name;
    server->connections_metric = metric_series(M_HTTP_CONNECTIONS, name, NULL);
    for (int i = 0; i < REASONS; i++)
        server->refused_metric[i] = metric_series(M_HTTP_REFUSED, name, reasons[i]);
}

static void join_loop(struct httpd *server)
{
    uv_loop_t *uv = loop_uv(server->loop);
    int rc = uv_poll_init(uv, &server->poll, server->fd) | uv_timer_init(uv, &server->sweep);
    assert(rc == 0);
    server->poll.data = server->sweep.data = server;
    server->handles = 2;
    server->soon = loop_soon_new(server->loop, conns_take_turns, server);
    listener_start(server);
}

int httpd_start(struct httpd **server_at, struct loop *loop, const struct httpd_options *options,
                struct err *err)
{
    struct httpd *server = mem_calloc(1, sizeof(*server));
    int rc = listener_open(server, options->listen, err);
    if (rc) {
        free(server);
        return rc;
    }
    server->loop = loop;
    buf_init(&server->reply_head, REPLY_HEAD_MAX);
    take_options(server, options);
    take_limits(server);
    open_metrics(server);
    join_loop(server);
    *server_at = server;
    return 0;
}

const char *httpd_address(const struct httpd *server)
{
    return server->address;
}

void httpd_quiesce(struct httpd *server)
{
    if (server->quiesced)
        return;
    server->quiesced = true;
    server->accepting = false;
    (void)uv_poll_stop(&server->poll);
    close(server->fd);
    server->fd = -1;
}

size_t httpd_open_requests(const struct httpd *server)
{
    return server->lists[CONN_SERVING].n;
}

static void on_closed(uv_handle_t *handle)
{
    struct httpd *server = handle->data;
    server->handles--;
    if (server->handles == 0)
        free(server);
}

void httpd_stop(struct httpd **server_at)
{
    struct httpd *server = *server_at;
    if (!server)
        return;
    *server_at = NULL;
    httpd_quiesce(server);
    for (int state = 0; state < CONN_LISTS; state++)
        while (server->lists[state].first != NULL)
            conn_close(server->lists[state].first);
    conn_free_spare(server);
    buf_done(&server->reply_head);
    loop_soon_free(&server->soon);
    uv_close((uv_handle_t *)&server->poll, on_closed);
    uv_close((uv_handle_t *)&server->sweep, on_closed);
}

/* ---- what a handler asks ---- */

const char *httpd_method(const struct httpd_request *req)
{
    return req->head.method;
}

struct span httpd_target(const struct httpd_request *req)
{
    return req->head.target;
}

struct span httpd_path(const struct httpd_request *req)
{
    struct span target = req->head.target;
    const char *mark = memchr(target.p, '?', target.n);
    return span_of(target.p, mark ? (size_t)(mark - target.p) : target.n);
}

struct span httpd_query(const struct httpd_request *req)
{
    struct span target = req->head.target;
    size_t path_n = httpd_path(req).n;
    if (path_n == target.n)
        return SPAN_NONE;
    return span_of(target.p + path_n + 1, target.n - path_n - 1);
}

struct span httpd_body(const struct httpd_request *req)
{
    return buf_span(&req->body);
}

struct span httpd_header(const struct httpd_request *req, const char *name)
{
    return strcasecmp(name, "Host") == 0 ? req->head.host : httpd_head_field(&req->head, name);
}

int64_t httpd_received_wall_ms(const struct httpd_request *req)
{
    return req->received_wall_ms;
}
