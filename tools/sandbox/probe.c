#include "tools/sandbox/probe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 300, ANSWER_MAX = 8192 };

bool probe_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    bool up = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    if (fd >= 0)
        close(fd);
    return up;
}

/* A connection to the loopback interface is made or refused at once; -1 when refused. */
static int connect_to(int port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval timeout = {.tv_usec = ANSWER_MS * 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool probe_tcp(int port)
{
    int fd = connect_to(port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void add_body(struct buf *why, const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    for (body = body != NULL ? body + 4 : ""; *body != '\0'; body++) {
        if (*body != '\n')
            buf_addc(why, *body);
        else if (body[1] != '\0')
            buf_adds(why, "; ");
    }
}

/* The whole answer, headers and all; false without 200. */
static bool get(int port, const char *path, char text[ANSWER_MAX + 1])
{
    size_t n = 0;
    ssize_t got = 1;
    int fd = connect_to(port);
    text[0] = '\0';
    if (fd < 0)
        return false;
    int len = snprintf(text, ANSWER_MAX + 1,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) == len) {
        while (n < ANSWER_MAX && (got = recv(fd, text + n, ANSWER_MAX - n, 0)) > 0)
            n += (size_t)got;
    }
    close(fd);
    text[n] = '\0';
    return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

bool probe_http(int port, const char *path, struct buf *why)
{
    char text[ANSWER_MAX + 1];
    bool up = get(port, path, text);
    if (!up && why != NULL)
        add_body(why, text);
    return up;
}

bool probe_get(int port, const char *path, struct buf *body)
{
    char text[ANSWER_MAX + 1];
    bool up = get(port, path, text);
    const char *end = up ? strstr(text, "\r\n\r\n") : NULL;
    if (end != NULL)
        buf_adds(body, end + 4);
    return end != NULL;
}
