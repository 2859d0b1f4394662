/* A connection's life: reading requests, handing them over, and what comes after the reply. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/httpd_private.h"

enum {
    READ_HEAD = 4 * 1024,  /* at once; what comes behind a request is kept, and so is little */
    READ_BODY = 64 * 1024, /* at once, of a body whose length is known */
    READ_CHUNKS = 16 * 1024,
    BLANK_LINES = 4, /* before a request: RFC 9112 wants the one tolerated that old clients send */
    LINGER_MAX = 4 * 1024 * 1024,
    SPARE_REQUESTS = 256,
    SPARE_HEAD = 4 * 1024, /* a spare request keeps buffers up to these */
    SPARE_BODY = 8 * 1024,
};

static const char NO_ROOM[] = "too much is being received at the moment, send it again";

/* ---- requests ---- */

static struct httpd_request *request_new(struct conn *c)
{
    struct httpd *server = c->server;
    struct httpd_request *req = server->spare;
    if (req != NULL) {
        server->spare = req->next;
        server->spare_n--;
    } else {
        req = mem_calloc(1, sizeof(*req));
        buf_init(&req->text, HTTPD_HEAD_MAX);
        buf_init(&req->body, server->options.max_body);
    }
    req->next = NULL;
    req->server = server;
    req->conn = c;
    return req;
}

static void request_free(struct httpd_request *req)
{
    buf_done(&req->text);
    buf_done(&req->body);
    free(req);
}

static void request_recycle(struct httpd_request *req)
{
    struct httpd *server = req->server;
    if (server->spare_n >= SPARE_REQUESTS || req->text.cap > SPARE_HEAD || req->body.cap > SPARE_BODY) {
        request_free(req);
        return;
    }
    buf_clear(&req->text);
    buf_clear(&req->body);
    req->scanned = 0;
    req->blank_lines = 0;
    req->headed = false;
    req->chunked = (struct chunked){0};
    req->next = server->spare;
    server->spare = req;
    server->spare_n++;
}

void conn_free_spare(struct httpd *server)
{
    while (server->spare != NULL) {
        struct httpd_request *req = server->spare;
        server->spare = req->next;
        request_free(req);
    }
}

/* ---- states ---- */

static void list_add(struct conn_list *list, struct conn *c)
{
    c->prev = list->last;
    c->next = NULL;
    if (list->last != NULL)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    list->n++;
}

static void list_remove(struct conn_list *list, struct conn *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        list->first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        list->last = c->prev;
    list->n--;
}

void conn_move(struct conn *c, enum conn_state state)
{
    assert(c->state != CONN_CLOSED);
    list_remove(&c->server->lists[c->state], c);
    c->state = state;
    c->since_mono_ms = loop_mono_ms(c->server->loop);
    if (state != CONN_CLOSED)
        list_add(&c->server->lists[state], c);
}

void conn_charge(struct conn *c)
{
    size_t holds = c->later.cap + c->out.cap;
    if (c->req != NULL)
        holds += c->req->text.cap + c->req->body.cap;
    c->server->held += holds - c->charged;
    c->charged = holds;
}

static void on_event(uv_poll_t *handle, int status, int events);

void conn_watch(struct conn *c, int events)
{
    if (c->watched == events)
        return;
    c->watched = events;
    int rc = events != 0 ? uv_poll_start(&c->poll, events, on_event) : uv_poll_stop(&c->poll);
    assert(rc == 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct httpd *server = c->server;
    free(c);
    server->handles--;
    if (server->handles == 0)
        free(server);
}

void conn_open(struct httpd *server, int fd)
{
    struct conn *c = mem_calloc(1, sizeof(*c));
    c->server = server;
    c->fd = fd;
    c->poll.data = c;
    buf_init(&c->later, READ_BODY + HTTPD_HEAD_MAX);
    buf_init(&c->out, 1024 * 1024 * 1024);
    int rc = uv_poll_init(loop_uv(server->loop), &c->poll, fd);
    assert(rc == 0);
    server->handles++;
    server->connections++;
    metric_set(server->connections_metric, (double)server->connections);
    c->state = CONN_IDLE;
    c->since_mono_ms = loop_mono_ms(server->loop);
    list_add(&server->lists[CONN_IDLE], c);
    conn_watch(c, UV_READABLE);
}

static void let_go_of_buffers(struct conn *c)
{
    if (c->req != NULL)
        request_recycle(c->req);
    c->req = NULL;
    buf_done(&c->later);
    buf_done(&c->out);
    conn_charge(c);
}

void conn_close(struct conn *c)
{
    struct httpd *server = c->server;
    conn_move(c, CONN_CLOSED);
    let_go_of_buffers(c);
    uv_close((uv_handle_t *)&c->poll, on_closed); /* before the descriptor may be somebody else's */
    close(c->fd);
    server->connections--;
    metric_set(server->connections_metric, (double)server->connections);
    listener_start(server);
}

/* ---- a request arrives ---- */

static void refuse_malformed(struct conn *c, int status, const char *why)
{
    c->linger_after = true;
    listener_note(c->server, REASON_MALFORMED);
    reply_refusal(c, status, why);
}

static void refuse_body(struct conn *c, int status, const char *why)
{
    const struct httpd_options *options = &c->server->options;
    c->linger_after = true;
    if (status == 503)
        listener_note(c->server, REASON_MEMORY);
    if (options->refused != NULL)
        options->refused(c->req, status, options->arg);
    reply_refusal(c, status, why);
}

static void hand_over(struct conn *c)
{
    const struct httpd_options *options = &c->server->options;
    c->req->received_wall_ms = clock_wall_ms();
    conn_move(c, CONN_SERVING);
    conn_charge(c);
    options->handler(c->req, options->arg);
}

/* Whether the body may be read: by its size, by what the owner's `admit` says, and by the memory that is
 * left. */
static bool admit(struct conn *c)
{
    const struct httpd_options *options = &c->server->options;
    struct httpd_request *req = c->req;
    const struct httpd_head *head = &req->head;
    req->max_body = options->max_body;
    req->left = head->length;
    if (options->admit != NULL) {
        c->linger_after = head->length > 0 || head->chunked;
        size_t limit = options->admit(req, options->arg);
        if (c->state != CONN_READING)
            return false;
        c->linger_after = false;
        req->max_body = limit < options->max_body ? limit : options->max_body;
    }
    if (head->length > req->max_body)
        refuse_body(c, 413, "the body is too large");
    else if (head->length > 0 && !listener_has_room(c->server, c, (size_t)head->length))
        refuse_body(c, 503, NO_ROOM);
    return c->state == CONN_READING;
}

/* The head is complete, `in` is what follows. */
static void begin(struct conn *c, const struct span *in)
{
    struct httpd_request *req = c->req;
    const char *why = NULL;
    int status = httpd_head_read(&req->head, buf_span(&req->text), &why);
    req->headed = true;
    req->received_wall_ms = clock_wall_ms();
    if (status != 0) {
        refuse_malformed(c, status, why);
        return;
    }
    if (!admit(c))
        return;
    if (req->head.length == 0 && !req->head.chunked) {
        hand_over(c);
        return;
    }
    if (req->head.length > 0)
        (void)buf_room(&req->body, (size_t)req->head.length);
    if (req->head.expects_continue && in->n == 0)
        reply_continue(c);
}

/* Blank lines before the request are cut off; where nothing else is there, it has still begun. */
static bool skip_blank_lines(struct httpd_request *req)
{
    size_t n = 0;
    while (req->text.n >= n + 2 && memcmp(req->text.p + n, "\r\n", 2) == 0) {
        n += 2;
        req->blank_lines++;
    }
    if (n > 0) {
        memmove(req->text.p, req->text.p + n, req->text.n - n);
        req->text.n -= n;
        req->scanned = 0;
    }
    return req->blank_lines <= BLANK_LINES;
}

static void take_head(struct conn *c, struct span *in)
{
    struct httpd_request *req = c->req;
    size_t before = req->text.n;
    size_t n = in->n < HTTPD_HEAD_MAX - before ? in->n : HTTPD_HEAD_MAX - before;
    buf_add(&req->text, in->p, n);
    *in = span_of(in->p + n, in->n - n);
    if (!skip_blank_lines(req)) {
        refuse_malformed(c, 400, "there are blank lines instead of a request");
        return;
    }
    size_t end = httpd_head_end(buf_span(&req->text), &req->scanned);
    if (end == SIZE_MAX) {
        refuse_malformed(c, 400, "a line ends in LF without CR");
    } else if (end > 0) {
        size_t behind = req->text.n - end;
        *in = span_of(in->p - behind, in->n + behind);
        req->text.n = end;
        begin(c, in);
    } else if (req->text.n == HTTPD_HEAD_MAX) {
        bool line = memchr(req->text.p, '\n', req->text.n) != NULL;
        refuse_malformed(c, line ? 431 : 414, line ? "the headers are too large" : "the URL is too long");
    }
}

static void take_length(struct conn *c, struct span *in)
{
    struct httpd_request *req = c->req;
    size_t n = req->left < in->n ? (size_t)req->left : in->n;
    buf_add(&req->body, in->p, n);
    *in = span_of(in->p + n, in->n - n);
    req->left -= n;
    if (req->left == 0)
        hand_over(c);
}

static void take_chunks(struct conn *c, struct span *in)
{
    struct httpd_request *req = c->req;
    struct span data;
    enum chunked_step step;
    while ((step = chunked_next(&req->chunked, in, &data)) == CHUNKED_DATA) {
        if (data.n > req->max_body - req->body.n) {
            refuse_body(c, 413, "the body is too large");
            return;
        }
        if (!listener_has_room(c->server, c, data.n)) {
            refuse_body(c, 503, NO_ROOM);
            return;
        }
        buf_add(&req->body, data.p, data.n);
    }
    if (step == CHUNKED_BAD)
        refuse_malformed(c, 400, "the chunked body is malformed");
    else if (step == CHUNKED_END)
        hand_over(c);
}

/* Whether the connection could take more bytes of requests. */
static bool is_reading(const struct conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_READING;
}

/* What follows a request that is not answered yet waits for it. */
static void keep_for_later(struct conn *c, struct span in)
{
    if (in.n == 0 || c->state == CONN_CLOSED || c->state == CONN_LINGERING)
        return;
    buf_add(&c->later, in.p, in.n);
    conn_charge(c);
}

static void conn_feed(struct conn *c, struct span in)
{
    c->feeding = true;
    while (is_reading(c) && in.n > 0) {
        if (c->req == NULL) {
            c->req = request_new(c);
            conn_move(c, CONN_READING);
        }
        if (!c->req->headed)
            take_head(c, &in);
        else if (c->req->head.chunked)
            take_chunks(c, &in);
        else
            take_length(c, &in);
        if (c->state != CONN_CLOSED)
            conn_charge(c);
    }
    c->feeding = false;
    keep_for_later(c, in);
    if (c->state != CONN_READING || listener_has_room(c->server, c, 0))
        return;
    if (c->req->headed) {
        refuse_body(c, 503, NO_ROOM);
    } else {
        listener_note(c->server, REASON_MEMORY);
        conn_close(c);
    }
}

void conns_take_turns(void *arg)
{
    struct httpd *server = arg;
    struct conn_list *list = &server->lists[CONN_TURN];
    for (size_t n = list->n; n > 0 && list->first != NULL; n--) {
        struct conn *c = list->first;
        struct buf bytes = c->later;
        buf_init(&c->later, bytes.max);
        conn_move(c, CONN_IDLE);
        conn_feed(c, buf_span(&bytes));
        buf_done(&bytes);
        if (is_reading(c))
            conn_watch(c, UV_READABLE);
    }
    if (list->n > 0)
        loop_soon_ask(server->soon);
}

/* ---- after the reply ---- */

static void linger(struct conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
    let_go_of_buffers(c);
    conn_move(c, CONN_LINGERING);
    conn_watch(c, UV_READABLE);
}

void conn_replied(struct conn *c)
{
    if (c->linger_after) {
        linger(c);
        return;
    }
    if (c->close_after) {
        conn_close(c);
        return;
    }
    request_recycle(c->req);
    c->req = NULL;
    buf_done(&c->out);
    c->out_sent = 0;
    conn_charge(c);
    if (c->feeding || c->later.n == 0) {
        conn_move(c, CONN_IDLE); /* conn_feed(), where it is below us on the stack, goes on */
        conn_watch(c, UV_READABLE);
        return;
    }
    conn_move(c, CONN_TURN);
    conn_watch(c, 0); /* what comes now stands behind what is there */
    loop_soon_ask(c->server->soon);
}

void conn_flush(struct conn *c)
{
    while (c->out_sent < c->out.n) {
        ssize_t sent = send(c->fd, c->out.p + c->out_sent, c->out.n - c->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            conn_watch(c, UV_WRITABLE);
            return;
        }
        if (sent <= 0) {
            conn_close(c);
            return;
        }
        c->out_sent += (size_t)sent;
    }
    if (c->state == CONN_SENDING)
        conn_replied(c);
}

/* ---- the loop calls us ---- */

static size_t most_at_once(const struct conn *c)
{
    const struct httpd_request *req = c->req;
    if (c->state == CONN_LINGERING)
        return READ_BODY;
    if (req == NULL || !req->headed)
        return READ_HEAD;
    if (req->head.chunked)
        return READ_CHUNKS;
    return req->left < READ_BODY ? (size_t)req->left : READ_BODY;
}

static void read_some(struct conn *c)
{
    static char bytes[READ_BODY]; /* one loop, one thread: a connection that waits needs none of its own */
    if (!is_reading(c) && c->state != CONN_LINGERING) {
        conn_watch(c, 0); /* the next request, or the end: both keep until this one is answered */
        return;
    }
    ssize_t got = recv(c->fd, bytes, most_at_once(c), 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0) {
        conn_close(c);
        return;
    }
    if (c->state != CONN_LINGERING) {
        conn_feed(c, span_of(bytes, (size_t)got));
        return;
    }
    c->lingered += (size_t)got;
    if (c->lingered > LINGER_MAX)
        conn_close(c);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct conn *c = handle->data;
    if (c->state == CONN_SENDING)
        conn_flush(c);
    else if (status < 0 && is_reading(c))
        conn_close(c);
    else if (status < 0 || (events & UV_READABLE) != 0)
        read_some(c);
}
