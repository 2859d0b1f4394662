/* common/http and whom it trusts: a request leaves only to a peer that the authorities vouch for. */
#include <openssl/ssl.h>

#include "tests/unit/http_identity.h"
#include "tests/unit/http_server.h"

static void tls_that_fails_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    http_request_clear(&f->caller.request);
    buf_addf(&f->caller.request.url, "https://127.0.0.1:%d/garbage", f->server.port);
    f->caller.limits.timeout_ms = 300; /* the server waits for more of what it takes for a request */
    send_filled(&f->caller);
    loop_run(f->caller.loop);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    assert_int_equal(f->server.requests, 0);
}

struct tls_server {
    pthread_t thread;
    struct identity identity;
    int listener;
    int port;
    bool shaken; /* the handshake succeeded and bytes of a request came */
};

static void *tls_main(void *arg)
{
    static const char reply[] = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes";
    struct tls_server *server = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(ctx, server->identity.cert);
    SSL_CTX_use_PrivateKey(ctx, server->identity.key);
    int fd = accept(server->listener, NULL, NULL);
    SSL *ssl = SSL_new(ctx);
    char bytes[4096];
    SSL_set_fd(ssl, fd);
    server->shaken = SSL_accept(ssl) == 1 && SSL_read(ssl, bytes, sizeof(bytes)) > 0;
    if (server->shaken && SSL_write(ssl, reply, sizeof(reply) - 1) > 0)
        while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
            ;
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(ctx);
    return NULL;
}

/* Serves one connection. */
static void tls_start(struct tls_server *server)
{
    memset(server, 0, sizeof(*server));
    identity_make(&server->identity);
    server->listener = listen_on_loopback(&server->port);
    assert_int_equal(pthread_create(&server->thread, NULL, tls_main, server), 0);
}

static void tls_stop(struct tls_server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listener);
    identity_done(&server->identity);
}

static void post_to(struct caller *c, const struct tls_server *server)
{
    (void)snprintf(c->base, sizeof(c->base), "https://127.0.0.1:%d", server->port);
    (void)ask(c, "POST", "/");
}

static void a_certificate_that_nobody_signed_is_not_sent(void **state)
{
    struct http_fixture *f = *state;
    struct tls_server server;
    tls_start(&server);
    post_to(&f->caller, &server);
    tls_stop(&server);
    assert_int_equal(f->caller.seen.outcome, HTTP_NOT_SENT);
    assert_true(f->caller.seen.unreachable);
    assert_non_null(strcasestr(f->caller.seen.error, "certificate"));
    assert_false(server.shaken); /* no byte of the request */
}

static void a_certificate_that_the_given_authority_signed_is_accepted(void **state)
{
    struct caller caller;
    struct tls_server server;
    (void)state;
    tls_start(&server);
    caller_open(&caller, server.identity.cert_file);
    post_to(&caller, &server);
    assert_int_equal(caller.seen.outcome, HTTP_REPLY);
    assert_int_equal(caller.seen.status, 201);
    assert_string_equal(caller.seen.body, "yes");
    caller_close(&caller);
    tls_stop(&server);
}

static void authorities_that_cannot_be_read_let_nothing_through(void **state)
{
    struct http_fixture *f = *state;
    struct caller caller;
    caller_open(&caller, "/no/such/file.pem");
    (void)snprintf(caller.base, sizeof(caller.base), "https://127.0.0.1:%d", f->server.port);
    assert_int_equal(ask(&caller, "POST", "/")->outcome, HTTP_NOT_SENT);
    assert_int_equal(f->server.requests, 0);
    caller_close(&caller);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(tls_that_fails_is_not_sent),
        PROMISE(a_certificate_that_nobody_signed_is_not_sent),
        PROMISE(a_certificate_that_the_given_authority_signed_is_accepted),
        PROMISE(authorities_that_cannot_be_read_let_nothing_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
