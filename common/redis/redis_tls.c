#include "common/redis/redis_tls.h"

#include <stddef.h>

#ifdef HAVE_HIREDIS_SSL

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <uv.h>

bool redis_tls_available(void)
{
    return true;
}

/* hiredis' own context would check no name and know no system certificates. */
static SSL_CTX *client_context(void)
{
    static SSL_CTX *ctx;

    if (ctx != NULL)
        return ctx;
    redisInitOpenSSL();
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_verify_paths(ctx);
    return ctx;
}

static bool expect_host(SSL *ssl, const char *host)
{
    struct in6_addr ip;

    if (uv_inet_pton(AF_INET, host, &ip) == 0 || uv_inet_pton(AF_INET6, host, &ip) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

const char *redis_tls_start(struct redisContext *context, const char *host)
{
    SSL_CTX *ctx = client_context();
    SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;

    if (ssl == NULL || !expect_host(ssl, host)) {
        SSL_free(ssl);
        return "TLS cannot be set up";
    }
    /* The SSL is hiredis' from here on, whatever it answers. */
    if (redisInitiateSSL(context, ssl) != REDIS_OK)
        return context->errstr[0] != 0 ? context->errstr : "the TLS handshake failed";
    return NULL;
}

#else

bool redis_tls_available(void)
{
    return false;
}

const char *redis_tls_start(struct redisContext *context, const char *host)
{
    (void)context;
    (void)host;
    return "this build has no TLS to Redis";
}

#endif
