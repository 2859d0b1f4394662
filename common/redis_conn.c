#include "common/redis_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/redis_poll.h"
#include "common/redis_reply.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 2000,
    CHECK_MS = 30000,     /* how often policy, role and replicas are looked at again */
    CHECK_SOON_MS = 2000, /* the same while something about them is wrong */
    WAIT_MS = 1000,       /* how long the replicas have (contract: "too few within 1 s") */
    RESENDS_MAX = 5,      /* a server that forgets scripts faster than that is not for us */
    TICK_MIN_MS = 10,
    TICK_MAX_MS = 100,
};

enum conn_state { CONN_DOWN, CONN_RESOLVING, CONN_CONNECTING, CONN_SETUP, CONN_UP };

/* What a connection knows of one script. */
struct redis_script_use {
    struct redis_script_use *next;
    const struct redis_script *script;
    struct metric_series *seconds;
    uint64_t eval_seq; /* when it last went out in full on this connection, 0: not yet */
};

/* A name being looked up; outlives a connection that is freed meanwhile. */
struct resolve {
    uv_getaddrinfo_t request;
    struct redis_conn *conn; /* NULL: nobody wants to know any more */
};

/* Nobody listens there. */
#define FENCE "ivr:fence"

struct redis_conn {
    struct redis_conn_options options;
    enum conn_state state;
    int64_t since_mono_ms; /* of the attempt to connect */
    int64_t retry_mono_ms; /* DOWN: when to try again */
    int64_t check_mono_ms; /* UP: when to look at policy and role again */
    int64_t backoff_ms;
    unsigned attempts; /* picks among the addresses of a name */
    struct resolve *resolve;
    redisAsyncContext *ac; /* NULL when there is none */
    struct redis_poll *poll;
    struct loop_timer *tick;
    struct redis_cmds queue;
    struct redis_cmds sent;
    struct redis_cmds held;
    struct redis_cmds refused;
    struct redis_script_use *scripts;
    uint64_t seq;
    uint64_t suspect_seq; /* the command that was overdue at the last tick, 0: none */
    bool wait_out;        /* a WAIT has not been answered */
    bool fenced;          /* the PUBLISH before it was taken */
    bool gone;            /* hiredis ended the connection, conn_settle() is due */
    bool closing;
    int acked;       /* replicas at the last look, -1: not known */
    char policy[32]; /* "" while not known */
    char error[200]; /* why it is down; the first cause counts */
};

/* ---- answers ---- */

/* What Redis says when it did not run a script for reasons of its own; everything else is a defect of the
 * script. */
static bool is_refusal(const struct redisReply *reply)
{
    static const char *const words[] = {"OOM",      "LOADING",  "BUSY",     "READONLY",   "MASTERDOWN",
                                        "MISCONF",  "NOAUTH",   "NOPERM",   "NOREPLICAS", "CLUSTERDOWN",
                                        "NOSCRIPT", "TRYAGAIN", "WRONGPASS"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (redis_reply_error_is(reply, words[i]))
            return true;
    }
    return false;
}

static void cmd_give(struct redis_cmd *cmd, const struct redis_result *result)
{
    if (cmd->use != NULL && result->status != REDIS_LOST)
        metric_observe(cmd->use->seconds, (double)(clock_mono_us() - cmd->queued_mono_us) / 1e6);
    if (cmd->fn != NULL)
        cmd->fn(result, cmd->arg);
    redis_cmd_free(&cmd);
}

static void cmd_fail(struct redis_cmd *cmd, enum redis_status status, const char *error)
{
    cmd_give(cmd, &(struct redis_result){status, NULL, error});
}

static void cmd_answer(struct redis_cmd *cmd, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        cmd_give(cmd, &(struct redis_result){REDIS_OK, reply, ""});
        return;
    }
    if (cmd->script != NULL && !is_refusal(reply))
        LOG_LIMITED(LOG_LEVEL_ERROR, "a Redis script failed, this is a defect",
                    LOG_STR("script", cmd->script->name), LOG_STR("error", reply->str));
    cmd_fail(cmd, REDIS_REFUSED, reply->str);
}

/* Empties the list even when the callbacks add to it. */
static void fail_all(struct redis_cmds *list, enum redis_status status, const char *error)
{
    struct redis_cmds mine;

    redis_cmds_init(&mine);
    redis_cmds_move(&mine, list);
    for (struct redis_cmd *cmd; (cmd = redis_cmds_take(&mine)) != NULL;)
        cmd_fail(cmd, status, error);
}

/* ---- state ---- */

static void set_error(struct redis_conn *conn, const char *error)
{
    if (conn->error[0] == 0)
        snprintf(conn->error, sizeof(conn->error), "%s", error);
}

/* Any way down: DOWN, one log line, everybody pending is told, the next attempt is planned. */
static void conn_drop(struct redis_conn *conn)
{
    bool was_up = conn->state == CONN_UP;
    redisAsyncContext *ac = conn->ac;
    char error[sizeof(conn->error)];

    set_error(conn, "the connection was closed");
    memcpy(error, conn->error, sizeof(error));
    conn->ac = NULL;
    conn->poll = NULL;
    if (ac != NULL) {
        ac->data = NULL;
        redisAsyncFree(ac);
    }
    if (conn->resolve != NULL)
        conn->resolve->conn = NULL;
    conn->resolve = NULL;
    conn->state = CONN_DOWN;
    conn->gone = false;
    conn->wait_out = false;
    conn->suspect_seq = 0;
    conn->retry_mono_ms = loop_mono_ms(conn->options.loop) + conn->backoff_ms;
    for (struct redis_script_use *use = conn->scripts; use != NULL; use = use->next)
        use->eval_seq = 0;
    if (!conn->closing)
        LOG_LIMITED(LOG_LEVEL_WARN, "no connection to Redis, trying again",
                    LOG_STR("address", conn->options.address->shown), LOG_STR("error", error),
                    LOG_INT("retry_ms", conn->backoff_ms));
    conn->backoff_ms = conn->backoff_ms * 2 < BACKOFF_MAX_MS ? conn->backoff_ms * 2 : BACKOFF_MAX_MS;

    struct redis_cmds lost;
    redis_cmds_init(&lost);
    redis_cmds_move(&lost, &conn->held);
    redis_cmds_move(&lost, &conn->sent);
    redis_cmds_move(&lost, &conn->queue);
    if (was_up && !conn->closing)
        conn->options.state(false, conn->options.arg);
    fail_all(&lost, REDIS_LOST, error);
}

/* To be called whenever hiredis is off the stack: ends what a callback condemned. */
static void conn_settle(struct redis_conn *conn)
{
    if (conn->state != CONN_DOWN && (conn->gone || conn->error[0] != 0))
        conn_drop(conn);
}

/* From inside hiredis: the context is being freed. */
static void on_gone(const char *error, void *arg)
{
    struct redis_conn *conn = arg;

    if (conn->ac == NULL)
        return;
    conn->ac = NULL;
    conn->poll = NULL;
    conn->gone = true;
    set_error(conn, error[0] != 0 ? error : "the connection was closed");
}

static void on_turned(void *arg)
{
    conn_settle(arg);
}

/* ---- sending and receiving ---- */

static struct redis_script_use *script_use(struct redis_conn *conn, const struct redis_script *script)
{
    struct redis_script_use *use;

    for (use = conn->scripts; use != NULL; use = use->next) {
        if (use->script == script)
            return use;
    }
    use = mem_calloc(1, sizeof(*use));
    use->script = script;
    use->seconds = metric_series(M_REDIS_SECONDS, script->name, NULL);
    use->next = conn->scripts;
    conn->scripts = use;
    return use;
}

/* The server does not know the script. The first one to learn it makes the next sending go out in full; those
 * behind it in the pipeline then find it known. */
static void resend(struct redis_conn *conn, struct redis_cmd *cmd)
{
    if (cmd->use->eval_seq <= cmd->sent_seq)
        cmd->use->eval_seq = 0;
    cmd->resends++;
    redis_cmds_add(&conn->queue, cmd);
}

static void on_reply(redisAsyncContext *ac, void *answer, void *unused)
{
    struct redis_conn *conn = ac->data;
    struct redisReply *reply = answer;
    (void)unused;

    /* NULL: the connection is ending, conn_drop() will answer everybody. */
    if (conn == NULL || reply == NULL)
        return;
    struct redis_cmd *cmd = redis_cmds_take(&conn->sent);
    assert(cmd != NULL);
    if (cmd->script != NULL && redis_reply_error_is(reply, "NOSCRIPT") && cmd->resends < RESENDS_MAX) {
        resend(conn, cmd);
        return;
    }
    /* The server was demoted, or its passwords changed: only a new connection can mend that. */
    if (redis_reply_error_is(reply, "READONLY") || redis_reply_error_is(reply, "NOAUTH"))
        set_error(conn, reply->str);
    if (!cmd->hold) {
        cmd_answer(cmd, reply);
        return;
    }
    cmd->held = redis_reply_steal(reply);
    redis_cmds_add(&conn->held, cmd);
}

static void conn_send(struct redis_conn *conn, struct redis_cmd *cmd)
{
    const char *wire = cmd->wire;
    size_t n = cmd->wire_n;
    char *full = NULL;

    cmd->sent_seq = ++conn->seq;
    cmd->sent_mono_ms = loop_mono_ms(conn->options.loop);
    if (cmd->use != NULL && cmd->use->eval_seq == 0) {
        cmd->use->eval_seq = cmd->sent_seq;
        wire = full = redis_cmd_in_full(cmd, &n);
    }
    redis_cmds_add(&conn->sent, cmd);
    if (redisAsyncFormattedCommand(conn->ac, on_reply, NULL, wire, n) != REDIS_OK)
        set_error(conn, "hiredis takes no more commands");
    free(full);
}

/* One of our own commands, past the queue. */
static void send_own(struct redis_conn *conn, redis_fn fn, const struct span *argv, size_t argc)
{
    conn_send(conn, redis_cmd_plain(argv, argc, fn, conn));
}

/* ---- WAIT ---- */

/* Workers may stop taking work while it is not fit, so nothing else would find out that it is again. */
static void check_soon(struct redis_conn *conn)
{
    int64_t soon = loop_mono_ms(conn->options.loop) + CHECK_SOON_MS;

    if (conn->check_mono_ms > soon)
        conn->check_mono_ms = soon;
}

static void on_fence(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;

    conn->fenced = result->status == REDIS_OK;
}

static void on_wait(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    int64_t acked = 0;
    char error[100];

    conn->wait_out = false;
    if (result->status == REDIS_LOST)
        return; /* the held ones are told by conn_drop() */
    if (result->status == REDIS_OK && conn->fenced)
        redis_reply_int(result->reply, &acked);
    conn->acked = (int)acked;
    struct redis_cmds batch;
    redis_cmds_init(&batch);
    redis_cmds_move(&batch, &conn->held);
    if (acked < conn->options.replicas) {
        if (conn->fenced)
            snprintf(error, sizeof(error), "%d of %d replicas acknowledged within %d ms", (int)acked,
                     conn->options.replicas, WAIT_MS);
        else
            snprintf(error, sizeof(error), "replicas cannot be waited for: PUBLISH to " FENCE " was refused");
        LOG_LIMITED(LOG_LEVEL_WARN, "too few Redis replicas", LOG_STR("error", error));
        check_soon(conn);
        fail_all(&batch, REDIS_LOST, error);
        return;
    }
    for (struct redis_cmd *cmd; (cmd = redis_cmds_take(&batch)) != NULL;) {
        struct redisReply *reply = cmd->held;
        cmd->held = NULL;
        cmd_answer(cmd, reply);
        freeReplyObject(reply);
    }
}

/* WAIT covers what this connection wrote. A script that finds its work done already writes nothing, and what
 * it found may come from a connection that died before its own WAIT: up to Redis 7.0 WAIT covers that too,
 * Redis 8 answers at once. So something is written first. PUBLISH travels to the replicas and leaves no key
 * behind. */
static void send_wait(struct redis_conn *conn)
{
    char replicas[12];
    int n = snprintf(replicas, sizeof(replicas), "%d", conn->options.replicas);

    conn->wait_out = true;
    conn->fenced = false;
    send_own(conn, on_fence, (const struct span[]){SPAN_LIT("PUBLISH"), SPAN_LIT(FENCE), SPAN_LIT("")}, 3);
    send_own(conn, on_wait,
             (const struct span[]){SPAN_LIT("WAIT"), span_of(replicas, (size_t)n), SPAN_LIT("1000")}, 3);
}

static void send_batch(struct redis_conn *conn)
{
    bool writes = false;

    if (conn->queue.n == 0 || conn->wait_out)
        return;
    if (conn->options.replicas > 0) {
        for (struct redis_cmd *cmd = conn->queue.head; cmd != NULL; cmd = cmd->next)
            writes = writes || (cmd->script != NULL && cmd->script->writes);
    }
    for (struct redis_cmd *cmd; (cmd = redis_cmds_take(&conn->queue)) != NULL;) {
        cmd->hold = writes;
        conn_send(conn, cmd);
    }
    if (writes)
        send_wait(conn);
}

/* ---- the set-up of a connection, and the look at it every half minute ---- */

static void on_essential(const struct redis_result *result, void *arg)
{
    if (result->status == REDIS_REFUSED)
        set_error(arg, result->error);
}

/* ["master", offset, [[address, port, offset], ...]] or ["slave", ...]. A server that denies ROLE is taken as
 * it is. */
static void on_role(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    struct span role;

    if (result->status != REDIS_OK || !redis_reply_span(redis_reply_at(result->reply, 0), &role))
        return;
    if (!span_is(role, "master")) {
        set_error(conn, "this Redis is a replica, it takes no writes");
        return;
    }
    /* Later WAIT knows better: a replica that hangs is still listed. */
    if (conn->state == CONN_SETUP)
        conn->acked = (int)redis_reply_len(redis_reply_at(result->reply, 2));
}

static bool conn_healthy(const struct redis_conn *conn)
{
    if (conn->policy[0] != 0 && strcmp(conn->policy, "noeviction") != 0)
        return false;
    return conn->acked < 0 || conn->acked >= conn->options.replicas;
}

/* ["maxmemory-policy", "noeviction"]; the last reply of the set-up. A server that denies CONFIG is taken as
 * it is. */
static void on_policy(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    struct span policy = SPAN_NONE;

    if (result->status == REDIS_LOST)
        return;
    if (result->status == REDIS_OK)
        redis_reply_span(redis_reply_at(result->reply, 1), &policy);
    snprintf(conn->policy, sizeof(conn->policy), "%.*s", SPAN_ARG(policy));
    conn->check_mono_ms = loop_mono_ms(conn->options.loop) + (conn_healthy(conn) ? CHECK_MS : CHECK_SOON_MS);
    if (conn->state != CONN_SETUP || conn->error[0] != 0)
        return;
    conn->state = CONN_UP;
    conn->backoff_ms = BACKOFF_MIN_MS;
    LOG_INFO("connected to Redis", LOG_STR("address", conn->options.address->shown));
    if (!conn_healthy(conn))
        LOG_WARN("Redis is not fit", LOG_STR("maxmemory_policy", conn->policy),
                 LOG_INT("replicas", conn->acked));
    conn->options.state(true, conn->options.arg);
}

static void send_check(struct redis_conn *conn)
{
    send_own(conn, on_essential, (const struct span[]){SPAN_LIT("PING")}, 1);
    send_own(conn, on_role, (const struct span[]){SPAN_LIT("ROLE")}, 1);
    send_own(conn, on_policy,
             (const struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("GET"), SPAN_LIT("maxmemory-policy")}, 3);
}

static void send_setup(struct redis_conn *conn)
{
    const struct redis_address *address = conn->options.address;
    char db[12];
    int n = snprintf(db, sizeof(db), "%d", address->db);

    if (address->password != NULL && address->user != NULL)
        send_own(
            conn, on_essential,
            (const struct span[]){SPAN_LIT("AUTH"), span_str(address->user), span_str(address->password)}, 3);
    else if (address->password != NULL)
        send_own(conn, on_essential, (const struct span[]){SPAN_LIT("AUTH"), span_str(address->password)}, 2);
    if (address->db != 0)
        send_own(conn, on_essential, (const struct span[]){SPAN_LIT("SELECT"), span_of(db, (size_t)n)}, 2);
    send_check(conn);
}

/* ---- connecting ---- */

static void on_connect(const redisAsyncContext *ac, int status)
{
    struct redis_conn *conn = ac->data;

    /* A failure goes on to on_gone(). */
    if (conn == NULL || status != REDIS_OK)
        return;
    conn->state = CONN_SETUP;
    send_setup(conn);
}

/* Takes a context that hiredis began to connect; NULL or one in error ends the attempt. */
static void conn_attach(struct redis_conn *conn, redisAsyncContext *ac)
{
    struct redis_poll_events events = {on_gone, on_turned, conn};

    if (ac != NULL && ac->err == 0)
        conn->poll = redis_poll_attach(ac, loop_uv(conn->options.loop), &events);
    if (ac == NULL || conn->poll == NULL) {
        set_error(conn, ac != NULL && ac->err != 0 ? ac->errstr : "no socket");
        if (ac != NULL)
            redisAsyncFree(ac);
        conn_drop(conn);
        return;
    }
    conn->state = CONN_CONNECTING;
    conn->ac = ac;
    ac->data = conn;
    redisAsyncSetConnectCallback(ac, on_connect);
}

/* The n-th address, round and round: a name with several may have dead ones among them. */
static const struct addrinfo *pick_address(const struct addrinfo *list, unsigned n)
{
    unsigned count = 0;

    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    for (n %= count; n > 0; n--)
        list = list->ai_next;
    return list;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *resolve = request->data;
    struct redis_conn *conn = resolve->conn;
    char ip[64] = "";

    free(resolve);
    if (conn != NULL) {
        conn->resolve = NULL;
        if (status == 0 && list != NULL)
            getnameinfo(pick_address(list, conn->attempts)->ai_addr,
                        pick_address(list, conn->attempts)->ai_addrlen, ip, sizeof(ip), NULL, 0,
                        NI_NUMERICHOST);
        if (ip[0] != 0) {
            conn_attach(conn, redisAsyncConnect(ip, conn->options.address->port));
        } else {
            set_error(conn, status != 0 ? uv_strerror(status) : "the host has no address");
            conn_drop(conn);
        }
    }
    uv_freeaddrinfo(list);
}

/* hiredis would look the name up itself, but blocking. */
static void start_resolve(struct redis_conn *conn)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct resolve *resolve = mem_calloc(1, sizeof(*resolve));
    int rc;

    resolve->conn = conn;
    resolve->request.data = resolve;
    conn->state = CONN_RESOLVING;
    rc = uv_getaddrinfo(loop_uv(conn->options.loop), &resolve->request, on_resolved,
                        conn->options.address->host, NULL, &hints);
    if (rc == 0) {
        conn->resolve = resolve;
        return;
    }
    free(resolve);
    set_error(conn, uv_strerror(rc));
    conn_drop(conn);
}

static void conn_start(struct redis_conn *conn)
{
    conn->error[0] = 0;
    conn->attempts++;
    conn->acked = -1;
    conn->policy[0] = 0;
    conn->since_mono_ms = loop_mono_ms(conn->options.loop);
    if (conn->options.address->path == NULL) {
        start_resolve(conn);
        return;
    }
    conn->state = CONN_CONNECTING;
    conn_attach(conn, redisAsyncConnectUnix(conn->options.address->path));
}

/* ---- time ---- */

static void drop_silent(struct redis_conn *conn, const char *what)
{
    char error[sizeof(conn->error)];

    snprintf(error, sizeof(error), "%s within %lld ms", what, (long long)conn->options.timeout_ms);
    set_error(conn, error);
    conn_drop(conn);
}

/* The oldest command is overdue twice in a row: between two ticks the socket was read, so it is not our own
 * standstill (a stopped process, a long turn) that made it late. */
static void check_overdue(struct redis_conn *conn, int64_t now)
{
    const struct redis_cmd *oldest = conn->sent.head;
    int64_t limit = conn->options.timeout_ms + (conn->options.replicas > 0 ? WAIT_MS : 0);

    if (oldest == NULL || now - oldest->sent_mono_ms <= limit) {
        conn->suspect_seq = 0;
        return;
    }
    if (conn->suspect_seq == oldest->sent_seq)
        drop_silent(conn, "no reply to a command");
    else
        conn->suspect_seq = oldest->sent_seq;
}

static void on_tick(void *arg)
{
    struct redis_conn *conn = arg;
    int64_t now = loop_mono_ms(conn->options.loop);

    if (conn->state == CONN_DOWN) {
        if (now >= conn->retry_mono_ms)
            conn_start(conn);
    } else if (conn->state != CONN_UP) {
        if (now - conn->since_mono_ms > conn->options.timeout_ms)
            drop_silent(conn, "no connection");
    } else {
        check_overdue(conn, now);
        if (conn->state == CONN_UP && now >= conn->check_mono_ms) {
            conn->check_mono_ms = now + CHECK_MS;
            if (conn->options.replicas > 0 && !conn->wait_out)
                send_wait(conn);
            send_check(conn);
        }
    }
}

/* ---- the outside ---- */

struct redis_conn *redis_conn_new(const struct redis_conn_options *options)
{
    struct redis_conn *conn = mem_calloc(1, sizeof(*conn));
    int64_t tick_ms = options->timeout_ms / 4;

    conn->options = *options;
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->acked = -1;
    snprintf(conn->error, sizeof(conn->error), "connecting");
    redis_cmds_init(&conn->queue);
    redis_cmds_init(&conn->sent);
    redis_cmds_init(&conn->held);
    redis_cmds_init(&conn->refused);
    if (tick_ms < TICK_MIN_MS)
        tick_ms = TICK_MIN_MS;
    if (tick_ms > TICK_MAX_MS)
        tick_ms = TICK_MAX_MS;
    conn->tick = loop_timer_start(options->loop, 0, tick_ms, on_tick, conn);
    return conn;
}

void redis_conn_free(struct redis_conn **pointer)
{
    struct redis_conn *conn = *pointer;

    if (conn == NULL)
        return;
    conn->closing = true;
    loop_timer_stop(&conn->tick);
    set_error(conn, "shutting down");
    conn_drop(conn);
    while (conn->refused.n > 0)
        fail_all(&conn->refused, REDIS_REFUSED, "not connected: shutting down");
    while (conn->scripts != NULL) {
        struct redis_script_use *use = conn->scripts;
        conn->scripts = use->next;
        free(use);
    }
    free(conn);
    *pointer = NULL;
}

void redis_conn_queue(struct redis_conn *conn, struct redis_cmd *cmd)
{
    if (conn->state != CONN_UP) {
        redis_cmds_add(&conn->refused, cmd);
        return;
    }
    cmd->queued_mono_us = clock_mono_us();
    if (cmd->script != NULL)
        cmd->use = script_use(conn, cmd->script);
    redis_cmds_add(&conn->queue, cmd);
}

bool redis_conn_flush(struct redis_conn *conn)
{
    char error[sizeof(conn->error) + 20];
    bool answered = conn->refused.n > 0;

    if (answered) {
        snprintf(error, sizeof(error), "not connected: %s", conn->error[0] != 0 ? conn->error : "connecting");
        fail_all(&conn->refused, REDIS_REFUSED, error);
    }
    if (conn->state == CONN_UP)
        send_batch(conn);
    if (conn->poll != NULL)
        redis_poll_flush(conn->poll);
    if (conn->gone || (conn->state == CONN_UP && conn->error[0] != 0)) {
        conn_settle(conn);
        answered = true;
    }
    return answered;
}

bool redis_conn_up(const struct redis_conn *conn)
{
    return conn->state == CONN_UP;
}

size_t redis_conn_pending(const struct redis_conn *conn)
{
    return conn->queue.n + conn->sent.n + conn->held.n + conn->refused.n;
}

bool redis_conn_ready(const struct redis_conn *conn, struct buf *why)
{
    if (conn->state != CONN_UP) {
        buf_addf(why, "%s: %s", conn->options.address->shown,
                 conn->error[0] != 0 ? conn->error : "connecting");
        if (conn->state == CONN_DOWN)
            buf_adds(why, ", trying again");
        return false;
    }
    if (conn->policy[0] != 0 && strcmp(conn->policy, "noeviction") != 0) {
        buf_addf(why, "maxmemory-policy is %s, it must be noeviction: calls would be forgotten",
                 conn->policy);
        return false;
    }
    if (!conn_healthy(conn)) {
        buf_addf(why, "%d of %d replicas acknowledge", conn->acked, conn->options.replicas);
        return false;
    }
    return true;
}
