#include "common/redis/redis_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/redis/redis_conn.h"
#include "common/run/log.h"

enum { TURN_MS = 1000, POLL_MS = 1000, TICK_MS = 50 };

struct redis_sentinel {
    struct loop *loop;
    const struct redis_address *address;
    struct redis_sentinel_events events;
    struct redis_address server; /* of the Sentinel whose turn it is */
    struct redis_conn *conn;
    struct loop_timer *tick;
    size_t turn;
    size_t failures; /* Sentinels in a row that could not tell */
    int64_t turn_mono_ms;
    int64_t poll_mono_ms; /* when to look again */
    bool wanted;          /* an answer is owed */
    bool out;             /* a question is */
    bool skip;            /* this Sentinel had its turn: the next, as soon as the stack is ours */
    char host[256];       /* the last answer, "" before the first */
    int port;
    int64_t epoch;
    char error[300];
};

/* ---- whose turn it is ---- */

static void on_state(bool up, void *arg)
{
    struct redis_sentinel *sentinel = arg;

    if (up)
        sentinel->poll_mono_ms = 0;
}

static void open_sentinel(struct redis_sentinel *sentinel)
{
    const struct redis_endpoint *seed =
        &sentinel->address->seeds[sentinel->turn % sentinel->address->seeds_n];

    redis_address_server(&sentinel->server, sentinel->address, span_str(seed->host), seed->port);
    sentinel->turn_mono_ms = loop_mono_ms(sentinel->loop);
    sentinel->poll_mono_ms = 0;
    sentinel->conn = redis_conn_new(&(struct redis_conn_options){.loop = sentinel->loop,
                                                                 .address = &sentinel->server,
                                                                 .kind = CONN_SENTINEL,
                                                                 .timeout_ms = TURN_MS,
                                                                 .state = on_state,
                                                                 .arg = sentinel});
}

static void close_sentinel(struct redis_sentinel *sentinel)
{
    redis_conn_free(&sentinel->conn);
    redis_address_done(&sentinel->server);
    sentinel->out = false;
    sentinel->skip = false;
}

static void next_sentinel(struct redis_sentinel *sentinel)
{
    close_sentinel(sentinel);
    sentinel->turn++;
    sentinel->failures++;
    open_sentinel(sentinel);
    if (sentinel->failures < sentinel->address->seeds_n)
        return;
    sentinel->failures = 0;
    sentinel->epoch = 0; /* all of them may have been set up anew */
    if (!sentinel->wanted)
        return;
    sentinel->wanted = false;
    sentinel->events.failed(sentinel->error, sentinel->events.arg);
}

/* What the present one says does not help: `why` is kept for people. */
static void give_up_turn(struct redis_sentinel *sentinel, const char *why)
{
    snprintf(sentinel->error, sizeof(sentinel->error), "Sentinel %s: %s", sentinel->server.shown, why);
    sentinel->skip = true;
}

/* ---- what it says ---- */

static bool field_of(const void *reply, const char *name, struct span *value)
{
    for (long i = 0; i + 1 < redis_reply_len(reply); i += 2) {
        struct span field;
        if (redis_reply_span(redis_reply_at(reply, (size_t)i), &field) && span_is(field, name))
            return redis_reply_span(redis_reply_at(reply, (size_t)i + 1), value);
    }
    return false;
}

/* 0 when it is none. */
static int64_t number_of(struct span digits)
{
    int64_t number = 0;

    return number_read(digits, 0, INT64_MAX, &number) ? number : 0;
}

static void take_answer(struct redis_sentinel *sentinel, struct span host, int port, int64_t epoch)
{
    bool other = port != sentinel->port || !span_is(host, sentinel->host);
    bool first = sentinel->host[0] == 0;

    sentinel->failures = 0;
    sentinel->epoch = epoch;
    snprintf(sentinel->host, sizeof(sentinel->host), "%.*s", SPAN_ARG(host));
    sentinel->port = port;
    if (other && !first)
        LOG_INFO("Sentinel names another primary", LOG_STR("sentinel", sentinel->server.shown),
                 LOG_STR("host", sentinel->host), LOG_INT("port", port));
    if (sentinel->wanted) {
        sentinel->wanted = false;
        sentinel->events.found(sentinel->host, port, sentinel->events.arg);
    } else if (other) {
        sentinel->events.moved(sentinel->events.arg);
    }
}

static void on_master(const struct redis_result *result, void *arg)
{
    struct redis_sentinel *sentinel = arg;
    struct span host, port, epoch = SPAN_NONE;

    sentinel->out = false;
    sentinel->poll_mono_ms = loop_mono_ms(sentinel->loop) + POLL_MS;
    if (result->status != REDIS_OK) {
        give_up_turn(sentinel, result->error);
        return;
    }
    if (!field_of(result->reply, "ip", &host) || !field_of(result->reply, "port", &port) || host.n == 0) {
        give_up_turn(sentinel, "no address in its answer to SENTINEL MASTER");
        return;
    }
    field_of(result->reply, "config-epoch", &epoch);
    if (number_of(epoch) < sentinel->epoch)
        give_up_turn(sentinel, "what it knows is older than what another one said");
    else
        take_answer(sentinel, host, (int)number_of(port), number_of(epoch));
}

static void send_question(struct redis_sentinel *sentinel)
{
    const struct span argv[] = {SPAN_LIT("SENTINEL"), SPAN_LIT("MASTER"),
                                span_str(sentinel->address->master)};

    sentinel->out = true;
    redis_conn_queue(sentinel->conn, redis_cmd_plain(argv, 3, on_master, sentinel));
}

static void on_tick(void *arg)
{
    struct redis_sentinel *sentinel = arg;
    int64_t now = loop_mono_ms(sentinel->loop);
    struct buf why;

    if (redis_conn_up(sentinel->conn)) {
        sentinel->turn_mono_ms = now;
    } else if (redis_conn_down(sentinel->conn) || now - sentinel->turn_mono_ms > TURN_MS) {
        /* The first tick of a connection comes after ours, "connecting" is no failure. */
        buf_init(&why, 200);
        redis_conn_ready(sentinel->conn, REDIS_FOR_PEOPLE, &why);
        if (now > sentinel->turn_mono_ms + TICK_MS) {
            snprintf(sentinel->error, sizeof(sentinel->error), "Sentinel %s", why.p);
            sentinel->skip = true;
        }
        buf_done(&why);
    }
    if (sentinel->skip)
        next_sentinel(sentinel);
    else if (redis_conn_up(sentinel->conn) && !sentinel->out && now >= sentinel->poll_mono_ms)
        send_question(sentinel);
}

/* ---- the outside ---- */

struct redis_sentinel *redis_sentinel_new(struct loop *loop, const struct redis_address *address,
                                          const struct redis_sentinel_events *events)
{
    struct redis_sentinel *sentinel = mem_calloc(1, sizeof(*sentinel));

    sentinel->loop = loop;
    sentinel->address = address;
    sentinel->events = *events;
    open_sentinel(sentinel);
    sentinel->tick = loop_timer_start(loop, 0, TICK_MS, on_tick, sentinel);
    return sentinel;
}

void redis_sentinel_free(struct redis_sentinel **pointer)
{
    struct redis_sentinel *sentinel = *pointer;

    if (sentinel == NULL)
        return;
    loop_timer_stop(&sentinel->tick);
    close_sentinel(sentinel);
    free(sentinel);
    *pointer = NULL;
}

void redis_sentinel_ask(struct redis_sentinel *sentinel, bool another)
{
    sentinel->wanted = true;
    sentinel->failures = 0;
    sentinel->skip = sentinel->skip || another;
    sentinel->poll_mono_ms = 0;
}

bool redis_sentinel_flush(struct redis_sentinel *sentinel)
{
    return redis_conn_flush(sentinel->conn);
}
