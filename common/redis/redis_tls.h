/*
 * TLS to Redis (rediss://), where hiredis has it: compiled in with hiredis_ssl (hiredis 1.x, Debian 13), a
 * clear refusal elsewhere (Debian 12's hiredis 0.14). The server's certificate and name are verified against
 * the system's certificates, or those that OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR name.
 */
#ifndef IVR_COMMON_REDIS_TLS_H
#define IVR_COMMON_REDIS_TLS_H

#include <stdbool.h>

struct redisContext;

bool redis_tls_available(void);
/* Begins TLS on a context that is being connected. NULL, or what is wrong. */
const char *redis_tls_start(struct redisContext *context, const char *host)
    __attribute__((warn_unused_result));

#endif
