/*
 * Where a Redis is: the parts of IVR_REDIS_URL, decoded.
 *
 *     redis://[[user]:password@]host[:port][/db]              port 6379, db 0
 *     rediss://...                                            the same over TLS
 *     unix://path[?db=n]
 *     redis+sentinel://[[user]:password@]h1[:port],h2[:port]/MASTER[/db]    port 26379
 *     redis+cluster://[[user]:password@]h1[:port],h2[:port]                 port 6379, and no db but 0
 *
 * rediss:// is refused where this build has no TLS to Redis (common/redis/redis_tls.h). User and password are
 * those of Redis; a Sentinel gets the same ones, and only when it asks for them.
 */
#ifndef IVR_COMMON_REDIS_URL_H
#define IVR_COMMON_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/span.h"

enum redis_kind { REDIS_NOWHERE, REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_endpoint {
    char *host;
    int port;
};

/* All strings are owned. */
struct redis_address {
    enum redis_kind kind;
    bool tls;
    struct redis_endpoint *seeds; /* Sentinels, or nodes of the cluster; the other kinds have none */
    size_t seeds_n;
    char *master;   /* the name that Sentinel knows */
    char *host;     /* NULL for a unix socket, and where there are seeds */
    int port;       /* of `host` */
    char *path;     /* of the unix socket, NULL for a host */
    char *user;     /* NULL: the default user */
    char *password; /* NULL: no AUTH */
    int db;
    char *shown; /* the address without secrets, for logs and errors */
};

/* `password` (may be NULL) wins over the URL's. ERR_CONFIG says which part is wrong, without secrets.
 * redis_address_done() in any case. */
int redis_address_parse(struct redis_address *address, const char *url, const char *password,
                        struct err *err);
void redis_address_done(struct redis_address *address);

/* One server with these credentials: a node of a cluster, a Sentinel. redis_address_done() later. */
void redis_address_server(struct redis_address *server, const struct redis_address *like, struct span host,
                          int port);

#endif
