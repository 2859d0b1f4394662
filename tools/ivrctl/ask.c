#include "tools/ivrctl/ask.h"

#include <stdio.h>

#include "common/loop.h"
#include "common/redis.h"

enum { AGAIN_MS = 100 };

struct ask {
    const struct settings *settings;
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    struct loop_timer *again; /* before the question is asked (again) */
    struct loop_timer *deadline;
    ask_fn question;
    void *arg;
    struct err *err;
    int64_t timeout_ms;
    int rc;
    bool over;
};

static void end(struct ask *ask, int rc)
{
    ask->over = true;
    ask->rc = rc;
    loop_quit(ask->loop);
}

static void look_at_shards(void *arg);

static void ask_again(struct ask *ask)
{
    if (!ask->over && ask->again == NULL)
        ask->again = loop_timer_start(ask->loop, AGAIN_MS, 0, look_at_shards, ask);
}

void ask_answered(struct ask *ask, enum store_status status)
{
    if (ask->over)
        return;
    if (status == STORE_OK)
        end(ask, 0);
    else
        ask_again(ask);
}

/* With another number of shards every call would look unknown. The workers record the number; a tool that
 * only reads leaves nothing behind. */
static void on_shards(const struct redis_result *result, void *arg)
{
    struct ask *ask = arg;
    struct span recorded;
    char mine[16];
    if (ask->over)
        return;
    if (result->status != REDIS_OK) {
        ask_again(ask);
        return;
    }
    snprintf(mine, sizeof(mine), "%d", ask->settings->redis_shards);
    if (redis_reply_span(result->reply, &recorded) && !redis_reply_nil(result->reply) &&
        !span_is(recorded, mine))
        end(ask, err_set(ask->err, ERR_CONFIG,
                         "IVR_REDIS_SHARDS: is %s, but the calls in this Redis are spread over %.*s shards",
                         mine, SPAN_ARG(recorded)));
    else
        ask->question(ask->store, ask, ask->arg);
}

static void look_at_shards(void *arg)
{
    struct ask *ask = arg;
    char key[200];
    if (ask->again != NULL)
        loop_timer_stop(&ask->again);
    snprintf(key, sizeof(key), "%s:shards", ask->settings->redis_prefix);
    const struct span argv[] = {SPAN_LIT("GET"), span_str(key)};
    redis_command(ask->redis, argv, 2, 1, on_shards, ask);
}

static void on_deadline(void *arg)
{
    struct ask *ask = arg;
    struct buf why;
    buf_init(&why, 1024);
    redis_ready(ask->redis, &why);
    end(ask, err_set(ask->err, ERR_UNAVAILABLE, "Redis (IVR_REDIS_URL) did not answer within %d s%s%s",
                     (int)(ask->timeout_ms / 1000), why.n > 0 ? ": " : "", why.p));
    buf_done(&why);
}

static int open_store(struct ask *ask)
{
    const struct settings *s = ask->settings;
    const struct redis_options options = {.url = s->redis_url,
                                          .password = s->redis_password,
                                          .replicas = s->redis_replicas,
                                          .timeout_ms = ASK_TIMEOUT_MS};
    int rc = redis_new(&ask->redis, ask->loop, &options, ask->err);
    return rc != 0 ? rc : store_new(&ask->store, ask->loop, ask->redis, s, ask->err);
}

static int ask_within(const struct settings *settings, int64_t timeout_ms, ask_fn question, void *arg,
                      struct err *err)
{
    struct ask ask = {
        .settings = settings, .question = question, .arg = arg, .err = err, .timeout_ms = timeout_ms};
    ask.loop = loop_new();
    ask.rc = open_store(&ask);
    if (ask.rc == 0) {
        ask.deadline = loop_timer_start(ask.loop, timeout_ms, 0, on_deadline, &ask);
        look_at_shards(&ask);
        loop_run(ask.loop);
    }
    ask.over = true;
    if (ask.deadline != NULL)
        loop_timer_stop(&ask.deadline);
    if (ask.again != NULL)
        loop_timer_stop(&ask.again);
    if (ask.redis != NULL)
        redis_free(&ask.redis);
    if (ask.store != NULL)
        store_free(&ask.store);
    loop_free(&ask.loop);
    return ask.rc;
}

int ask_redis(const struct settings *settings, ask_fn question, void *arg, struct err *err)
{
    return ask_within(settings, ASK_TIMEOUT_MS, question, arg, err);
}

int ask_redis_shortly(const struct settings *settings, ask_fn question, void *arg, struct err *err)
{
    return ask_within(settings, ASK_SHORTLY_MS, question, arg, err);
}
