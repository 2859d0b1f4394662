#include "common/redis/redis_dial.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/redis/redis_reply.h"

/* Outlives its owner: a look-up in another thread cannot be ended at once. */
struct redis_dial {
    uv_getaddrinfo_t request;
    int port;
    unsigned nth;
    redis_dialled_fn fn; /* NULL: nobody wants to know any more */
    void *arg;
};

static const struct addrinfo *pick_address(const struct addrinfo *list, unsigned n)
{
    unsigned count = 0;

    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    for (n %= count; n > 0; n--)
        list = list->ai_next;
    return list;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct redis_dial *dial = request->data;
    char ip[64] = "";

    if (dial->fn != NULL && status == 0 && list != NULL) {
        const struct addrinfo *a = pick_address(list, dial->nth);
        getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST);
    }
    if (dial->fn != NULL && ip[0] != 0)
        dial->fn(redisAsyncConnect(ip, dial->port), "", dial->arg);
    else if (dial->fn != NULL)
        dial->fn(NULL, status != 0 ? uv_strerror(status) : "the host has no address", dial->arg);
    uv_freeaddrinfo(list);
    free(dial);
}

struct redis_dial *redis_dial_start(uv_loop_t *loop, const char *host, int port, unsigned nth,
                                    redis_dialled_fn fn, void *arg, const char **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct redis_dial *dial = mem_calloc(1, sizeof(*dial));
    int rc;

    *dial = (struct redis_dial){.port = port, .nth = nth, .fn = fn, .arg = arg};
    dial->request.data = dial;
    rc = uv_getaddrinfo(loop, &dial->request, on_resolved, host, NULL, &hints);
    if (rc == 0)
        return dial;
    *error = uv_strerror(rc);
    free(dial);
    return NULL;
}

void redis_dial_cancel(struct redis_dial **dial)
{
    if (*dial != NULL)
        (*dial)->fn = NULL;
    *dial = NULL;
}
