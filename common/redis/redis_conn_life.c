#include "common/redis/redis_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/redis/redis_answer.h"
#include "common/redis/redis_conn_inside.h"
#include "common/redis/redis_dial.h"
#include "common/redis/redis_poll.h"
#include "common/redis/redis_reply.h"
#include "common/redis/redis_tls.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 2000,
    WAIT_MS = 1000,  /* how long the replicas have (contract: "too few within 1 s") */
    RESENDS_MAX = 5, /* a server that forgets functions faster than that is not for us */
    TICK_MIN_MS = 10,
    TICK_MAX_MS = 100,
};

/* ---- state ---- */

/* Nobody listens there. */
#define FENCE "ivr:fence"

void conn_set_error(struct redis_conn *conn, const char *error)
{
    if (conn->error[0] != 0)
        return;
    snprintf(conn->error, sizeof(conn->error), "%s", error);
    memcpy(conn->cause, conn->error, sizeof(conn->cause));
}

void conn_report_state(struct redis_conn *conn)
{
    bool takes = redis_conn_takes(conn);

    if (takes == conn->reported_takes)
        return;
    conn->reported_takes = takes;
    if (!conn->closing)
        conn->options.state(takes, conn->options.arg);
}

void conn_set_up(struct redis_conn *conn)
{
    conn->state = CONN_UP;
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->cause[0] = 0;
    conn->denied = false;
    conn_report_state(conn);
}

/* Any way down: DOWN, one log row, every pending command is answered, the next attempt is planned. */
static void conn_drop(struct redis_conn *conn)
{
    redisAsyncContext *ac = conn->ac;
    char error[sizeof(conn->error)];

    conn_set_error(conn, "the connection was closed");
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
    conn->proof_out = false;
    conn->suspect_seq = 0;
    conn->retry_mono_ms = loop_mono_ms(conn->options.loop) + conn->backoff_ms;
    if (!conn->closing)
        LOG_LIMITED(LOG_LEVEL_WARN, "no connection to Redis, trying again", LOG_STR("address", conn->shown),
                    LOG_STR("error", error), LOG_INT("retry_ms", conn->backoff_ms));
    conn->backoff_ms = conn->backoff_ms * 2 < BACKOFF_MAX_MS ? conn->backoff_ms * 2 : BACKOFF_MAX_MS;

    struct fifo lost = {0};
    fifo_move(&lost, &conn->held);
    fifo_move(&lost, &conn->sent);
    fifo_move(&lost, &conn->queue);
    conn_report_state(conn);
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
    conn_set_error(conn, error[0] != 0 ? error : "the connection was closed");
}

static void on_turned(void *arg)
{
    conn_settle(arg);
}

/* ---- sending and receiving ---- */

static bool is_proof(const struct redis_conn *conn, const struct redis_cmd *cmd)
{
    return conn->options.proof != NULL && cmd->script != NULL && cmd->script == conn->options.proof->script;
}

/* Whatever its word: a proof tells whether all of it is refused. */
static void note_refused(struct redis_conn *conn, const struct redis_cmd *cmd, const char *error)
{
    if (cmd->script == NULL || is_proof(conn, cmd))
        return;
    redis_fit_script_refused(&conn->fit, cmd->script->name, error, loop_mono_ms(conn->options.loop));
    look_for_proof(conn);
}

static void conn_send(struct redis_conn *conn, struct redis_cmd *cmd);

/* The server has not got the function. */
static void call_again(struct redis_conn *conn, struct redis_cmd *cmd)
{
    const char *in_vain = NULL;

    if (cmd->resends == RESENDS_MAX)
        in_vain = "Redis forgets our functions faster than they are loaded";
    else if (!redis_loading_missed(&conn->loading, cmd))
        in_vain = conn->loading.error;
    cmd->resends++;
    if (in_vain != NULL) {
        note_refused(conn, cmd, in_vain);
        redis_answer_failed(cmd, REDIS_REFUSED, in_vain);
    } else if (is_proof(conn, cmd)) {
        conn_send(conn, cmd);
    } else {
        fifo_add(&conn->queue, &cmd->link);
    }
}

static void on_reply(redisAsyncContext *ac, void *answer, void *unused)
{
    struct redis_conn *conn = ac->data;
    struct redisReply *reply = answer;
    (void)unused;

    /* NULL: the connection is ending, conn_drop() will answer everybody. */
    if (conn == NULL || reply == NULL)
        return;
    struct redis_cmd *cmd = REDIS_CMD_TAKE(&conn->sent);
    assert(cmd != NULL);
    enum redis_error error = redis_error_of(reply);
    if (error == ERROR_NOFUNCTION && cmd->script != NULL) {
        call_again(conn, cmd);
        return;
    }
    if (error >= ERROR_MOVED && cmd->slot >= 0 && conn->options.redirect != NULL &&
        conn->options.redirect(cmd, reply, conn->options.arg))
        return;
    if (error == ERROR_CONDEMNS && conn->options.kind != CONN_SENTINEL && !redis_loading_is(cmd))
        conn_set_error(conn, reply->str);
    if (error == ERROR_REFUSAL || error == ERROR_DEFECT)
        note_refused(conn, cmd, reply->str);
    if (error == ERROR_MOVED && conn->options.kind == CONN_PRIMARY)
        conn_set_error(conn, "this Redis is a node of a cluster: IVR_REDIS_URL has to be redis+cluster://");
    if (!cmd->hold) {
        redis_answer_reply(cmd, reply, NULL);
        return;
    }
    cmd->held = redis_reply_steal(reply);
    fifo_add(&conn->held, &cmd->link);
}

static void conn_send(struct redis_conn *conn, struct redis_cmd *cmd)
{
    if (cmd->asking)
        conn_send_own(conn, NULL, (const struct span[]){SPAN_LIT("ASKING")}, 1);

    cmd->sent_seq = ++conn->seq;
    cmd->sent_mono_ms = loop_mono_ms(conn->options.loop);
    fifo_add(&conn->sent, &cmd->link);
    if (redisAsyncFormattedCommand(conn->ac, on_reply, NULL, cmd->wire, cmd->wire_n) != REDIS_OK)
        conn_set_error(conn, "hiredis takes no more commands");
}

void conn_send_own(struct redis_conn *conn, redis_fn fn, const struct span *argv, size_t argc)
{
    conn_send(conn, redis_cmd_plain(argv, argc, fn, conn));
}

void conn_send_own_script(struct redis_conn *conn, const struct redis_script *script, struct span key,
                          redis_fn fn)
{
    struct redis_cmd *cmd = redis_cmd_eval(script, key, NULL, 0, fn, conn);

    cmd->queued_mono_us = clock_mono_us();
    cmd->use = redis_script_use(&conn->scripts, script);
    conn_send(conn, cmd);
}

/* ---- our functions ---- */

static void send_load(struct redis_cmd *cmd, void *arg)
{
    conn_send(arg, cmd);
}

static void on_load_refused(bool for_good, void *arg)
{
    struct redis_conn *conn = arg;

    conn->denied = conn->denied || for_good;
    if (for_good)
        conn_set_error(conn, conn->loading.error);
    else
        look_soon(conn);
}

/* ---- WAIT ---- */

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
    for (const struct redis_cmd *cmd = REDIS_CMD_FIRST(&conn->held); cmd != NULL; cmd = REDIS_CMD_NEXT(cmd)) {
        if (cmd->script == NULL || cmd->held->type == REDIS_REPLY_ERROR)
            continue;
        conn->refenced = true;
        fence_with(conn, cmd);
        conn_send_wait(conn);
        return true;
    }
    return false;
}

static bool held_executed(const struct redis_conn *conn)
{
    for (const struct redis_cmd *cmd = REDIS_CMD_FIRST(&conn->held); cmd != NULL; cmd = REDIS_CMD_NEXT(cmd)) {
        if (cmd->held->type != REDIS_REPLY_ERROR)
            return true;
    }
    return false;
}

/* `unacked`: NULL, or why what was executed is not safe. */
static void answer_held(struct redis_conn *conn, const char *unacked)
{
    struct fifo batch = {0};
    fifo_move(&batch, &conn->held);
    for (struct redis_cmd *cmd; (cmd = REDIS_CMD_TAKE(&batch)) != NULL;) {
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
        snprintf(error, sizeof(error), "%d of %d replicas acknowledged within %d ms", conn->fit.acked,
                 conn->options.replicas, WAIT_MS);
    else
        snprintf(error, sizeof(error), "replicas cannot be waited for: %s was refused",
                 conn->options.kind == CONN_NODE ? "SET of a key :fence" : "PUBLISH to " FENCE);
    LOG_LIMITED(LOG_LEVEL_WARN, "too few Redis replicas", LOG_STR("error", error));
    look_soon(conn);
    answer_held(conn, error);
}

static void on_wait(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    int64_t acked = 0;

    conn->wait_out = false;
    if (result->status == REDIS_LOST || fence_again(conn))
        return; /* the held ones are answered by conn_drop(), or by the next WAIT */
    if (!conn->fenced && !held_executed(conn)) {
        answer_held(conn, NULL); /* nothing was written that a replica could miss */
        return;
    }
    if (result->status == REDIS_OK && conn->fenced)
        redis_reply_int(result->reply, &acked);
    conn->fit.acked = (int)acked;
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
        conn_send_own(conn, on_fence,
                      (const struct span[]){SPAN_LIT("PUBLISH"), SPAN_LIT(FENCE), SPAN_LIT("")}, 3);
    else
        conn_send_own(conn, on_fence,
                      (const struct span[]){SPAN_LIT("SET"), span_str(conn->fence), SPAN_LIT("1")}, 3);
}

void conn_send_wait(struct redis_conn *conn)
{
    char replicas[12];
    int n = snprintf(replicas, sizeof(replicas), "%d", conn->options.replicas);

    conn->wait_out = true;
    conn->fenced = conn->options.kind == CONN_NODE && conn->fence[0] == 0;
    if (!conn->fenced)
        send_fence(conn);
    conn_send_own(conn, on_wait,
                  (const struct span[]){SPAN_LIT("WAIT"), span_of(replicas, (size_t)n), SPAN_LIT("1000")}, 3);
}

static void send_batch(struct redis_conn *conn)
{
    bool writes = false;

    if (conn->queue.n == 0 || conn->wait_out)
        return;
    if (conn->options.replicas > 0) {
        for (struct redis_cmd *cmd = REDIS_CMD_FIRST(&conn->queue); cmd != NULL; cmd = REDIS_CMD_NEXT(cmd)) {
            if (cmd->script == NULL || !cmd->script->writes)
                continue;
            writes = true;
            fence_with(conn, cmd);
        }
    }
    for (struct redis_cmd *cmd; (cmd = REDIS_CMD_TAKE(&conn->queue)) != NULL;) {
        cmd->hold = writes;
        conn_send(conn, cmd);
    }
    conn->refenced = false;
    if (writes)
        conn_send_wait(conn);
}

/* ---- connecting ---- */

static void on_connect(const redisAsyncContext *ac, int status)
{
    struct redis_conn *conn = ac->data;

    /* A failure goes on to on_gone(). */
    if (conn == NULL || status != REDIS_OK)
        return;
    conn->state = CONN_SETUP;
    look_set_up(conn);
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
        conn_set_error(conn, tls_error != NULL            ? tls_error
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
        conn_set_error(conn, error);
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
    conn_set_error(conn, error);
    conn_drop(conn);
}

static void conn_start(struct redis_conn *conn)
{
    const struct redis_address *address = conn->options.address;

    conn->error[0] = 0;
    conn->attempts++;
    redis_fit_begin(&conn->fit);
    redis_loading_begin(&conn->loading);
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
    conn_set_error(conn, error);
    conn_drop(conn);
}

void redis_conn_renew(struct redis_conn *conn, const char *why)
{
    if (conn->state != CONN_DOWN) {
        conn_set_error(conn, why);
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
    conn_set_error(conn, error);
    conn_drop(conn);
}

/* The oldest command is overdue twice in a row: between two ticks the socket was read, so it is not our own
 * standstill (a stopped process, a long turn) that made it late. */
static void check_overdue(struct redis_conn *conn, int64_t now)
{
    const struct redis_cmd *oldest = REDIS_CMD_FIRST(&conn->sent);
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
        if (conn->state == CONN_UP)
            look_tick(conn, now);
    }
}

/* ---- the outside ---- */

struct redis_conn *redis_conn_new(const struct redis_conn_options *options)
{
    struct redis_conn *conn = mem_calloc(1, sizeof(*conn));
    int64_t tick_ms = options->timeout_ms / 4;

    assert(options->kind != CONN_NOTHING && options->address->kind != REDIS_NOWHERE);
    conn->options = *options;
    conn->loading = (struct redis_loading){.library = options->library,
                                           .of_cluster = options->kind == CONN_NODE,
                                           .send = send_load,
                                           .refused = on_load_refused,
                                           .arg = conn};
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->fit.acked = -1;
    conn->fit.replicas = options->replicas;
    conn->fit.shown = conn->shown;
    snprintf(conn->error, sizeof(conn->error), "connecting");
    snprintf(conn->shown, sizeof(conn->shown), "%s", options->address->shown);
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
    conn_set_error(conn, "shutting down");
    conn_drop(conn);
    while (conn->refused.n > 0)
        redis_answer_all_failed(&conn->refused, REDIS_REFUSED, "not connected: shutting down");
    redis_script_uses_free(&conn->scripts);
    free(conn);
    *pointer = NULL;
}

/* What the server refuses is not brought to it: a proof tells when it takes it again. Reads, and what only
 * removes, it may take meanwhile. */
static bool is_refused(const struct redis_conn *conn, const struct redis_cmd *cmd)
{
    bool needs_room = cmd->script != NULL && cmd->script->writes && !cmd->script->removes;

    return needs_room && conn->fit.refusal[0] != 0;
}

void redis_conn_queue(struct redis_conn *conn, struct redis_cmd *cmd)
{
    if (conn->state != CONN_UP || is_refused(conn, cmd)) {
        fifo_add(&conn->refused, &cmd->link);
        return;
    }
    cmd->queued_mono_us = clock_mono_us();
    if (cmd->script != NULL)
        cmd->use = redis_script_use(&conn->scripts, cmd->script);
    fifo_add(&conn->queue, &cmd->link);
}

/* "connecting" only where no attempt has failed since it was up. */
static const char *down_because(const struct redis_conn *conn)
{
    return conn->error[0] != 0 ? conn->error : conn->cause[0] != 0 ? conn->cause : "connecting";
}

void redis_conn_ask(struct redis_conn *conn, struct redis_cmd *cmd)
{
    assert(conn->state == CONN_UP);
    conn_send(conn, cmd);
}

static void answer_refused(struct redis_conn *conn)
{
    char error[sizeof(conn->fit.refusal) + 20];

    if (conn->state == CONN_UP)
        snprintf(error, sizeof(error), "%s",
                 conn->fit.refusal[0] != 0 ? conn->fit.refusal : "refused before, try again");
    else
        snprintf(error, sizeof(error), "not connected: %s", down_because(conn));
    redis_answer_all_failed(&conn->refused, REDIS_REFUSED, error);
}

bool redis_conn_flush(struct redis_conn *conn)
{
    bool answered = conn->refused.n > 0;

    if (answered)
        answer_refused(conn);
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

bool redis_conn_takes(const struct redis_conn *conn)
{
    return conn->state == CONN_UP && look_is_proven(conn);
}

bool redis_conn_refuses(const struct redis_conn *conn, struct buf *why)
{
    bool refuses = conn->state == CONN_UP ? conn->fit.refusal[0] != 0 : conn->denied;

    if (refuses)
        buf_addf(why, "%s: %s", conn->shown, conn->state == CONN_UP ? conn->fit.refusal : conn->cause);
    return refuses;
}

void redis_conn_prove(struct redis_conn *conn, struct span key)
{
    bool first = conn->proof_key.n == 0;

    conn->proof_key = key;
    if (first && key.n > 0)
        look_for_proof(conn);
    conn_report_state(conn);
}

static bool usable(const struct redis_conn *conn, struct buf *why)
{
    if (conn->state != CONN_UP) {
        buf_addf(why, "%s: %s", conn->shown, down_because(conn));
        if (conn->state == CONN_DOWN)
            buf_adds(why, ", trying again");
        return false;
    }
    if (conn->loading.error[0] != 0) {
        buf_addf(why, "%s: %s", conn->shown, conn->loading.error);
        return false;
    }
    if (!redis_fit_usable(&conn->fit, why))
        return false;
    if (!look_is_proven(conn)) {
        buf_addf(why, "%s: not proven yet that it takes what we do", conn->shown);
        return false;
    }
    return true;
}

bool redis_conn_ready(const struct redis_conn *conn, enum redis_ready_for whom, struct buf *why)
{
    if (!usable(conn, why))
        return false;
    return whom == REDIS_FOR_WORK || !redis_fit_failing(&conn->fit, loop_mono_ms(conn->options.loop), why);
}
