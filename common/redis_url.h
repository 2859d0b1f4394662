/*
 * Where a Redis is: the parts of IVR_REDIS_URL, decoded.
 *
 *     redis://[[user]:password@]host[:port][/db]      port 6379, db 0
 *     unix://path[?db=n]
 *
 * rediss://, redis+sentinel:// and redis+cluster:// are recognised and refused: this build speaks plain
 * connections to one server only.
 */
#ifndef IVR_COMMON_REDIS_URL_H
#define IVR_COMMON_REDIS_URL_H

#include "common/err.h"

/* All strings are owned. */
struct redis_address {
    char *host;     /* NULL for a unix socket */
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

#endif
