/* What a connection asks of its server for itself: the set-up, a look every few seconds, and proofs. */
#include <string.h>

#include "common/redis/redis_answer.h"
#include "common/redis/redis_conn_inside.h"
#include "common/run/log.h"

enum {
    LOOK_MS = 5000,      /* how often policy, role and replicas are looked at again (noticed within 10 s) */
    LOOK_SOON_MS = 2000, /* the same while something about them is wrong */
    PROOF_MS = 1000,     /* one small command: a refusal is to be told within 2 s, by idle programs too */
    PROOF_SOON_MS = 500, /* the same while it is refused: work goes on so soon */
};

static int64_t now_ms(const struct redis_conn *conn)
{
    return loop_mono_ms(conn->options.loop);
}

static bool begins_with(const char *error, const char *word)
{
    return strncmp(error, word, strlen(word)) == 0;
}

/* ---- proofs ---- */

static struct span proof_key(const struct redis_conn *conn)
{
    const struct redis_proof *proof = conn->options.proof;

    if (proof == NULL || proof->script == NULL || conn->options.kind == CONN_SENTINEL)
        return SPAN_NONE;
    return conn->options.kind == CONN_NODE ? conn->proof_key : proof->keys[0];
}

bool look_is_proven(const struct redis_conn *conn)
{
    return proof_key(conn).n == 0 || (conn->fit.proven && conn->fit.refusal[0] == 0);
}

/* A slot that moved away says nothing of this server. */
static bool is_of_the_map(const char *error)
{
    return begins_with(error, "MOVED ") || begins_with(error, "ASK ") || begins_with(error, "TRYAGAIN");
}

/* The last answer of a set-up is there. */
static void end_set_up(struct redis_conn *conn)
{
    if (conn->state != CONN_SETUP || conn->error[0] != 0)
        return;
    LOG_INFO("connected to Redis", LOG_STR("address", conn->shown));
    conn_set_up(conn);
}

static void on_proof(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    bool refused = result->status == REDIS_REFUSED && !is_of_the_map(result->error);

    conn->proof_out = false;
    if (result->status == REDIS_LOST || conn->loading.unknown)
        return; /* a server without functions is refused as soon as it has said what it is */
    redis_fit_proved(&conn->fit, refused ? result->error : NULL, now_ms(conn));
    conn->proof_mono_ms = now_ms(conn) + (refused ? PROOF_SOON_MS : PROOF_MS);
    end_set_up(conn);
    conn_report_state(conn);
}

static void send_proof(struct redis_conn *conn)
{
    conn->proof_out = true;
    conn_send_own_script(conn, conn->options.proof->script, proof_key(conn), on_proof);
}

void look_for_proof(struct redis_conn *conn)
{
    conn->proof_mono_ms = 0;
}

/* ---- looks ---- */

/* NOAUTH, WRONGPASS, no more clients: the server will say so again, unlike while it is on its way up. */
static void denied(struct redis_conn *conn, const char *error)
{
    conn->denied =
        !begins_with(error, "LOADING") && !begins_with(error, "MASTERDOWN") && !begins_with(error, "BUSY");
    conn_set_error(conn, error);
}

static void on_essential(const struct redis_result *result, void *arg)
{
    if (result->status == REDIS_REFUSED)
        denied(arg, result->error);
}

/* MISCONF is said to PING too, and the rest of the connection works. */
static void on_ping(const struct redis_result *result, void *arg)
{
    bool works = begins_with(result->error, "MISCONF") || begins_with(result->error, "NOPERM");

    if (result->status == REDIS_REFUSED && !works)
        denied(arg, result->error);
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
        denied(conn, "READONLY: this Redis is a replica, it takes no writes");
        return;
    }
    /* Later WAIT knows better: a replica that hangs is still listed. */
    if (conn->state == CONN_SETUP)
        conn->fit.acked = (int)redis_reply_len(redis_reply_at(result->reply, 2));
}

static void take_policy(struct redis_conn *conn, struct span policy)
{
    bool was_healthy = conn->state != CONN_SETUP && redis_fit_healthy(&conn->fit);

    snprintf(conn->fit.policy, sizeof(conn->fit.policy), "%.*s", SPAN_ARG(policy));
    bool healthy = redis_fit_healthy(&conn->fit), loaded = conn->loading.error[0] == 0;
    conn->look_mono_ms = now_ms(conn) + (healthy && loaded ? LOOK_MS : LOOK_SOON_MS);
    if (!healthy && (was_healthy || conn->state == CONN_SETUP))
        LOG_WARN("Redis is not fit: it must not evict keys (maxmemory-policy noeviction), "
                 "and enough replicas must acknowledge",
                 LOG_STR("address", conn->shown), LOG_STR("maxmemory_policy", conn->fit.policy),
                 LOG_INT("replicas", conn->fit.acked));
}

/* Nothing is proved here: that the library was sent is enough. */
static void on_loaded(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;

    if (result->status != REDIS_LOST && !conn->loading.unknown)
        end_set_up(conn);
}

/* Only now it is known that we are let in: Redis takes no command so long from strangers, and ends the
 * connection. */
static void load_and_prove(struct redis_conn *conn)
{
    redis_loading_send(&conn->loading);
    if (proof_key(conn).n > 0)
        send_proof(conn);
    else
        conn_send_own(conn, on_loaded, (const struct span[]){SPAN_LIT("PING")}, 1);
}

/* ["maxmemory-policy", "noeviction"]; the last reply of a look. A server that denies CONFIG is taken as it
 * is. */
static void on_policy(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;
    struct span policy = SPAN_NONE;

    if (result->status == REDIS_LOST)
        return;
    if (result->status == REDIS_OK)
        redis_reply_span(redis_reply_at(result->reply, 1), &policy);
    take_policy(conn, policy);
    if (conn->state == CONN_SETUP && conn->error[0] == 0)
        load_and_prove(conn);
}

static void send_look(struct redis_conn *conn)
{
    if (conn->loading.error[0] != 0)
        redis_loading_send(&conn->loading);
    conn_send_own(conn, on_ping, (const struct span[]){SPAN_LIT("PING")}, 1);
    conn_send_own(conn, on_role, (const struct span[]){SPAN_LIT("ROLE")}, 1);
    conn_send_own(conn, on_policy,
                  (const struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("GET"), SPAN_LIT("maxmemory-policy")},
                  3);
}

void look_soon(struct redis_conn *conn)
{
    int64_t soon = now_ms(conn) + LOOK_SOON_MS;

    if (conn->look_mono_ms > soon)
        conn->look_mono_ms = soon;
}

void look_tick(struct redis_conn *conn, int64_t now_mono_ms)
{
    if (conn->options.kind == CONN_SENTINEL)
        return;
    if (now_mono_ms >= conn->look_mono_ms) {
        conn->look_mono_ms = now_mono_ms + LOOK_MS;
        if (conn->options.replicas > 0 && !conn->wait_out)
            conn_send_wait(conn);
        send_look(conn);
    }
    if (now_mono_ms >= conn->proof_mono_ms && !conn->proof_out && proof_key(conn).n > 0)
        send_proof(conn);
}

/* ---- the set-up ---- */

static void send_auth(struct redis_conn *conn)
{
    const struct redis_address *address = conn->options.address;
    const struct span argv[] = {SPAN_LIT("AUTH"), span_str(address->user), span_str(address->password)};
    const struct span without_user[] = {SPAN_LIT("AUTH"), span_str(address->password)};

    if (address->password != NULL && address->user != NULL)
        conn_send_own(conn, on_essential, argv, 3);
    else if (address->password != NULL)
        conn_send_own(conn, on_essential, without_user, 2);
}

/* A Sentinel usually has no password, and AUTH would then be an error. */
static void on_sentinel_ping(const struct redis_result *result, void *arg)
{
    struct redis_conn *conn = arg;

    if (result->status == REDIS_LOST || conn->error[0] != 0)
        return;
    if (result->status == REDIS_OK) {
        conn_set_up(conn);
    } else if (strncmp(result->error, "NOAUTH", 6) == 0 && !conn->wants_auth &&
               conn->options.address->password != NULL) {
        conn->wants_auth = true;
        send_auth(conn);
        conn_send_own(conn, on_sentinel_ping, (const struct span[]){SPAN_LIT("PING")}, 1);
    } else {
        conn_set_error(conn, result->error);
    }
}

void look_set_up(struct redis_conn *conn)
{
    char db[12];
    int n = snprintf(db, sizeof(db), "%d", conn->options.address->db);

    if (conn->options.kind == CONN_SENTINEL) {
        conn->wants_auth = false;
        conn_send_own(conn, on_sentinel_ping, (const struct span[]){SPAN_LIT("PING")}, 1);
        return;
    }
    send_auth(conn);
    if (conn->options.address->db != 0)
        conn_send_own(conn, on_essential, (const struct span[]){SPAN_LIT("SELECT"), span_of(db, (size_t)n)},
                      2);
    send_look(conn);
}
