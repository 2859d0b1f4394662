#include "common/redis_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/redis_answer.h"
#include "common/redis_dial.h"
#include "common/redis_poll.h"
#include "common/redis_reply.h"
#include "common/redis_tls.h"

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

enum conn_state { CONN_DOWN, CONN_LOCATING, CONN_RESOLVING, CONN_CONNECTING, CONN_SETUP, CONN_UP };

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
    struct redis_dial *dial;
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
    bool refenced;        /* with the key of another script than the first time */
    char fence[200];      /* CONN_NODE: the key whose writing WAIT covers, "": none yet */
    bool asked_auth;      /* CONN_SENTINEL: it wants a password */
    char host[256];       /* where the server is */
    char shown[320];      /* the same for logs and errors */
    bool gone;            /* hiredis ended the connection, conn_settle() is due */
    bool closing;
    int acked;       /* replicas at the last look, -1: not known */
    char policy[32]; /* "" while not known */
    char error[200]; /* why it is down; the first cause counts */
};

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
    redis_dial_cancel(&conn->dial);
    conn->state = CONN_DOWN;
    conn->gone = false;
    conn->wait_out = false;
    conn->suspect_seq = 0;
    conn->retry_mono_ms = loop_mono_ms(conn->options.loop) + conn->backoff_ms;
    for (struct redis_script_use *use = conn->scripts; use != NULL; use = use->next)
        use->eval_seq = 0;
    if (!conn->closing)
        LOG_LIMITED(LOG_LEVEL_WARN, "no connection to Redis, trying again", LOG_STR("address", conn->shown),
                    LOG_STR("error", error), LOG_INT("retry_ms", conn->backoff_ms));
    conn->backoff_ms = conn->backoff_ms * 2 < BACKOFF_MAX_MS ? conn->backoff_ms * 2 : BACKOFF_MAX_MS;

    struct redis_cmds lost;
    redis_cmds_init(&lost);
    redis_cmds_move(&lost, &conn->held);
    redis_cmds_move(&lost, &conn->sent);
    redis_cmds_move(&lost, &conn->queue);
    if (was_up && !conn->closing)
        conn->options.state(false, conn->options.arg);
    redis_answer_all_failed(&lost, REDIS_LOST, error);
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
    /* hiredis leaves it to errno, where OpenSSL's causes do not stand. */
    if (conn->options.address->tls && conn->state != CONN_UP && strcmp(error, "Success") == 0)
        error = "TLS failed: is the server's certificate trusted (SSL_CERT_FILE) and made out to this name?";
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
    enum redis_error error = redis_error_of(reply);
    if (error == ERROR_NOSCRIPT && cmd->script != NULL && cmd->resends < RESENDS_MAX) {
        resend(conn, cmd);
        return;
    }
    if (error >= ERROR_MOVED && cmd->slot >= 0 && conn->options.redirect != NULL &&
        conn->options.redirect(cmd, reply, conn->options.arg))
        return;
    if (error == ERROR_CONDEMNS && conn->options.kind != CONN_SENTINEL)
        set_error(conn, reply->str);
    if (error == ERROR_MOVED && conn->options.kind == CONN_PRIMARY)
        set_error(conn, "this Redis is a node of a cluster: IVR_REDIS_URL has to be redis+cluster://");
    if (!cmd->hold) {
        redis_answer_reply(cmd, reply, NULL);
        return;
    }
    cmd->held = redis_reply_steal(reply);
    redis_cmds_add(&conn->held, cmd);
}

/* One of our own commands, past the queue. */
static void send_own(struct redis_conn *conn, redis_fn fn, const struct span *argv, size_t argc);

static void conn_send(struct redis_conn *conn, struct redis_cmd *cmd)
{
    if (cmd->asking)
        send_own(conn, NULL, (const struct span[]){SPAN_LIT("ASKING")}, 1);

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

static void send_wait(struct redis_conn *conn);

static void on_fence(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;

    conn->fenced = result->status == REDIS_OK;
    if (!conn->fenced)
        conn->fence[0] = 0;
}

static void fence_with(struct redis_conn *conn, const struct redis_cmd *cmd)
{
    snprintf(conn->fence, sizeof(conn->fence), "%.*s:fence", (int)cmd->key_n, cmd->wire + cmd->key_at);
}

/* The slot of the fence's key moved away, the batch's other slots are here: the key of a script that was
 * executed serves as well. */
static bool fence_again(struct redis_conn *conn)
{
    if (conn->options.kind != CONN_NODE || conn->fenced || conn->refenced)
        return false;
    for (const struct redis_cmd *cmd = conn->held.head; cmd != NULL; cmd = cmd->next) {
        if (cmd->script == NULL || cmd->held->type == REDIS_REPLY_ERROR)
            continue;
        conn->refenced = true;
        fence_with(conn, cmd);
        send_wait(conn);
        return true;
    }
    return false;
}

static bool held_executed(const struct redis_conn *conn)
{
    for (const struct redis_cmd *cmd = conn->held.head; cmd != NULL; cmd = cmd->next) {
        if (cmd->held->type != REDIS_REPLY_ERROR)
            return true;
    }
    return false;
}

/* `unacked`: NULL, or why what was executed is not safe. */
static void answer_held(struct redis_conn *conn, const char *unacked)
{
    struct redis_cmds batch;

    redis_cmds_init(&batch);
    redis_cmds_move(&batch, &conn->held);
    for (struct redis_cmd *cmd; (cmd = redis_cmds_take(&batch)) != NULL;) {
        struct redisReply *reply = cmd->held;
        cmd->held = NULL;
        redis_answer_reply(cmd, reply, unacked);
        freeReplyObject(reply);
    }
}

static void too_few_acked(struct redis_conn *conn)
{
    char error[100];

    if (conn->fenced)
        snprintf(error, sizeof(error), "%d of %d replicas acknowledged within %d ms", conn->acked,
                 conn->options.replicas, WAIT_MS);
    else
        snprintf(error, sizeof(error), "replicas cannot be waited for: %s was refused",
                 conn->options.kind == CONN_NODE ? "SET of a key :fence" : "PUBLISH to " FENCE);
    LOG_LIMITED(LOG_LEVEL_WARN, "too few Redis replicas", LOG_STR("error", error));
    check_soon(conn);
    answer_held(conn, error);
}

static void on_wait(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    int64_t acked = 0;

    conn->wait_out = false;
    if (result->status == REDIS_LOST || fence_again(conn))
        return; /* the held ones are told by conn_drop(), or by the next WAIT */
    if (!conn->fenced && !held_executed(conn)) {
        answer_held(conn, NULL); /* nothing was written that a replica could miss */
        return;
    }
    if (result->status == REDIS_OK && conn->fenced)
        redis_reply_int(result->reply, &acked);
    conn->acked = (int)acked;
    if (acked < conn->options.replicas)
        too_few_acked(conn);
    else
        answer_held(conn, NULL);
}

/* WAIT covers what this connection wrote. A script that finds its work done already writes nothing, and what
 * it found may come from a connection that died before its own WAIT: up to Redis 7.0 WAIT covers that too,
 * Redis 8 answers at once. So something is written first. PUBLISH travels to the replicas and leaves no key
 * behind; in a cluster it travels on the cluster's bus instead, so there a key of the shard is set. */
static void send_fence(struct redis_conn *conn)
{
    if (conn->options.kind != CONN_NODE)
        send_own(conn, on_fence, (const struct span[]){SPAN_LIT("PUBLISH"), SPAN_LIT(FENCE), SPAN_LIT("")},
                 3);
    else
        send_own(conn, on_fence, (const struct span[]){SPAN_LIT("SET"), span_str(conn->fence), SPAN_LIT("1")},
                 3);
}

static void send_wait(struct redis_conn *conn)
{
    char replicas[12];
    int n = snprintf(replicas, sizeof(replicas), "%d", conn->options.replicas);

    conn->wait_out = true;
    conn->fenced = conn->options.kind == CONN_NODE && conn->fence[0] == 0;
    if (!conn->fenced)
        send_fence(conn);
    send_own(conn, on_wait,
             (const struct span[]){SPAN_LIT("WAIT"), span_of(replicas, (size_t)n), SPAN_LIT("1000")}, 3);
}

static void send_batch(struct redis_conn *conn)
{
    bool writes = false;

    if (conn->queue.n == 0 || conn->wait_out)
        return;
    if (conn->options.replicas > 0) {
        for (struct redis_cmd *cmd = conn->queue.head; cmd != NULL; cmd = cmd->next) {
            if (cmd->script == NULL || !cmd->script->writes)
                continue;
            writes = true;
            fence_with(conn, cmd);
        }
    }
    for (struct redis_cmd *cmd; (cmd = redis_cmds_take(&conn->queue)) != NULL;) {
        cmd->hold = writes;
        conn_send(conn, cmd);
    }
    conn->refenced = false;
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
    if (!span_is(role, "master") && conn->options.kind == CONN_NODE)
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

static void set_up(struct redis_conn *conn)
{
    conn->state = CONN_UP;
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->options.state(true, conn->options.arg);
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
    LOG_INFO("connected to Redis", LOG_STR("address", conn->shown));
    if (!conn_healthy(conn))
        LOG_WARN(
            "Redis is not fit: it must not evict keys (maxmemory-policy noeviction), and enough replicas "
            "must acknowledge",
            LOG_STR("maxmemory_policy", conn->policy), LOG_INT("replicas", conn->acked));
    set_up(conn);
}

static void send_check(struct redis_conn *conn)
{
    send_own(conn, on_essential, (const struct span[]){SPAN_LIT("PING")}, 1);
    send_own(conn, on_role, (const struct span[]){SPAN_LIT("ROLE")}, 1);
    send_own(conn, on_policy,
             (const struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("GET"), SPAN_LIT("maxmemory-policy")}, 3);
}

static void send_auth(struct redis_conn *conn)
{
    const struct redis_address *address = conn->options.address;
    const struct span argv[] = {SPAN_LIT("AUTH"), span_str(address->user), span_str(address->password)};
    const struct span without_user[] = {SPAN_LIT("AUTH"), span_str(address->password)};

    if (address->password != NULL && address->user != NULL)
        send_own(conn, on_essential, argv, 3);
    else if (address->password != NULL)
        send_own(conn, on_essential, without_user, 2);
}

/* A Sentinel usually has no password, and AUTH would then be an error. */
static void on_sentinel_ping(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;

    if (result->status == REDIS_LOST || conn->error[0] != 0)
        return;
    if (result->status == REDIS_OK) {
        set_up(conn);
    } else if (strncmp(result->error, "NOAUTH", 6) == 0 && !conn->asked_auth &&
               conn->options.address->password != NULL) {
        conn->asked_auth = true;
        send_auth(conn);
        send_own(conn, on_sentinel_ping, (const struct span[]){SPAN_LIT("PING")}, 1);
    } else {
        set_error(conn, result->error);
    }
}

static void send_setup(struct redis_conn *conn)
{
    char db[12];
    int n = snprintf(db, sizeof(db), "%d", conn->options.address->db);

    if (conn->options.kind == CONN_SENTINEL) {
        conn->asked_auth = false;
        send_own(conn, on_sentinel_ping, (const struct span[]){SPAN_LIT("PING")}, 1);
        return;
    }
    send_auth(conn);
    if (conn->options.address->db != 0)
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
    const char *tls_error = NULL;

    if (ac != NULL && ac->err == 0 && conn->options.address->tls)
        tls_error = redis_tls_start(&ac->c, conn->host);
    if (ac != NULL && ac->err == 0 && tls_error == NULL)
        conn->poll = redis_poll_attach(ac, loop_uv(conn->options.loop), &events);
    if (ac == NULL || conn->poll == NULL) {
        set_error(conn, tls_error != NULL            ? tls_error
                        : ac != NULL && ac->err != 0 ? ac->errstr
                                                     : "no socket");
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

static void on_dialled(redisAsyncContext *ac, const char *error, void *arg)
{
    struct redis_conn *conn = arg;

    conn->dial = NULL;
    if (ac == NULL)
        set_error(conn, error);
    conn_attach(conn, ac);
}

static void start_dial(struct redis_conn *conn, int port)
{
    const char *error = "";

    conn->state = CONN_RESOLVING;
    conn->dial = redis_dial_start(loop_uv(conn->options.loop), conn->host, port, conn->attempts, on_dialled,
                                  conn, &error);
    if (conn->dial != NULL)
        return;
    set_error(conn, error);
    conn_drop(conn);
}

static void conn_start(struct redis_conn *conn)
{
    const struct redis_address *address = conn->options.address;

    conn->error[0] = 0;
    conn->attempts++;
    conn->acked = -1;
    conn->policy[0] = 0;
    conn->since_mono_ms = loop_mono_ms(conn->options.loop);
    if (conn->options.locate != NULL) {
        conn->state = CONN_LOCATING;
        conn->options.locate(conn->options.arg);
    } else if (address->path != NULL) {
        conn->state = CONN_CONNECTING;
        conn_attach(conn, redisAsyncConnectUnix(address->path));
    } else {
        snprintf(conn->host, sizeof(conn->host), "%s", address->host);
        start_dial(conn, address->port);
    }
}

void redis_conn_located(struct redis_conn *conn, const char *host, int port)
{
    if (conn->state != CONN_LOCATING)
        return;
    snprintf(conn->host, sizeof(conn->host), "%s", host);
    snprintf(conn->shown, sizeof(conn->shown), "%s:%d", host, port);
    start_dial(conn, port);
}

void redis_conn_unlocated(struct redis_conn *conn, const char *error)
{
    if (conn->state != CONN_LOCATING)
        return;
    set_error(conn, error);
    conn_drop(conn);
}

void redis_conn_renew(struct redis_conn *conn, const char *why)
{
    if (conn->state != CONN_DOWN) {
        set_error(conn, why);
        conn_drop(conn);
    }
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->retry_mono_ms = loop_mono_ms(conn->options.loop);
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
        if (conn->state == CONN_UP && conn->options.kind != CONN_SENTINEL && now >= conn->check_mono_ms) {
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
    snprintf(conn->shown, sizeof(conn->shown), "%s", options->address->shown);
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
        redis_answer_all_failed(&conn->refused, REDIS_REFUSED, "not connected: shutting down");
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

void redis_conn_ask(struct redis_conn *conn, struct redis_cmd *cmd)
{
    assert(conn->state == CONN_UP);
    conn_send(conn, cmd);
}

bool redis_conn_flush(struct redis_conn *conn)
{
    char error[sizeof(conn->error) + 20];
    bool answered = conn->refused.n > 0;

    if (answered) {
        snprintf(error, sizeof(error), "not connected: %s", conn->error[0] != 0 ? conn->error : "connecting");
        redis_answer_all_failed(&conn->refused, REDIS_REFUSED, error);
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

bool redis_conn_down(const struct redis_conn *conn)
{
    return conn->state == CONN_DOWN;
}

size_t redis_conn_pending(const struct redis_conn *conn)
{
    return conn->queue.n + conn->sent.n + conn->held.n + conn->refused.n;
}

bool redis_conn_ready(const struct redis_conn *conn, struct buf *why)
{
    if (conn->state != CONN_UP) {
        buf_addf(why, "%s: %s", conn->shown, conn->error[0] != 0 ? conn->error : "connecting");
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
