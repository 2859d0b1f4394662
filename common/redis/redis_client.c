#include "common/redis/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/redis/redis_cluster.h"
#include "common/redis/redis_conn.h"
#include "common/redis/redis_sentinel.h"
#include "common/redis/redis_slot.h"
#include "common/redis/redis_url.h"
#include "common/redis/redis_wire.h"

struct redis {
    struct redis *next; /* in `open_ones` */
    struct loop *loop;
    struct redis_address address;
    struct redis_conn *conn;         /* NULL for a cluster */
    struct redis_cluster *cluster;   /* NULL otherwise */
    struct redis_sentinel *sentinel; /* NULL without */
    bool located;                    /* Sentinel was asked before */
    struct redis_proof proof;
    void (*state)(bool up, void *arg);
    void *state_arg;
};

/* Those that the hooks serve. A hook lives as long as its loop, so it must not point to what redis_free()
 * frees. */
static struct redis *open_ones;

static bool redis_flush(struct redis *redis)
{
    bool answered = redis->sentinel != NULL && redis_sentinel_flush(redis->sentinel);

    if (redis->cluster != NULL)
        return redis_cluster_flush(redis->cluster);
    return redis_conn_flush(redis->conn) || answered;
}

static bool flush_hook(void *loop)
{
    bool answered = false;
    struct redis *next;

    for (struct redis *redis = open_ones; redis != NULL; redis = next) {
        next = redis->next;
        if (redis->loop == loop)
            answered = redis_flush(redis) || answered;
    }
    return answered;
}

static void on_state(bool up, void *arg)
{
    struct redis *redis = arg;

    if (redis->state != NULL)
        redis->state(up, redis->state_arg);
}

/* ---- Sentinel ---- */

static void on_locate(void *arg)
{
    struct redis *redis = arg;
    bool again = redis->located;

    /* What the last answer led to did not work, or it did for a while: another Sentinel may know better. */
    redis->located = true;
    redis_sentinel_ask(redis->sentinel, again);
}

static void on_found(const char *host, int port, void *arg)
{
    redis_conn_located(((struct redis *)arg)->conn, host, port);
}

static void on_not_found(const char *error, void *arg)
{
    redis_conn_unlocated(((struct redis *)arg)->conn, error);
}

static void on_moved(void *arg)
{
    struct redis *redis = arg;

    redis->located = false; /* this Sentinel knows best */
    redis_conn_renew(redis->conn, "Sentinel names another primary");
}

/* ---- the outside ---- */

static void open_connection(struct redis *redis, const struct redis_options *options)
{
    const struct redis_sentinel_events sentinel = {on_found, on_not_found, on_moved, redis};
    struct redis_conn_options conn = {.loop = redis->loop,
                                      .address = &redis->address,
                                      .library = options->library,
                                      .kind = CONN_PRIMARY,
                                      .replicas = options->replicas,
                                      .timeout_ms = options->timeout_ms,
                                      .proof = &redis->proof,
                                      .state = on_state,
                                      .arg = redis};

    if (redis->address.kind == REDIS_CLUSTER) {
        redis->cluster = redis_cluster_new(&conn);
        return;
    }
    if (redis->address.kind == REDIS_SENTINEL) {
        redis->sentinel = redis_sentinel_new(redis->loop, &redis->address, &sentinel);
        conn.locate = on_locate;
    }
    redis->conn = redis_conn_new(&conn);
}

static void queue(struct redis *redis, struct redis_cmd *cmd)
{
    if (redis->cluster != NULL)
        redis_cluster_queue(redis->cluster, cmd);
    else
        redis_conn_queue(redis->conn, cmd);
}

int redis_check_url(const char *url, struct err *err)
{
    struct redis_address address;
    int rc = redis_address_parse(&address, url, NULL, err);

    redis_address_done(&address);
    return rc;
}

int redis_new(struct redis **pointer, struct loop *loop, const struct redis_options *options, struct err *err)
{
    struct redis *redis = mem_calloc(1, sizeof(*redis));

    *pointer = NULL;
    if (redis_address_parse(&redis->address, options->url, options->password, err) != 0)
        goto refuse;
    if (redis->address.user != NULL && redis->address.password == NULL) {
        err_set(err, ERR_CONFIG,
                "the Redis URL names a user but there is no password, write :password@ if it is one");
        goto refuse;
    }
    redis->loop = loop;
    open_connection(redis, options);
    redis->next = open_ones;
    open_ones = redis;
    loop_at_turn_end(loop, flush_hook, loop);
    *pointer = redis;
    return 0;
refuse:
    redis_address_done(&redis->address);
    free(redis);
    return ERR_CONFIG;
}

void redis_free(struct redis **pointer)
{
    struct redis *redis = *pointer;
    struct redis **link = &open_ones;

    if (redis == NULL)
        return;
    redis_conn_free(&redis->conn);
    redis_cluster_free(&redis->cluster);
    redis_sentinel_free(&redis->sentinel);
    while (*link != redis)
        link = &(*link)->next;
    *link = redis->next;
    redis_address_done(&redis->address);
    free(redis);
    *pointer = NULL;
}

void redis_eval(struct redis *redis, const struct redis_script *script, struct span key,
                const struct span *args, size_t argc, redis_fn fn, void *arg)
{
    struct redis_cmd *cmd = redis_cmd_eval(script, key, args, argc, fn, arg);

    cmd->slot = redis_slot_of(key);
    queue(redis, cmd);
}

void redis_command(struct redis *redis, const struct span *argv, size_t argc, int key_index, redis_fn fn,
                   void *arg)
{
    assert(argc > 0 && key_index < (int)argc);
    struct redis_cmd *cmd = redis_cmd_plain(argv, argc, fn, arg);

    if (key_index >= 0)
        cmd->slot = redis_slot_of(argv[key_index]);
    queue(redis, cmd);
}

size_t redis_servers(const struct redis *redis)
{
    return redis->cluster != NULL ? redis_cluster_servers(redis->cluster) : 1;
}

void redis_command_of(struct redis *redis, size_t server, const struct span *argv, size_t argc, redis_fn fn,
                      void *arg)
{
    struct redis_cmd *cmd = redis_cmd_plain(argv, argc, fn, arg);

    if (redis->cluster != NULL)
        redis_cluster_queue_to(redis->cluster, server, cmd);
    else
        redis_conn_queue(redis->conn, cmd);
}

void redis_prove(struct redis *redis, const struct redis_script *script, const struct span *keys, size_t n)
{
    assert(n > 0);
    redis->proof = (struct redis_proof){script, keys, n};
}

bool redis_up(const struct redis *redis)
{
    return redis->cluster != NULL ? redis_cluster_up(redis->cluster) : redis_conn_takes(redis->conn);
}

bool redis_refuses(struct redis *redis, struct buf *why)
{
    return redis->cluster != NULL ? redis_cluster_refuses(redis->cluster, why)
                                  : redis_conn_refuses(redis->conn, why);
}

size_t redis_pending(const struct redis *redis)
{
    return redis->cluster != NULL ? redis_cluster_pending(redis->cluster) : redis_conn_pending(redis->conn);
}

bool redis_ready(struct redis *redis, enum redis_ready_for whom, struct buf *why)
{
    return redis->cluster != NULL ? redis_cluster_ready(redis->cluster, whom, why)
                                  : redis_conn_ready(redis->conn, whom, why);
}

void redis_on_state(struct redis *redis, void (*fn)(bool up, void *arg), void *arg)
{
    redis->state = fn;
    redis->state_arg = arg;
}
