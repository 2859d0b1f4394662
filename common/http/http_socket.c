#include "common/http/http_socket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

enum { SWEEP_MS = 250 };

struct http_socket {
    uv_poll_t poll;
    struct http_sockets *all;
    void *owner;
    int fd;
    bool ours;                  /* opened here, so http_socket_close() will be called */
    int wanted;                 /* UV_READABLE | UV_WRITABLE; 0: idle */
    int watched;                /* what the loop looks at */
    int64_t idle_until_mono_ms; /* 0: not idle, or ended already */
};

struct http_sockets {
    struct loop *loop;
    http_socket_fn fn;
    struct http_socket **by_fd;
    size_t n;
    uv_timer_t sweep;
};

static struct http_socket *find(const struct http_sockets *all, int fd)
{
    return (size_t)fd < all->n ? all->by_fd[fd] : NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The descriptor may be closed afterwards; the memory goes when the loop has let go of it. */
static void drop(struct http_socket *sock)
{
    sock->all->by_fd[sock->fd] = NULL;
    uv_close((uv_handle_t *)&sock->poll, on_closed);
}

static struct http_socket *add(struct http_sockets *all, int fd, bool ours)
{
    if ((size_t)fd >= all->n) {
        size_t n = (size_t)fd * 2 + 64;
        all->by_fd = mem_realloc(all->by_fd, n * sizeof(struct http_socket *));
        memset(all->by_fd + all->n, 0, (n - all->n) * sizeof(struct http_socket *));
        all->n = n;
    }
    if (all->by_fd[fd] != NULL)
        drop(all->by_fd[fd]); /* closed without our being told: the number is somebody else's now */
    struct http_socket *sock = mem_calloc(1, sizeof(*sock));
    sock->all = all;
    sock->fd = fd;
    sock->ours = ours;
    sock->poll.data = sock;
    int rc = uv_poll_init(loop_uv(all->loop), &sock->poll, fd);
    assert(rc == 0);
    all->by_fd[fd] = sock;
    return sock;
}

static void on_event(uv_poll_t *handle, int status, int events);

static void watch(struct http_socket *sock, int events)
{
    if (sock->watched == events)
        return;
    sock->watched = events;
    int rc = events ? uv_poll_start(&sock->poll, events, on_event) : uv_poll_stop(&sock->poll);
    assert(rc == 0);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct http_socket *sock = handle->data;
    if (sock->wanted)
        sock->all->fn(sock->owner, sock->fd, status < 0 ? 0 : events);
    else
        watch(sock, 0); /* nobody will read it: looking on would be a busy loop */
}

static void on_sweep(uv_timer_t *handle)
{
    struct http_sockets *all = handle->data;
    int64_t now_mono_ms = clock_mono_ms();
    for (size_t fd = 0; fd < all->n; fd++) {
        struct http_socket *sock = all->by_fd[fd];
        if (!sock || !sock->idle_until_mono_ms || now_mono_ms < sock->idle_until_mono_ms)
            continue;
        watch(sock, 0);
        sock->idle_until_mono_ms = 0;
        (void)shutdown(sock->fd, SHUT_RDWR);
    }
}

struct http_sockets *http_sockets_new(struct loop *loop, http_socket_fn fn)
{
    struct http_sockets *all = mem_calloc(1, sizeof(*all));
    all->loop = loop;
    all->fn = fn;
    all->sweep.data = all;
    int rc = uv_timer_init(loop_uv(loop), &all->sweep);
    assert(rc == 0);
    rc = uv_timer_start(&all->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    assert(rc == 0);
    return all;
}

void http_sockets_free(struct http_sockets **all_at)
{
    struct http_sockets *all = *all_at;
    if (!all)
        return;
    *all_at = NULL;
    for (size_t fd = 0; fd < all->n; fd++)
        if (all->by_fd[fd])
            drop(all->by_fd[fd]);
    free(all->by_fd);
    uv_close((uv_handle_t *)&all->sweep, on_closed);
}

int http_socket_open(struct http_sockets *all, int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd >= 0)
        (void)add(all, fd, true);
    return fd;
}

int http_socket_close(struct http_sockets *all, int fd)
{
    struct http_socket *sock = find(all, fd);
    if (sock)
        drop(sock); /* before close(2): the loop must not hold a descriptor that may be somebody else's */
    return close(fd);
}

void http_socket_want(struct http_sockets *all, int fd, int events, void *owner)
{
    struct http_socket *sock = find(all, fd);
    if (!sock)
        sock = add(all, fd, false);
    sock->owner = owner;
    sock->wanted = events;
    sock->idle_until_mono_ms = 0;
    watch(sock, events);
}

void http_socket_idle(struct http_sockets *all, int fd, int64_t idle_timeout_ms)
{
    struct http_socket *sock = find(all, fd);
    if (!sock)
        return;
    if (!sock->ours) {
        drop(sock);
        return;
    }
    sock->wanted = 0;
    sock->idle_until_mono_ms = idle_timeout_ms > 0 ? clock_mono_ms() + idle_timeout_ms : 0;
    if (sock->watched & UV_WRITABLE) /* always ready: that one is not kept registered */
        watch(sock, 0);
}
