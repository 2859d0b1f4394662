#include "common/httpd.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    CONNECTION_MEMORY =
        16 * 1024, /* request line, headers and reply headers; 10,000 connections share a machine */
    MAX_TARGET = CONNECTION_MEMORY,
    DISCARD_MAX =
        1024 * 1024, /* so much of a too large body is read and thrown away, to give the 413 a chance */
    SPARE_REQUESTS = 1024,
    SPARE_BODY = 8 * 1024, /* a spare request keeps a body buffer up to this */
};

/* One TCP connection. `waits_since` is the time of its start or of its last reply. */
struct connection {
    struct connection *prev, *next;
    int fd;
    bool with_handler;
    int64_t waits_since_mono_ms;
};

/*
 * reading:  MHD still receives it; nobody outside knows of it
 * handling: inside the handler's call
 * waiting:  the handler returned without an answer; MHD has the connection suspended
 * answered: a reply (or the wish to drop) is there; MHD finishes it and tells on_completed, which ends its
 * life
 */
enum request_state { REQUEST_READING, REQUEST_HANDLING, REQUEST_WAITING, REQUEST_ANSWERED };

struct httpd_request {
    struct httpd_request *prev,
        *next; /* in `open` while handling or waiting, in `spare` (next only) when recycled */
    struct httpd *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    enum request_state state;
    bool begun; /* the headers were seen */
    bool too_large;
    size_t max_body;
    size_t discarded;
    const char *method; /* MHD's, as long as the request lives */
    struct buf target;
    struct buf body;
    int64_t received_wall_ms;
    int status;
    struct MHD_Response *response; /* NULL when answered: drop the connection */
};

struct httpd {
    struct MHD_Daemon *mhd;
    struct loop *loop;
    struct httpd_options options;
    char address[80];
    uv_poll_t poll;   /* MHD's epoll descriptor */
    uv_timer_t timer; /* MHD's next deadline, or "run it soon" */
    uv_timer_t sweep;
    int handles; /* of the three, not yet closed */
    bool quiesced;
    struct httpd_request *open;
    size_t open_n;
    struct httpd_request *spare;
    size_t spare_n;
    struct connection *connections;
};

/* ---- requests ---- */

static struct httpd_request *request_new(struct httpd *server)
{
    struct httpd_request *req = server->spare;
    if (req) {
        server->spare = req->next;
        server->spare_n--;
        req->next = NULL;
        return req;
    }
    req = mem_calloc(1, sizeof(*req));
    req->server = server;
    buf_init(&req->target, MAX_TARGET);
    buf_init(&req->body, server->options.max_body);
    return req;
}

static void request_free(struct httpd_request *req)
{
    buf_done(&req->target);
    buf_done(&req->body);
    free(req);
}

static void request_recycle(struct httpd_request *req)
{
    struct httpd *server = req->server;
    if (req->response)
        MHD_destroy_response(req->response);
    if (server->spare_n >= SPARE_REQUESTS || req->body.cap > SPARE_BODY) {
        request_free(req);
        return;
    }
    buf_clear(&req->target);
    buf_clear(&req->body);
    *req = (struct httpd_request){
        .server = server, .target = req->target, .body = req->body, .next = server->spare};
    server->spare = req;
    server->spare_n++;
}

/* The one place where a request changes its state; the list of open requests follows. */
static void request_move(struct httpd_request *req, enum request_state state)
{
    struct httpd *server = req->server;
    if (state == REQUEST_HANDLING) {
        assert(req->state == REQUEST_READING);
        req->next = server->open;
        if (req->next)
            req->next->prev = req;
        server->open = req;
        server->open_n++;
        req->connection->with_handler = true;
    } else if (state == REQUEST_ANSWERED) {
        assert(req->state == REQUEST_HANDLING || req->state == REQUEST_WAITING);
        if (req->prev)
            req->prev->next = req->next;
        else
            server->open = req->next;
        if (req->next)
            req->next->prev = req->prev;
        req->prev = req->next = NULL;
        server->open_n--;
    }
    req->state = state;
}

/* ---- MHD calls us ---- */

/* The request line is there. The target is kept here because MHD decodes it in place afterwards. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct httpd_request *req = request_new(arg);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    req->mhd = mhd;
    req->connection = info->socket_context;
    buf_adds(&req->target, target);
    return req;
}

static enum MHD_Result queue_text(struct httpd_request *req, int status, const char *text)
{
    char copy[64];
    size_t n = strlen(text);
    assert(n < sizeof(copy));
    memcpy(copy, text, n);
    struct MHD_Response *response = MHD_create_response_from_buffer(n, copy, MHD_RESPMEM_MUST_COPY);
    assert(response);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    enum MHD_Result rc = MHD_queue_response(req->mhd, (unsigned)status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result queue_too_large(struct httpd_request *req)
{
    return queue_text(req, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
}

static uint64_t declared_length(struct httpd_request *req)
{
    struct span text = httpd_header(req, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text.n ? strtoull(text.p, NULL, 10) : 0; /* MHD has refused what is no number */
}

static void note_too_large(struct httpd_request *req)
{
    const struct httpd_options *options = &req->server->options;
    req->too_large = true;
    if (options->too_large)
        options->too_large(req, options->arg);
}

/*
 * Headers are there, the body is not. A body that is much too large is refused before it is read (MHD then
 * closes the connection); one that is a little too large is read and dropped, because a peer that is busy
 * sending often does not look at a reply before it is done.
 */
static enum MHD_Result begin(struct httpd_request *req, const char *method)
{
    const struct httpd_options *options = &req->server->options;
    uint64_t length = declared_length(req);
    req->begun = true;
    req->method = method;
    req->max_body = options->max_body;
    if (options->body_limit) {
        size_t limit = options->body_limit(req, options->arg);
        req->max_body = limit < options->max_body ? limit : options->max_body;
    }
    if (length > req->max_body)
        note_too_large(req);
    if (req->too_large && length > DISCARD_MAX)
        return queue_too_large(req);
    return MHD_YES;
}

static enum MHD_Result take_body(struct httpd_request *req, const char *bytes, size_t *n)
{
    size_t got = *n;
    *n = 0;
    if (!req->too_large) {
        if (got <= req->max_body - req->body.n)
            buf_add(&req->body, bytes, got);
        else
            note_too_large(req);
    }
    if (req->too_large)
        req->discarded += got;
    return req->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* MHD_NO closes the connection without a reply. */
static enum MHD_Result finish(struct httpd_request *req)
{
    if (!req->response)
        return MHD_NO;
    enum MHD_Result rc = MHD_queue_response(req->mhd, (unsigned)req->status, req->response);
    MHD_destroy_response(req->response);
    req->response = NULL;
    return rc;
}

static enum MHD_Result hand_over(struct httpd_request *req)
{
    const struct httpd_options *options = &req->server->options;
    req->received_wall_ms = clock_wall_ms();
    request_move(req, REQUEST_HANDLING);
    options->handler(req, options->arg);
    if (req->state == REQUEST_ANSWERED)
        return finish(req);
    request_move(req, REQUEST_WAITING);
    MHD_suspend_connection(req->mhd);
    return MHD_YES;
}

/* MHD calls this after the headers, with each piece of the body, at the end, and after a suspended connection
 * resumed. */
static enum MHD_Result on_progress(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_n, void **req_at)
{
    struct httpd_request *req = *req_at;
    (void)arg, (void)mhd, (void)url, (void)version;
    if (!req->begun)
        return begin(req, method);
    if (*upload_n)
        return take_body(req, upload, upload_n);
    if (req->state == REQUEST_ANSWERED)
        return finish(req);
    if (req->too_large)
        return queue_too_large(req);
    return hand_over(req);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **req_at,
                         enum MHD_RequestTerminationCode why)
{
    struct httpd_request *req = *req_at;
    (void)arg, (void)mhd, (void)why;
    if (!req)
        return;
    *req_at = NULL;
    assert(req->state == REQUEST_READING || req->state == REQUEST_ANSWERED);
    req->connection->with_handler = false;
    req->connection->waits_since_mono_ms = clock_mono_ms();
    request_recycle(req);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **connection_at,
                          enum MHD_ConnectionNotificationCode what)
{
    struct httpd *server = arg;
    struct connection *c = *connection_at;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = mem_calloc(1, sizeof(*c));
        c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        c->waits_since_mono_ms = clock_mono_ms();
        c->next = server->connections;
        if (c->next)
            c->next->prev = c;
        server->connections = c;
        *connection_at = c;
        return;
    }
    if (c->prev)
        c->prev->next = c->next;
    else
        server->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    *connection_at = NULL;
    free(c);
}

/* ---- the loop calls us ---- */

static void on_timer(uv_timer_t *handle);

static void run_in_ms(struct httpd *server, uint64_t wait_ms)
{
    if (uv_is_active((const uv_handle_t *)&server->timer) && uv_timer_get_due_in(&server->timer) <= wait_ms)
        return; /* firing early is harmless and cheaper than moving the timer at every turn */
    int rc = uv_timer_start(&server->timer, on_timer, wait_ms, 0);
    assert(rc == 0);
}

static void run_mhd(struct httpd *server)
{
    unsigned long long wait_ms = 0;
    MHD_run(server->mhd);
    if (MHD_get_timeout(server->mhd, &wait_ms) == MHD_YES)
        run_in_ms(server, wait_ms);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    run_mhd(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    run_mhd(handle->data);
}

/*
 * MHD's own time-out starts again with every byte. This one bounds a request that arrives drop by drop: twice
 * the idle time after the connection's start or its last reply it must have been complete.
 */
static void on_sweep(uv_timer_t *handle)
{
    struct httpd *server = handle->data;
    int64_t oldest = clock_mono_ms() - 2 * server->options.idle_timeout_ms;
    for (struct connection *c = server->connections; c; c = c->next)
        if (!c->with_handler && c->waits_since_mono_ms < oldest)
            (void)shutdown(c->fd, SHUT_RDWR); /* MHD sees the end and closes */
}

/* ---- start and stop ---- */

/* "host:port", "[v6]:port", ":port" into two strings. */
static bool split_address(const char *text, char *host, size_t host_n, char *port, size_t port_n)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false;
    }
    if (n >= host_n || strlen(colon + 1) >= port_n || strtol(colon + 1, NULL, 10) > 65535)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static int open_listener(const struct addrinfo *ai)
{
    int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

static int listen_on(const char *text, int *fd, struct err *err)
{
    char host[256], port[8];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (!text || !split_address(text, host, sizeof(host), port, sizeof(port)))
        return err_set(err, ERR_CONFIG, "\"%s\" is no address to listen on, expected host:port or [v6]:port",
                       text ? text : "");
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", text, gai_strerror(rc));
    *fd = open_listener(found);
    int cause = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", text, strerror(cause));
    return 0;
}

static void name_address(struct httpd *server, int fd)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&sa, n, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(server->address, sizeof(server->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                   port);
}

static struct MHD_Daemon *start_mhd(struct httpd *server, int fd)
{
    const struct httpd_options *o = &server->options;
    unsigned idle_s = (unsigned)((o->idle_timeout_ms + 999) / 1000);
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_progress, server,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, o->max_connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_s ? idle_s : 1,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static void join_loop(struct httpd *server)
{
    uv_loop_t *uv = loop_uv(server->loop);
    uint64_t every_ms = (uint64_t)server->options.idle_timeout_ms / 2 + 1;
    int epoll_fd = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int rc = uv_poll_init(uv, &server->poll, epoll_fd);
    assert(rc == 0);
    rc = uv_timer_init(uv, &server->timer) | uv_timer_init(uv, &server->sweep);
    assert(rc == 0);
    server->poll.data = server->timer.data = server->sweep.data = server;
    server->handles = 3;
    rc = uv_poll_start(&server->poll, UV_READABLE, on_readable);
    assert(rc == 0);
    rc = uv_timer_start(&server->sweep, on_sweep, every_ms, every_ms);
    assert(rc == 0);
}

int httpd_start(struct httpd **server_at, struct loop *loop, const struct httpd_options *options,
                struct err *err)
{
    int fd = -1;
    int rc = listen_on(options->listen, &fd, err);
    if (rc)
        return rc;
    struct httpd *server = mem_calloc(1, sizeof(*server));
    server->loop = loop;
    server->options = *options;
    server->options.listen = NULL;
    name_address(server, fd);
    server->mhd = start_mhd(server, fd);
    if (!server->mhd) {
        free(server);
        return err_set(err, ERR_SYSTEM, "cannot start the HTTP server on %s", options->listen);
    }
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
    MHD_socket fd = MHD_quiesce_daemon(server->mhd);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

size_t httpd_open_requests(const struct httpd *server)
{
    return server->open_n;
}

static void on_closed(uv_handle_t *handle)
{
    struct httpd *server = handle->data;
    if (--server->handles == 0)
        free(server);
}

void httpd_stop(struct httpd **server_at)
{
    struct httpd *server = *server_at;
    if (!server)
        return;
    *server_at = NULL;
    uv_close((uv_handle_t *)&server->poll, on_closed); /* before MHD closes the descriptor under it */
    uv_close((uv_handle_t *)&server->timer, on_closed);
    uv_close((uv_handle_t *)&server->sweep, on_closed);
    while (server->open) { /* MHD refuses to stop while connections are suspended */
        struct httpd_request *req = server->open;
        assert(req->state == REQUEST_WAITING);
        request_move(req, REQUEST_ANSWERED);
        MHD_resume_connection(req->mhd);
    }
    MHD_stop_daemon(server->mhd);
    while (server->spare) {
        struct httpd_request *req = server->spare;
        server->spare = req->next;
        request_free(req);
    }
}

/* ---- what a handler asks and answers ---- */

const char *httpd_method(const struct httpd_request *req)
{
    return req->method;
}

struct span httpd_target(const struct httpd_request *req)
{
    return buf_span(&req->target);
}

struct span httpd_path(const struct httpd_request *req)
{
    const char *mark = memchr(req->target.p, '?', req->target.n);
    return span_of(req->target.p, mark ? (size_t)(mark - req->target.p) : req->target.n);
}

struct span httpd_query(const struct httpd_request *req)
{
    size_t path_n = httpd_path(req).n;
    if (path_n == req->target.n)
        return SPAN_NONE;
    return span_of(req->target.p + path_n + 1, req->target.n - path_n - 1);
}

struct span httpd_body(const struct httpd_request *req)
{
    return buf_span(&req->body);
}

struct span httpd_header(const struct httpd_request *req, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(req->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES ||
        !value)
        return SPAN_NONE;
    return span_of(value, n);
}

int64_t httpd_received_wall_ms(const struct httpd_request *req)
{
    return req->received_wall_ms;
}

static void answer(struct httpd_request *req)
{
    bool suspended = req->state == REQUEST_WAITING;
    request_move(req, REQUEST_ANSWERED);
    if (!suspended)
        return; /* hand_over() is below us on the stack and goes on */
    MHD_resume_connection(req->mhd);
    run_in_ms(req->server, 0);
}

/* "Name: value\r\n" lines, one header each. */
static void add_headers(struct MHD_Response *response, const char *lines)
{
    char name[64], value[1024];
    while (lines && *lines) {
        size_t line_n = strcspn(lines, "\r\n");
        const char *colon = memchr(lines, ':', line_n);
        assert(colon);
        size_t name_n = (size_t)(colon - lines);
        const char *start = colon + 1 + strspn(colon + 1, " ");
        size_t value_n = (size_t)(lines + line_n - start);
        assert(name_n < sizeof(name) && value_n < sizeof(value));
        memcpy(name, lines, name_n);
        name[name_n] = '\0';
        memcpy(value, start, value_n);
        value[value_n] = '\0';
        MHD_add_response_header(response, name, value);
        lines += line_n;
        lines += strspn(lines, "\r\n");
    }
}

void httpd_reply(struct httpd_request *req, int status, const char *type, struct span body, const char *extra)
{
    /* MHD takes a `void *` that it only reads here; the union keeps -Wcast-qual quiet without a cast. */
    union {
        const char *in;
        void *out;
    } bytes = {.in = body.n ? body.p : ""};
    struct MHD_Response *response = MHD_create_response_from_buffer(body.n, bytes.out, MHD_RESPMEM_MUST_COPY);
    assert(response);
    if (type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (req->server
            ->quiesced) /* a kept connection would bring further requests to a server that is leaving */
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    add_headers(response, extra);
    req->status = status;
    req->response = response;
    answer(req);
}

void httpd_drop(struct httpd_request *req, bool reset)
{
    if (reset) {
        /* Dissolving the association sends the RST at once; MHD's orderly shutdown would send a FIN before
         * it. */
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        (void)setsockopt(req->connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        (void)connect(req->connection->fd, &nobody, sizeof(nobody));
    }
    answer(req);
}
