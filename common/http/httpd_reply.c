/* Replies: their heads, and getting them onto the wire without copying what the socket takes at once. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "common/http/httpd_private.h"

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].phrase;
    return "Status"; /* the phrase says nothing to programs */
}

/* Formatted once a second. */
static const char *date_of(struct httpd *server)
{
    int64_t wall_s = loop_wall_ms(server->loop) / 1000;
    if (wall_s != server->date_wall_s) {
        struct tm tm;
        time_t at = (time_t)wall_s;
        (void)gmtime_r(&at, &tm);
        (void)strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        server->date_wall_s = wall_s;
    }
    return server->date;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

static void write_head(struct conn *c, int status, const char *type, size_t length, const char *extra)
{
    struct buf *head = &c->server->reply_head;
    buf_clear(head);
    buf_adds(head, "HTTP/1.1 ");
    buf_addint(head, status);
    buf_addc(head, ' ');
    buf_adds(head, phrase_of(status));
    buf_adds(head, "\r\nDate: ");
    buf_adds(head, date_of(c->server));
    if (c->close_after)
        buf_adds(head, "\r\nConnection: close");
    else if (c->req->head.http_1_0)
        buf_adds(head, "\r\nConnection: keep-alive");
    if (type != NULL) {
        buf_adds(head, "\r\nContent-Type: ");
        buf_adds(head, type);
    }
    if (!has_no_body(status)) {
        buf_adds(head, "\r\nContent-Length: ");
        buf_addint(head, (int64_t)length);
    }
    buf_adds(head, "\r\n");
    if (extra != NULL)
        buf_adds(head, extra);
    buf_adds(head, "\r\n");
    assert(buf_ok(head));
}

/* What the socket does not take now is kept; false when the peer is gone. */
static bool send_or_keep(struct conn *c, struct span head, struct span body)
{
    /* iovec's pointers are not const, although sendmsg() only reads; the union keeps -Wcast-qual quiet. */
    union {
        const char *in;
        void *out;
    } head_at = {.in = head.p}, body_at = {.in = body.p};
    struct iovec parts[2] = {{head_at.out, head.n}, {body_at.out, body.n}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.n > 0 ? 2 : 1};
    ssize_t sent;
    do
        sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return false;
    size_t n = sent > 0 ? (size_t)sent : 0;
    if (n < head.n)
        buf_add(&c->out, head.p + n, head.n - n);
    size_t of_body = n > head.n ? n - head.n : 0;
    if (of_body < body.n)
        buf_add(&c->out, body.p + of_body, body.n - of_body);
    return true;
}

static void reply(struct conn *c, int status, const char *type, struct span body, const char *extra)
{
    const struct httpd_head *head = &c->req->head;
    c->close_after = c->linger_after || c->server->quiesced || !head->keep_alive;
    write_head(c, status, type, body.n, extra);
    if (has_no_body(status) || strcmp(head->method, "HEAD") == 0)
        body = SPAN_NONE;
    c->out_sent = 0;
    if (!send_or_keep(c, buf_span(&c->server->reply_head), body)) {
        conn_close(c);
    } else if (c->out.n == 0) {
        conn_replied(c);
    } else {
        conn_move(c, CONN_SENDING);
        conn_charge(c);
        conn_watch(c, UV_WRITABLE);
    }
}

void reply_refusal(struct conn *c, int status, const char *why)
{
    char text[128];
    size_t n = strlen(why);
    assert(n + 1 < sizeof(text));
    memcpy(text, why, n);
    text[n] = '\n';
    reply(c, status, "text/plain", span_of(text, n + 1), status == 503 ? "Retry-After: 1\r\n" : NULL);
}

/* Into a buffer that is empty: where it is not taken, the peer sends without leave after a while. */
void reply_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    (void)send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
}

void httpd_reply(struct httpd_request *req, int status, const char *type, struct span body, const char *extra)
{
    struct conn *c = req->conn;
    assert(c->state == CONN_SERVING || (c->state == CONN_READING && req->headed));
    reply(c, status, type, body, extra);
}

void httpd_drop(struct httpd_request *req, bool reset)
{
    struct conn *c = req->conn;
    if (reset) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    conn_close(c);
}
