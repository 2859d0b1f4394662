/* Listening: the address, accepting, and who makes room when places, descriptors or memory run out. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/http/httpd_private.h"
#include "common/run/log.h"

enum {
    ACCEPTS_A_TURN = 64, /* the connections that are there have their turn in between */
    AGAIN_MS = 100,      /* where descriptors are missing, others may close theirs and nobody tells us */
    SWEEP_MIN_MS = 50,
    SWEEP_MAX_MS = 1000,
};

/* ---- the address ---- */

/* "host:port", "[v6]:port", ":port" into two strings. */
static bool split_address(const char *text, char *host, size_t host_n, char *port, size_t port_n)
{
    const char *colon = strrchr(text, ':');
    int number;
    if (!colon || !number_read_int(span_str(colon + 1), 0, 65535, &number))
        return false;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false;
    }
    if (n >= host_n || strlen(colon + 1) >= port_n)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static int open_socket(const struct addrinfo *ai)
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

static void name_address(struct httpd *server)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof(sa);
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    if (getsockname(server->fd, (struct sockaddr *)&sa, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&sa, n, host, sizeof(host), port, sizeof(port),
                          NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(server->address, sizeof(server->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                   port);
}

int listener_open(struct httpd *server, const char *text, struct err *err)
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
    server->fd = open_socket(found);
    int cause = errno;
    freeaddrinfo(found);
    if (server->fd < 0)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", text, strerror(cause));
    name_address(server);
    return 0;
}

/* ---- who makes room ---- */

void listener_note(struct httpd *server, enum httpd_reason reason)
{
    static const struct {
        enum log_level level;
        const char *what;
    } table[REASONS] = {
        [REASON_FULL] = {LOG_LEVEL_WARN,
                         "all places for connections are taken, the one that has waited longest is closed"},
        [REASON_DESCRIPTORS] = {LOG_LEVEL_ERROR, "no descriptor is free for another connection"},
        [REASON_MEMORY] = {LOG_LEVEL_WARN, "the memory for requests is taken, not all of them are received"},
        [REASON_LATE] = {LOG_LEVEL_INFO, "a request did not arrive in time, or its reply was not taken"},
        [REASON_MALFORMED] = {LOG_LEVEL_INFO, "a request is malformed, its connection is closed"},
    };
    static struct log_limit limits[REASONS];
    int64_t suppressed = 0;
    metric_add(server->refused_metric[reason], 1);
    if (!log_enabled(table[reason].level) || !log_limit_pass(&limits[reason], 1, &suppressed))
        return;
    log_write(table[reason].level, table[reason].what,
              (const struct log_field[]){
                  LOG_STR("listener", server->options.name), LOG_INT("connections", server->connections),
                  suppressed > 0 ? LOG_INT("suppressed", suppressed) : LOG_END, LOG_END});
}

/* Of these states the connection that has been in its own for longest; NULL without one. */
static struct conn *longest(struct httpd *server, const enum conn_state *states, size_t n,
                            const struct conn *but)
{
    struct conn *found = NULL;
    for (size_t i = 0; i < n; i++) {
        struct conn *c = server->lists[states[i]].first;
        if (c != NULL && c == but)
            c = c->next;
        if (c != NULL && (found == NULL || c->since_mono_ms < found->since_mono_ms))
            found = c;
    }
    return found;
}

/* A connection whose request is with the handler is never closed. */
static struct conn *longest_waiting(struct httpd *server)
{
    static const enum conn_state states[] = {CONN_IDLE, CONN_READING, CONN_SENDING, CONN_LINGERING};
    return longest(server, states, sizeof(states) / sizeof(states[0]), NULL);
}

bool listener_has_room(struct httpd *server, const struct conn *self, size_t bytes)
{
    static const enum conn_state states[] = {CONN_READING, CONN_SENDING};
    while (server->held + bytes > server->options.max_memory) {
        struct conn *c = longest(server, states, sizeof(states) / sizeof(states[0]), self);
        if (c == NULL)
            return false;
        listener_note(server, REASON_MEMORY);
        conn_close(c);
    }
    return true;
}

/* ---- deadlines ---- */

static void on_sweep(uv_timer_t *handle)
{
    struct httpd *server = handle->data;
    listener_sweep(server);
    listener_start(server);
}

/* Half a dozen looks in the shortest of the times; none while nobody is connected. */
static void arm_sweep(struct httpd *server)
{
    int64_t every_ms = SWEEP_MAX_MS;
    for (int state = 0; state < CONN_LISTS; state++)
        if (server->timeouts_ms[state] > 0 && server->timeouts_ms[state] / 6 < every_ms)
            every_ms = server->timeouts_ms[state] / 6;
    if (every_ms < SWEEP_MIN_MS)
        every_ms = SWEEP_MIN_MS;
    if (!server->accepting)
        every_ms = AGAIN_MS;
    if (uv_is_active((uv_handle_t *)&server->sweep) &&
        (int64_t)uv_timer_get_repeat(&server->sweep) == every_ms)
        return;
    int rc = uv_timer_start(&server->sweep, on_sweep, (uint64_t)every_ms, (uint64_t)every_ms);
    assert(rc == 0);
}

void listener_sweep(struct httpd *server)
{
    int64_t now_mono_ms = loop_mono_ms(server->loop);
    for (int state = 0; state < CONN_LISTS; state++) {
        int64_t timeout_ms = server->timeouts_ms[state];
        struct conn *c;
        while (timeout_ms > 0 && (c = server->lists[state].first) != NULL &&
               now_mono_ms - c->since_mono_ms >= timeout_ms) {
            if (state == CONN_READING || state == CONN_SENDING)
                listener_note(server, REASON_LATE);
            conn_close(c);
        }
    }
    if (server->connections == 0 && server->accepting)
        (void)uv_timer_stop(&server->sweep);
}

/* ---- accepting ---- */

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Whether another one may come in, if need be in the place of one that waits. */
static bool make_place(struct httpd *server, enum httpd_reason reason)
{
    struct conn *c = longest_waiting(server);
    listener_note(server, reason);
    if (c == NULL)
        return false;
    conn_close(c);
    return true;
}

/*
 * The system gives the lowest number that is free. So a number from max_fd on says that the process has no
 * more than its spare ones; those stay with whoever cannot wait (placements, Kafka, Redis, probes), and the
 * connection gets the number of one that made room. Takes `fd` over; -1 when none did.
 */
static int below_spare(struct httpd *server, int fd)
{
    if (fd < server->max_fd)
        return fd;
    int lower = make_place(server, REASON_DESCRIPTORS) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    close(fd);
    if (lower >= server->max_fd) {
        close(lower);
        lower = -1;
    }
    return lower;
}

/* True: look for the next one. */
static bool accept_one(struct httpd *server)
{
    int on = 1;
    bool full = server->connections >= server->max_connections;
    if (full && longest_waiting(server) == NULL) {
        listener_pause(server); /* whoever comes now waits in the kernel's backlog */
        return false;
    }
    int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
        return true;
    if (fd < 0 && is_exhausted(errno)) {
        if (make_place(server, REASON_DESCRIPTORS))
            return true;
        listener_pause(server);
        return false;
    }
    if (fd < 0)
        return false;
    if (full)
        (void)make_place(server, REASON_FULL);
    fd = below_spare(server, fd);
    if (fd < 0) {
        listener_pause(server);
        return false;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn_open(server, fd);
    arm_sweep(server);
    return true;
}

static void on_connectable(uv_poll_t *handle, int status, int events)
{
    struct httpd *server = handle->data;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && server->accepting && accept_one(server); i++)
        ;
}

void listener_pause(struct httpd *server)
{
    server->accepting = false;
    (void)uv_poll_stop(&server->poll);
    arm_sweep(server);
}

void listener_start(struct httpd *server)
{
    if (server->accepting || server->quiesced)
        return;
    int rc = uv_poll_start(&server->poll, UV_READABLE, on_connectable);
    assert(rc == 0);
    server->accepting = true;
}
