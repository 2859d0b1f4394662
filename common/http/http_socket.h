/*
 * The sockets of the HTTP client on the loop, by descriptor.
 *
 * libcurl drops its interest in a socket at the end of each transfer and states it again at the next one;
 * following it would cost two epoll_ctl a transfer. So a socket that was opened here stays registered for
 * reading until libcurl closes it, or until something arrives that nobody wants at the moment (the peer's end
 * of file, mostly).
 *
 * libcurl closes a connection that was idle for too long only when it looks for one to use. Here it ends on
 * the wire in time (a quarter of a second later at most): libcurl finds it dead at its next look and frees
 * it.
 */
#ifndef IVR_COMMON_HTTP_SOCKET_H
#define IVR_COMMON_HTTP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/run/loop.h"

struct http_sockets;

/* Something that `owner` wanted has come: UV_READABLE, UV_WRITABLE; 0: the descriptor is in error. */
typedef void (*http_socket_fn)(void *owner, int fd, int events);

struct http_sockets *http_sockets_new(struct loop *loop, http_socket_fn fn);
/* Lets go of every descriptor (closes none) and frees. */
void http_sockets_free(struct http_sockets **sockets);

/* socket(2), non-blocking; -1 when the system refuses. */
int http_socket_open(struct http_sockets *sockets, int family, int type, int protocol);
/* close(2), after the loop has let go of it. For any descriptor. */
int http_socket_close(struct http_sockets *sockets, int fd);

/* From now on `owner` wants these events of it. A descriptor that was not opened here (the resolver's) is let
 * go of as soon as it is idle, because it will be closed behind our back. */
void http_socket_want(struct http_sockets *sockets, int fd, int events, void *owner);
/* Nobody wants it now; one that was opened here ends when that lasts for `idle_timeout_ms` (0: it stays). */
void http_socket_idle(struct http_sockets *sockets, int fd, int64_t idle_timeout_ms);

#endif
