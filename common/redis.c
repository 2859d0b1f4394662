#include "common/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/redis_conn.h"
#include "common/redis_url.h"
#include "common/redis_wire.h"

struct redis {
    struct redis *next; /* in `open_ones` */
    struct loop *loop;
    struct redis_address address;
    struct redis_conn *conn;
    void (*state)(bool up, void *arg);
    void *state_arg;
};

/* Those that the hooks serve. A hook lives as long as its loop, so it must not point to what redis_free()
 * frees. */
static struct redis *open_ones;

static bool flush_hook(void *loop)
{
    bool answered = false;
    struct redis *next;

    for (struct redis *redis = open_ones; redis != NULL; redis = next) {
        next = redis->next;
        if (redis->loop == loop)
            answered = redis_conn_flush(redis->conn) || answered;
    }
    return answered;
}

static void on_state(bool up, void *arg)
{
    struct redis *redis = arg;

    if (redis->state != NULL)
        redis->state(up, redis->state_arg);
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
    redis->conn = redis_conn_new(&(struct redis_conn_options){
        .loop = loop,
        .address = &redis->address,
        .replicas = options->replicas,
        .timeout_ms = options->timeout_ms,
        .state = on_state,
        .arg = redis,
    });
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
    redis_conn_queue(redis->conn, redis_cmd_eval(script, key, args, argc, fn, arg));
}

void redis_command(struct redis *redis, const struct span *argv, size_t argc, int key_index, redis_fn fn,
                   void *arg)
{
    assert(argc > 0 && key_index < (int)argc);
    redis_conn_queue(redis->conn, redis_cmd_plain(argv, argc, fn, arg));
}

bool redis_up(const struct redis *redis)
{
    return redis_conn_up(redis->conn);
}

size_t redis_pending(const struct redis *redis)
{
    return redis_conn_pending(redis->conn);
}

bool redis_ready(struct redis *redis, struct buf *why)
{
    return redis_conn_ready(redis->conn, why);
}

void redis_on_state(struct redis *redis, void (*fn)(bool up, void *arg), void *arg)
{
    redis->state = fn;
    redis->state_arg = arg;
}
