/* common/admin: health, readiness and metrics as an orchestrator and Prometheus see them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/http/admin.h"

struct admin_fixture {
    struct loop *loop;
    struct admin *admin;
    uv_async_t finished;
    const char *request;
    char reply[65536];
};

static void *ask_main(void *arg)
{
    struct admin_fixture *f = arg;
    size_t n = 0;
    int port = (int)strtol(strrchr(admin_address(f->admin), ':') + 1, NULL, 10);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
        send(fd, f->request, strlen(f->request), 0) > 0) {
        ssize_t got;
        while (n + 1 < sizeof(f->reply) && (got = recv(fd, f->reply + n, sizeof(f->reply) - 1 - n, 0)) > 0)
            n += (size_t)got;
    }
    f->reply[n] = '\0';
    close(fd);
    uv_async_send(&f->finished);
    return NULL;
}

static void on_finished(uv_async_t *handle)
{
    loop_quit(handle->data);
}

/* Sends one request from another thread while the loop runs here; the whole reply. */
static const char *ask(struct admin_fixture *f, const char *method, const char *path)
{
    char request[256];
    pthread_t thread;
    (void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", method,
                   path);
    f->request = request;
    assert_int_equal(pthread_create(&thread, NULL, ask_main, f), 0);
    loop_run(f->loop);
    pthread_join(thread, NULL);
    return f->reply;
}

static int set_up(void **state)
{
    static struct admin_fixture fixture;
    struct err err = ERR_INIT;
    fixture = (struct admin_fixture){.loop = loop_new()};
    assert_int_equal(admin_start(&fixture.admin, fixture.loop, "127.0.0.1:0", &err), 0);
    assert_int_equal(uv_async_init(loop_uv(fixture.loop), &fixture.finished, on_finished), 0);
    fixture.finished.data = fixture.loop;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct admin_fixture *f = *state;
    admin_stop(&f->admin);
    uv_close((uv_handle_t *)&f->finished, NULL);
    loop_free(&f->loop);
    return 0;
}

static bool check_flag(void *arg, struct buf *why)
{
    const char *const *problem = arg;
    if (*problem)
        buf_adds(why, *problem);
    return !*problem;
}

static void a_process_that_turns_its_loop_is_healthy(void **state)
{
    const char *reply = ask(*state, "GET", "/healthz");
    assert_memory_equal(reply, "HTTP/1.1 200", 12);
    assert_non_null(strstr(reply, "\r\n\r\nok\n"));
}

static void readiness_names_every_failing_check(void **state)
{
    struct admin_fixture *f = *state;
    const char *redis = "connection refused, trying again in 2 s", *kafka = NULL, *group = "not joined yet";
    admin_add_check(f->admin, "redis", check_flag, &redis);
    admin_add_check(f->admin, "kafka", check_flag, &kafka);
    admin_add_check(f->admin, "group", check_flag, &group);
    const char *reply = ask(f, "GET", "/readyz");
    assert_memory_equal(reply, "HTTP/1.1 503", 12);
    assert_string_equal(strstr(reply, "\r\n\r\n"),
                        "\r\n\r\nredis: connection refused, trying again in 2 s\ngroup: not joined yet\n");
    redis = group = NULL;
    assert_memory_equal(ask(f, "GET", "/readyz"), "HTTP/1.1 200", 12);
}

static void one_check_can_be_asked_for_alone(void **state)
{
    struct admin_fixture *f = *state;
    const char *redis = "connection refused", *kafka = NULL;
    admin_add_check(f->admin, "redis", check_flag, &redis);
    admin_add_check(f->admin, "kafka", check_flag, &kafka);
    assert_memory_equal(ask(f, "GET", "/readyz/kafka"), "HTTP/1.1 200", 12);
    const char *reply = ask(f, "GET", "/readyz/redis");
    assert_memory_equal(reply, "HTTP/1.1 503", 12);
    assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\nredis: connection refused\n");
    assert_memory_equal(ask(f, "GET", "/readyz/kafk"), "HTTP/1.1 404", 12);
    assert_memory_equal(ask(f, "GET", "/readyz/"), "HTTP/1.1 404", 12);
    admin_drain(f->admin);
    assert_memory_equal(ask(f, "GET", "/readyz/kafka"), "HTTP/1.1 503", 12);
}

static void a_draining_process_is_healthy_and_not_ready(void **state)
{
    struct admin_fixture *f = *state;
    assert_memory_equal(ask(f, "GET", "/readyz?verbose"), "HTTP/1.1 200", 12);
    admin_drain(f->admin);
    const char *reply = ask(f, "GET", "/readyz");
    assert_memory_equal(reply, "HTTP/1.1 503", 12);
    assert_non_null(strstr(reply, "\r\n\r\ndraining\n"));
    assert_memory_equal(ask(f, "GET", "/healthz"), "HTTP/1.1 200", 12);
}

static void metrics_come_in_the_text_format(void **state)
{
    const char *reply = ask(*state, "GET", "/metrics");
    assert_memory_equal(reply, "HTTP/1.1 200", 12);
    assert_non_null(strstr(reply, "text/plain; version=0.0.4"));
    assert_non_null(strstr(reply, "\nivr_in_flight 0\n"));
    assert_non_null(strstr(reply, "\nprocess_open_fds "));
}

static void other_paths_and_methods_are_refused(void **state)
{
    assert_memory_equal(ask(*state, "GET", "/"), "HTTP/1.1 404", 12);
    assert_memory_equal(ask(*state, "GET", "/metricsx"), "HTTP/1.1 404", 12);
    assert_memory_equal(ask(*state, "DELETE", "/metrics"), "HTTP/1.1 405", 12);
    assert_memory_equal(ask(*state, "HEAD", "/healthz"), "HTTP/1.1 200", 12);
}

static void a_taken_address_is_a_configuration_error(void **state)
{
    struct admin_fixture *f = *state;
    struct admin *second = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(admin_start(&second, f->loop, admin_address(f->admin), &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, admin_address(f->admin)));
    assert_null(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_that_turns_its_loop_is_healthy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness_names_every_failing_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_check_can_be_asked_for_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_draining_process_is_healthy_and_not_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_come_in_the_text_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_paths_and_methods_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_taken_address_is_a_configuration_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
