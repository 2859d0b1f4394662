/* common/redis against real servers that the tests start themselves, each on a socket in its own directory.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "common/clock.h"
#include "common/redis.h"
#include "common/redis_tls.h"

/* ---- a server ---- */

struct server {
    char dir[64];
    char socket[96];
    char url[128];
    char policy[24];
    char extra[2][160]; /* one option and its value, "" for none */
    pid_t pid;
};

static void server_start(struct server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket, "--dir",
           server->dir, "--save", "", "--appendonly", "no", "--maxmemory-policy", server->policy,
           "--repl-diskless-sync-delay", "0", server->extra[0][0] != 0 ? server->extra[0] : NULL,
           server->extra[1], (char *)NULL);
    _exit(127);
}

static void server_init(struct server *server)
{
    memset(server, 0, sizeof(*server));
    snprintf(server->dir, sizeof(server->dir), "/tmp/ivr-redis-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    snprintf(server->socket, sizeof(server->socket), "%s/s", server->dir);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
    snprintf(server->policy, sizeof(server->policy), "noeviction");
}

static void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    unlink(server->socket);
}

static void server_done(struct server *server)
{
    char dump[96];

    server_kill(server);
    snprintf(dump, sizeof(dump), "%s/dump.rdb", server->dir);
    unlink(dump);
    rmdir(server->dir);
}

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

static void look(void *arg)
{
    struct client *client = arg;

    client->in_time = client->until(client);
    if (client->in_time || clock_mono_ms() > client->deadline_mono_ms)
        loop_quit(client->loop);
}

static void run_until(struct client *client, bool (*until)(struct client *client))
{
    struct loop_timer *timer;

    client->until = until;
    client->deadline_mono_ms = clock_mono_ms() + 20000;
    timer = loop_timer_start(client->loop, 0, 5, look, client);
    loop_run(client->loop);
    loop_timer_stop(&timer);
    assert_true(client->in_time);
}

static void on_state(bool up, void *arg)
{
    struct client *client = arg;

    if (up)
        client->ups++;
    else
        client->downs++;
}

static bool is_up(struct client *client)
{
    return redis_up(client->redis);
}

static bool is_down(struct client *client)
{
    return !redis_up(client->redis);
}

static bool is_ready(struct client *client)
{
    struct buf why;
    bool ready;

    buf_init(&why, 500);
    ready = redis_ready(client->redis, &why);
    snprintf(client->error, sizeof(client->error), "%s", why.p);
    buf_done(&why);
    return ready;
}

static bool is_not_ready(struct client *client)
{
    return !is_ready(client);
}

static bool all_answered(struct client *client)
{
    return redis_pending(client->redis) == 0;
}

static void client_open(struct client *client, const char *url, const char *password, int replicas)
{
    struct err err = ERR_INIT;
    struct redis_options options = {url, password, replicas, 400};

    memset(client, 0, sizeof(*client));
    client->loop = loop_new();
    assert_int_equal(redis_new(&client->redis, client->loop, &options, &err), 0);
    redis_on_state(client->redis, on_state, client);
}

static void client_close(struct client *client)
{
    redis_free(&client->redis);
    assert_null(client->redis);
    loop_free(&client->loop);
}

static void on_answer(const struct redis_result *result, void *arg)
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

static struct redis_script script(const char *name, const char *text, bool writes)
{
    struct redis_script s = {.name = name, .text = text, .len = strlen(text), .writes = writes};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    assert_int_equal(EVP_Digest(text, s.len, digest, &n, EVP_sha1(), NULL), 1);
    for (unsigned i = 0; i < n; i++)
        snprintf(s.sha1 + 2 * i, 3, "%02x", digest[i]);
    return s;
}

static struct redis_script counting(void)
{
    return script("count", "return redis.call('incrby', KEYS[1], ARGV[1])", true);
}

static void eval_n(struct client *client, const struct redis_script *s, const struct span *args, size_t argc,
                   int n)
{
    client->inside = true;
    for (int i = 0; i < n; i++)
        redis_eval(client->redis, s, SPAN_LIT("{t}:k"), args, argc, on_answer, client);
    client->inside = false;
}

static void command(struct client *client, const char *a, const char *b, const char *c)
{
    struct span argv[3] = {span_str(a), span_str(b), span_str(c)};

    client->inside = true;
    redis_command(client->redis, argv, c ? 3 : b ? 2 : 1, -1, on_answer, client);
    client->inside = false;
}

static const struct span one_arg[] = {{"1", 1}};

/* ---- the promises ---- */

static void pipelined_scripts_are_answered_in_order(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 1000);
    assert_int_equal(redis_pending(client.redis), 1000);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1000);
    assert_int_equal(client.last, 1000);
    assert_int_equal(client.misordered, 0);
    client_close(&client);
}

static void ten_thousand_commands_of_one_turn_are_all_answered(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = script("long", "return redis.call('incrby', KEYS[1], #ARGV[1] - 500)", true);
    char text[501];

    memset(text, 'x', sizeof(text));
    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, &(struct span){text, sizeof(text)}, 1, 10000);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 10000);
    assert_int_equal(client.last, 10000);
    assert_int_equal(client.misordered, 0);
    client_close(&client);
}

struct echo {
    struct span sent;
    bool same;
};

static void on_echo(const struct redis_result *result, void *arg)
{
    struct echo *echo = arg;
    struct span got;

    assert_int_equal(redis_reply_len(result->reply), 3);
    assert_true(redis_reply_span(redis_reply_at(result->reply, 0), &got));
    echo->same = span_eq(got, echo->sent);
    assert_true(redis_reply_nil(redis_reply_at(result->reply, 1)));
    assert_null(redis_reply_at(result->reply, 3));
    assert_false(redis_reply_span(redis_reply_at(result->reply, 2), &got));
}

static void arguments_and_replies_are_binary_safe(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = script("echo", "return {ARGV[1] .. ARGV[2], false, 7}", false);
    struct span args[] = {SPAN_LIT("a\0\r\n$3\xff"), SPAN_NONE};
    struct echo echo = {SPAN_LIT("a\0\r\n$3\xff"), false};

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_eval(client.redis, &s, SPAN_LIT("k"), args, 2, on_echo, &echo);
    run_until(&client, all_answered);
    assert_true(echo.same);
    client_close(&client);
}

static void forgotten_script_is_sent_again_unnoticed(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 10);
    command(&client, "SCRIPT", "FLUSH", NULL);
    eval_n(&client, &s, one_arg, 1, 100);
    command(&client, "SCRIPT", "FLUSH", NULL);
    eval_n(&client, &s, one_arg, 1, 100);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 212);
    assert_int_equal(client.answered, 212);
    assert_int_equal(client.last, 210);
    client_close(&client);
}

static void error_reply_is_refused_with_redis_words(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = script("refuse", "return redis.error_reply(ARGV[1])", false);

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, &(struct span){"OOM command not allowed", 23}, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 1);
    assert_string_equal(client.error, "OOM command not allowed");
    eval_n(&client, &s, &(struct span){"LOADING the dataset", 19}, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 2);
    assert_string_equal(client.error, "LOADING the dataset");
    command(&client, "NOSUCH", NULL, NULL);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 3);
    assert_true(redis_up(client.redis));
    client_close(&client);
}

static void full_redis_refuses_and_keeps_the_connection(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("maxmemory"), SPAN_LIT("1")},
                  4, -1, on_answer, &client);
    eval_n(&client, &s, one_arg, 1, 5);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 5);
    assert_memory_equal(client.error, "OOM ", 4);
    assert_int_equal(client.downs, 0);
    client_close(&client);
}

static void stalled_server_condemns_the_connection(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();
    int64_t start;

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    kill(server->pid, SIGSTOP);
    eval_n(&client, &s, one_arg, 1, 5000);
    start = clock_mono_ms();
    run_until(&client, all_answered);
    assert_int_equal(client.lost, 5000);
    assert_in_range(clock_mono_ms() - start, 400, 2000);
    assert_int_equal(client.downs, 1);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 1);
    kill(server->pid, SIGCONT);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    client_close(&client);
}

static bool some_answered(struct client *client)
{
    return client->answered > 0;
}

static void server_killed_in_mid_pipeline_loses_each_command_once(void **state)
{
    struct server *server = *state;
    struct client client;
    /* Slow enough that the kill comes between the first reply and the last. */
    struct redis_script s = script("slow", "for i = 1, 20000 do redis.sha1hex('x') end return 1", false);

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, NULL, 0, 500);
    run_until(&client, some_answered);
    server_kill(server);
    run_until(&client, all_answered);
    assert_int_equal(client.answered, 500);
    assert_int_equal(client.ok + client.lost, 500);
    assert_true(client.lost > 0);
    run_until(&client, is_down);
    server_start(server);
    run_until(&client, is_up);
    assert_int_equal(client.ups, 2);
    assert_int_equal(client.downs, 1);
    client_close(&client);
}

static void without_connection_the_answer_is_refused(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    server_kill(server);
    client_open(&client, server->url, NULL, 0);
    eval_n(&client, &s, one_arg, 1, 3);
    assert_int_equal(client.answered, 0);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 3);
    assert_non_null(strstr(client.error, "not connected"));
    assert_false(is_ready(&client));
    server_start(server);
    run_until(&client, is_up);
    client_close(&client);
}

static bool refused_address(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "refused") != NULL;
}

static void refused_address_is_named_and_tried_again(void **state)
{
    struct client client;
    (void)state;

    /* The discard port: nothing listens there. */
    client_open(&client, "redis://localhost:9/0", NULL, 0);
    run_until(&client, refused_address);
    assert_non_null(strstr(client.error, "localhost:9"));
    client_close(&client);
}

static bool wrong_password(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "WRONGPASS") != NULL;
}

static void wrong_password_is_said_and_right_one_works(void **state)
{
    struct server *server = *state;
    struct client client;
    char url[200];

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("ACL"), SPAN_LIT("SETUSER"), SPAN_LIT("wo:rker"), SPAN_LIT("on"),
                                  SPAN_LIT(">s@cret"), SPAN_LIT("~*"), SPAN_LIT("+@all")},
                  7, -1, on_answer, &client);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    client_close(&client);

    snprintf(url, sizeof(url), "unix://wo%%3Arker:nope@%s?db=3", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, wrong_password);
    assert_null(strstr(client.error, "nope"));
    client_close(&client);
    client_open(&client, url, "s@cret", 0);
    run_until(&client, is_up);
    command(&client, "CLIENT", "INFO", NULL);
    run_until(&client, all_answered);
    client_close(&client);
    snprintf(url, sizeof(url), "unix://wo%%3Arker:s%%40cret@%s?db=3", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_up);
    client_close(&client);
}

static void server_that_denies_config_and_role_is_taken_as_it_is(void **state)
{
    struct server *server = *state;
    struct client client;
    char url[200];

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("ACL"), SPAN_LIT("SETUSER"), SPAN_LIT("w"), SPAN_LIT("on"),
                                  SPAN_LIT(">p"), SPAN_LIT("~*"), SPAN_LIT("+@all"), SPAN_LIT("-config"),
                                  SPAN_LIT("-role")},
                  9, -1, on_answer, &client);
    run_until(&client, all_answered);
    client_close(&client);
    snprintf(url, sizeof(url), "unix://w:p@%s", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_ready);
    client_close(&client);
}

static void evicting_redis_is_not_ready_until_that_is_mended(void **state)
{
    struct server *server = *state;
    struct client client;

    server_kill(server);
    snprintf(server->policy, sizeof(server->policy), "allkeys-lru");
    server_start(server);
    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    assert_false(is_ready(&client));
    assert_non_null(strstr(client.error, "allkeys-lru"));
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("maxmemory-policy"),
                                  SPAN_LIT("noeviction")},
                  4, -1, NULL, NULL);
    run_until(&client, is_ready);
    client_close(&client);
}

static void freeing_answers_what_is_pending(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    eval_n(&client, &s, one_arg, 1, 2);
    run_until(&client, is_up);
    assert_int_equal(client.refused, 2);
    eval_n(&client, &s, one_arg, 1, 7);
    client_close(&client);
    assert_int_equal(client.lost, 7);
    assert_int_equal(client.downs, 0);
}

/* ---- replicas ---- */

static void too_few_replicas_leave_the_whole_batch_unacked(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();
    struct redis_script reads = script("read", "return tonumber(redis.call('get', KEYS[1]))", false);

    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_up);
    assert_false(is_ready(&client));
    eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 20);
    assert_non_null(strstr(client.error, "0 of 1 replicas"));
    assert_int_equal(client.downs, 0);
    eval_n(&client, &reads, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    assert_int_equal(client.last, 20);
    client_close(&client);
}

/* The master listens on TCP too, because replication cannot use a socket file. */
static void start_pair(struct server *master, struct server *replica)
{
    char port[8];
    struct client client;

    snprintf(port, sizeof(port), "%d", 20000 + (int)(getpid() % 20000));
    client_open(&client, master->url, NULL, 0);
    run_until(&client, is_up);
    command(&client, "PING", NULL, NULL);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("port"), span_str(port)}, 4,
                  -1, on_answer, &client);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 2);
    client_close(&client);
    server_init(replica);
    snprintf(replica->extra[0], sizeof(replica->extra[0]), "--replicaof");
    snprintf(replica->extra[1], sizeof(replica->extra[1]), "127.0.0.1 %s", port);
    server_start(replica);
}

static bool says_replica(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "replica") != NULL;
}

static void results_wait_for_the_replicas(void **state)
{
    struct server *server = *state;
    struct server replica;
    struct client client;
    struct redis_script s = counting();

    start_pair(server, &replica);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_ready);
    for (int i = 0; i < 10; i++)
        eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 200);
    assert_int_equal(client.misordered, 0);

    kill(replica.pid, SIGSTOP);
    eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 20);
    run_until(&client, is_not_ready);
    kill(replica.pid, SIGCONT);
    run_until(&client, is_ready);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 201);
    client_close(&client);

    client_open(&client, replica.url, NULL, 0);
    run_until(&client, says_replica);
    assert_false(redis_up(client.redis));
    client_close(&client);
    server_done(&replica);
}

/* A retry finds its work done already and writes nothing: WAIT must still cover the write of the lost
 * connection. */
static void retry_that_writes_nothing_still_waits_for_the_replicas(void **state)
{
    struct server *server = *state;
    struct server replica;
    struct client client;
    struct redis_script s = script("once", "return redis.call('setnx', KEYS[1], 1) + 1", true);

    start_pair(server, &replica);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_ready);
    kill(replica.pid, SIGSTOP);
    eval_n(&client, &s, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 1);
    client_close(&client);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_up);
    eval_n(&client, &s, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 1);
    client_close(&client);
    server_done(&replica);
}

/* ---- addresses ---- */

static void addresses_that_do_not_fit_are_named(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } cases[] = {
        {"localhost:6379", "no scheme"},
        {"http://localhost", "scheme is not known"},
        {"redis://", ""},
        {"redis://h:99999", "malformed"},
        {"redis://h/x", "\"x\""},
        {"redis://h/0?foo=1", "parameters"},
        {"redis://a:1,b:2/0", ""},
        {"unix://", "no socket"},
        {"unix:///s?db=x", "parameters"},
        {"redis+sentinel://h1:1,h2:2", "names no master"},
        {"redis+sentinel://h1:1,h2:2/m/x", "database"},
        {"redis+sentinel://h1:1,,h2:2/m", "host 2"},
        {"redis+sentinel://h1:1,h2:x/m", "host 2"},
        {"redis+sentinel://h1:1,h2:/m", "host 2"},
        {"redis+sentinel://h1:1/m?x=1", "parameters"},
        {"redis+sentinel://u:se%zzcret@h1:1/m", "password"},
        {"redis+cluster://h1:1,h2:2/1", "database"},
        {"redis+cluster://h1:1,h2:99999", "host 2"},
        {"redis+cluster://", "host 1"},
        {"redis://u:se%zzcret@h", "password"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(redis_check_url(cases[i].url, &err), ERR_CONFIG);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(strstr(err.text, "cret"));
    }
}

static void addresses_that_fit_are_taken(void **state)
{
    static const char *const urls[] = {
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://:p%40ss@h/15",
        "redis://user:pass@h:1/2",
        "redis://[::1]:6379/0",
        "redis://h/?db=2",
        "unix:///run/redis.sock",
        "unix:///run/r?db=7",
        "unix://:pw@/run/r",
        "redis+sentinel://h1:1,h2:2/m/3",
        "redis+sentinel://u:p%40@h1,[::1]:2/m",
        "redis+cluster://:pw@h1:1,h2",
        "redis+cluster://h1:1/",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(redis_check_url(urls[i], &err), 0);
    }
}

static void tls_is_taken_where_it_can_be(void **state)
{
    struct err err = ERR_INIT;
    int rc = redis_check_url("rediss://h/0", &err);
    (void)state;

    assert_int_equal(rc, redis_tls_available() ? 0 : ERR_CONFIG);
    if (rc != 0)
        assert_non_null(strstr(err.text, "rediss: this build has no TLS"));
}

static void user_without_password_is_refused(void **state)
{
    struct redis *redis;
    struct loop *loop = loop_new();
    struct redis_options options = {"redis://secret@h", NULL, 0, 100};
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(redis_new(&redis, loop, &options, &err), ERR_CONFIG);
    assert_null(redis);
    assert_null(strstr(err.text, "secret"));
    loop_free(&loop);
}

static int setup(void **state)
{
    static struct server server;

    server_init(&server);
    server_start(&server);
    *state = &server;
    return 0;
}

static int teardown(void **state)
{
    server_done(*state);
    return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(pipelined_scripts_are_answered_in_order),
        WITH_SERVER(ten_thousand_commands_of_one_turn_are_all_answered),
        WITH_SERVER(arguments_and_replies_are_binary_safe),
        WITH_SERVER(forgotten_script_is_sent_again_unnoticed),
        WITH_SERVER(error_reply_is_refused_with_redis_words),
        WITH_SERVER(full_redis_refuses_and_keeps_the_connection),
        WITH_SERVER(stalled_server_condemns_the_connection),
        WITH_SERVER(server_killed_in_mid_pipeline_loses_each_command_once),
        WITH_SERVER(without_connection_the_answer_is_refused),
        cmocka_unit_test(refused_address_is_named_and_tried_again),
        WITH_SERVER(wrong_password_is_said_and_right_one_works),
        WITH_SERVER(server_that_denies_config_and_role_is_taken_as_it_is),
        WITH_SERVER(evicting_redis_is_not_ready_until_that_is_mended),
        WITH_SERVER(freeing_answers_what_is_pending),
        WITH_SERVER(too_few_replicas_leave_the_whole_batch_unacked),
        WITH_SERVER(results_wait_for_the_replicas),
        WITH_SERVER(retry_that_writes_nothing_still_waits_for_the_replicas),
        cmocka_unit_test(addresses_that_do_not_fit_are_named),
        cmocka_unit_test(addresses_that_fit_are_taken),
        cmocka_unit_test(tls_is_taken_where_it_can_be),
        cmocka_unit_test(user_without_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
