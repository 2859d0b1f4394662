#include "tools/ivrctl/ask.h"

#include <stdio.h>

#include "common/redis/redis.h"
#include "common/run/loop.h"
#include "scripts.h"

enum { AGAIN_MS = 100, LOOK_MS = 100, REFUSALS = 6 };

struct ask {
    const struct settings *settings;
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    struct loop_timer *again; /* before the question is asked (again) */
    struct loop_timer *look;
    struct loop_timer *deadline;
    ask_fn question;
    void *arg;
    struct err *err;
    int64_t timeout_ms;
    int refusals; /* looks in a row that found Redis up and refusing */
    int rc;
    bool over;
};

static void end(struct ask *ask, int rc)
{
    ask->over = true;
    ask->rc = rc;
    loop_quit(ask->loop);
}

static void put_question(void *arg)
{
    struct ask *ask = arg;
    if (ask->again != NULL)
        loop_timer_stop(&ask->again);
    ask->question(ask->store, ask, ask->arg);
}

/* What a server says that is up will hardly change within the time that somebody waits at a prompt; what can
 * be read all the same was read by then. */
static void look_for_refusal(void *arg)
{
    struct ask *ask = arg;
    struct buf why;
    buf_init(&why, 1024);
    ask->refusals = redis_refuses(ask->redis, &why) ? ask->refusals + 1 : 0;
    if (ask->refusals == REFUSALS && !ask->over)
        end(ask, err_set(ask->err, ERR_UNAVAILABLE, "Redis (IVR_REDIS_URL) refuses: %s", why.p));
    buf_done(&why);
}

void ask_answered(struct ask *ask, enum store_status status)
{
    if (ask->over)
        return;
    if (status == STORE_OK)
        end(ask, 0);
    else if (status == STORE_UNREADABLE)
        end(ask, err_set(ask->err, ERR_UNAVAILABLE, "%s", store_why(ask->store)));
    else if (ask->again == NULL)
        ask->again = loop_timer_start(ask->loop, AGAIN_MS, 0, put_question, ask);
}

/* With another number of shards every call would look unknown. */
static void on_checked(const char *problem, void *arg)
{
    struct ask *ask = arg;
    if (ask->over)
        return;
    if (problem != NULL)
        end(ask, err_set(ask->err, ERR_CONFIG, "%s", problem));
    else
        put_question(ask);
}

static void on_deadline(void *arg)
{
    struct ask *ask = arg;
    struct buf why;
    buf_init(&why, 1024);
    redis_ready(ask->redis, REDIS_FOR_PEOPLE, &why);
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
                                          .timeout_ms = ASK_TIMEOUT_MS,
                                          .library = &script_library};
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
        ask.look = loop_timer_start(ask.loop, LOOK_MS, LOOK_MS, look_for_refusal, &ask);
        store_check_shards(ask.store, false, on_checked, &ask);
        loop_run(ask.loop);
    }
    ask.over = true;
    if (ask.deadline != NULL)
        loop_timer_stop(&ask.deadline);
    if (ask.look != NULL)
        loop_timer_stop(&ask.look);
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
