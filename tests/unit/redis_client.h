/*
 * A Redis of one's own and a client of it on a loop, for the tests of common/redis: a real redis-server on a
 * socket in a directory of its own.
 */
#ifndef IVR_UNIT_REDIS_CLIENT_H
#define IVR_UNIT_REDIS_CLIENT_H

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/redis/redis.h"

/* ---- a server ---- */

enum { EXTRA_MAX = 5 };

struct server {
    char dir[64];
    char socket[96];
    char url[128];
    char policy[24];
    char extra[EXTRA_MAX][2][160]; /* options and their values */
    pid_t pid;
};

static inline void server_start(struct server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    enum { BASE = 13 };
    char *argv[BASE + 2 * EXTRA_MAX + 1] = {"redis-server",
                                            "--port",
                                            "0",
                                            "--unixsocket",
                                            server->socket,
                                            "--dir",
                                            server->dir,
                                            "--save",
                                            "",
                                            "--maxmemory-policy",
                                            server->policy,
                                            "--repl-diskless-sync-delay",
                                            "0"};
    size_t n = BASE;
    for (size_t i = 0; i < EXTRA_MAX && server->extra[i][0][0] != 0; i++) {
        argv[n++] = server->extra[i][0];
        argv[n++] = server->extra[i][1];
    }
    execvp(argv[0], argv);
    _exit(127);
}

static inline void server_extra(struct server *server, const char *option, const char *value)
{
    size_t i = 0;
    while (server->extra[i][0][0] != 0)
        i++;
    assert_true(i < EXTRA_MAX);
    snprintf(server->extra[i][0], sizeof(server->extra[i][0]), "%s", option);
    snprintf(server->extra[i][1], sizeof(server->extra[i][1]), "%s", value);
}

/* A line of its configuration that is no option. */
static inline void server_configure(struct server *server, const char *line)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "%s/more.conf", server->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", line);
    fclose(file);
    server_extra(server, "--include", path);
}

static inline void server_init(struct server *server)
{
    memset(server, 0, sizeof(*server));
    snprintf(server->dir, sizeof(server->dir), "/tmp/ivr-redis-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    snprintf(server->socket, sizeof(server->socket), "%s/s", server->dir);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
    snprintf(server->policy, sizeof(server->policy), "noeviction");
}

static inline void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    unlink(server->socket);
}

static inline void server_done(struct server *server)
{
    static const char *const files[] = {"dump.rdb", "nodes.conf", "more.conf"};
    char path[96];

    server_kill(server);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", server->dir, files[i]);
        unlink(path);
    }
    rmdir(server->dir);
}

static inline bool port_is_free(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return is_free;
}

/* One where the port 10000 above is free, too (the bus of a cluster's node). Below those that are handed out
 * to clients. */
static inline int free_port(void)
{
    static int offset = -1;

    if (offset < 0)
        offset = (int)(getpid() % 10000);
    for (int i = 0; i < 10000; i++) {
        offset = (offset + 1) % 10000;
        if (port_is_free(10000 + offset) && port_is_free(20000 + offset))
            return 10000 + offset;
    }
    fail_msg("no free port");
    return 0;
}

/* ---- what it can be asked: one library, as the workers have one ---- */

#define FLAGGED(name, flags, body)                                                                           \
    "redis.register_function{function_name='test_" name "', flags={" flags "}, "                             \
    "callback=function(KEYS, ARGV) " body " end}\n"
#define FUNCTION(name, body) FLAGGED(name, "", body)

/* clang-format off */
static const char test_text[] =
    "#!lua name=test\n"
    FUNCTION("count", "return redis.call('incrby', KEYS[1], ARGV[1])")
    FUNCTION("long", "return redis.call('incrby', KEYS[1], #ARGV[1] - 500)")
    FUNCTION("once", "return redis.call('setnx', KEYS[1], 1) + 1")
    FUNCTION("read", "return tonumber(redis.call('get', KEYS[1]))")
    FUNCTION("echo", "return {ARGV[1] .. ARGV[2], false, 7}")
    FUNCTION("refuse", "return redis.error_reply(ARGV[1])")
    FUNCTION("slow", "for i = 1, 20000 do redis.sha1hex('x') end return 1")
    FUNCTION("probe", "return redis.call('SET', KEYS[1] .. ':probe', '1', 'XX')")
    FUNCTION("denied", "return redis.error_reply('NOPERM not for you')")
    FUNCTION("nonsense", "return redis.error_reply('ERR of mine')")
    FLAGGED("reads", "'no-writes'", "return redis.call('EXISTS', KEYS[1])")
    FLAGGED("removes", "'allow-oom'", "return redis.call('DEL', KEYS[1])");
/* clang-format on */
static const struct redis_library test_library = {"test", test_text, sizeof(test_text) - 1};

/* ---- a client on a loop ---- */

struct client {
    struct loop *loop;
    struct redis *redis;
    bool (*until)(struct client *client);
    int64_t deadline_mono_ms;
    bool in_time;
    int answered;
    int ok;
    int refused;
    int lost;
    int unacked;
    int64_t last;   /* of the last integer reply */
    int misordered; /* integer replies that did not grow */
    char error[256];
    bool inside; /* redis_eval() has not returned yet */
    int ups;
    int downs;
};

static inline void look(void *arg)
{
    struct client *client = arg;

    client->in_time = client->until(client);
    if (client->in_time || clock_mono_ms() > client->deadline_mono_ms)
        loop_quit(client->loop);
}

static inline void run_until(struct client *client, bool (*until)(struct client *client))
{
    struct loop_timer *timer;

    client->until = until;
    client->deadline_mono_ms = clock_mono_ms() + 20000;
    timer = loop_timer_start(client->loop, 0, 5, look, client);
    loop_run(client->loop);
    loop_timer_stop(&timer);
    assert_true(client->in_time);
}

static inline void on_state(bool up, void *arg)
{
    struct client *client = arg;

    if (up)
        client->ups++;
    else
        client->downs++;
}

static inline bool is_up(struct client *client)
{
    return redis_up(client->redis);
}

static inline bool is_down(struct client *client)
{
    return !redis_up(client->redis);
}

static inline bool is_ready(struct client *client)
{
    struct buf why;
    bool ready;

    buf_init(&why, 500);
    ready = redis_ready(client->redis, REDIS_FOR_PEOPLE, &why);
    snprintf(client->error, sizeof(client->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static inline bool is_not_ready(struct client *client)
{
    return !is_ready(client);
}

static inline bool all_answered(struct client *client)
{
    return redis_pending(client->redis) == 0;
}

static inline void client_open_with(struct client *client, const char *url, const char *password,
                                    int replicas, const struct redis_library *library)
{
    struct err err = ERR_INIT;
    struct redis_options options = {url, password, replicas, 400, library};

    memset(client, 0, sizeof(*client));
    client->loop = loop_new();
    assert_int_equal(redis_new(&client->redis, client->loop, &options, &err), 0);
    redis_on_state(client->redis, on_state, client);
}

static inline void client_open(struct client *client, const char *url, const char *password, int replicas)
{
    client_open_with(client, url, password, replicas, &test_library);
}

static inline void client_close(struct client *client)
{
    redis_free(&client->redis);
    assert_null(client->redis);
    loop_free(&client->loop);
}

static inline void on_answer(const struct redis_result *result, void *arg)
{
    struct client *client = arg;
    int64_t value;

    assert_false(client->inside);
    client->answered++;
    client->ok += result->status == REDIS_OK;
    client->refused += result->status == REDIS_REFUSED;
    client->lost += result->status == REDIS_LOST;
    client->unacked += result->status == REDIS_UNACKED;
    assert_true((result->reply != NULL) == (result->status == REDIS_OK || result->status == REDIS_UNACKED));
    assert_true((result->error[0] == 0) == (result->status == REDIS_OK));
    snprintf(client->error, sizeof(client->error), "%s", result->error);
    if (result->reply != NULL && redis_reply_int(result->reply, &value)) {
        client->misordered += value <= client->last;
        client->last = value;
    }
}

static inline struct redis_script counting(void)
{
    return (struct redis_script){"count", "test_count", true, false};
}

static inline void eval_n(struct client *client, const struct redis_script *s, const struct span *args,
                          size_t argc, int n)
{
    client->inside = true;
    for (int i = 0; i < n; i++)
        redis_eval(client->redis, s, SPAN_LIT("{t}:k"), args, argc, on_answer, client);
    client->inside = false;
}

static inline void command(struct client *client, const char *a, const char *b, const char *c)
{
    struct span argv[3] = {span_str(a), span_str(b), span_str(c)};

    client->inside = true;
    redis_command(client->redis, argv, c ? 3 : b ? 2 : 1, -1, on_answer, client);
    client->inside = false;
}

static const struct span one_arg[] __attribute__((unused)) = {{"1", 1}};

static inline int redis_setup(void **state)
{
    static struct server server;

    server_init(&server);
    server_start(&server);
    *state = &server;
    return 0;
}

static inline int redis_teardown(void **state)
{
    server_done(*state);
    return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, redis_setup, redis_teardown)

#endif
