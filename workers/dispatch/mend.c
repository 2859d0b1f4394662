#include "workers/dispatch/mend.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/walk.h"

enum {
    STEP_MS = 1000, /* between two pages: a million calls in an hour, a thousandth of Redis' time */
    /* The first request for the right to walk is at random within it, since replicas start together. */
    FIRST_MS = 5000,
    ASK_MS = 30000, /* between two requests for the right */
    KEEP_MS =
        30 * STEP_MS, /* how long the right is held after a page: where a walker died, another one begins */
    PAUSE_MS = 10 * 60 * 1000, /* between two walks */
};

struct mending {
    struct dispatch *dispatch;
    struct loop_timer *timer;
    int64_t ask_mono_ms; /* the right to walk is not asked for before it */
    bool walking;
    size_t out;    /* requests without an answer */
    size_t server; /* of a cluster, whose keys are walked */
    char cursor[WALK_CURSOR_MAX];
};

static bool quiet(const struct mending *mending)
{
    const struct dispatch *d = mending->dispatch;
    return d->draining || d->away || !redis_up(d->worker->redis);
}

static int64_t now_ms(const struct mending *mending)
{
    return loop_mono_ms(mending->dispatch->worker->loop);
}

/* Where Redis does not grant it, the next page asks again. Two walkers at once do no harm. */
static void on_kept(enum store_status status, bool granted, void *arg)
{
    struct mending *mending = arg;
    (void)status, (void)granted;
    mending->out--;
}

static void keep(struct mending *mending, int64_t ms)
{
    mending->out++;
    walk_right(mending->dispatch->worker->store, WALK_KEEP, ms, on_kept, mending);
}

static void on_mended(enum store_status status, struct span mended, void *arg)
{
    struct mending *mending = arg;
    char index[16];
    mending->out--;
    if (status != STORE_OK || mended.n == 0)
        return; /* where Redis did not answer, the next walk comes to the call again */
    snprintf(index, sizeof(index), "%.*s", SPAN_ARG(mended));
    metric_count(M_CALLS_MENDED, index, NULL);
    LOG_LIMITED(LOG_LEVEL_ERROR,
                "a call stood in no index of Redis, where nobody would have looked at it; it was put back",
                LOG_STR("index", index));
}

static void walk_ended(struct mending *mending)
{
    mending->walking = false;
    mending->ask_mono_ms = now_ms(mending) + PAUSE_MS;
    keep(mending, PAUSE_MS);
}

static void on_page(enum store_status status, const struct walk_page *page, void *arg)
{
    struct mending *mending = arg;
    mending->out--;
    if (status != STORE_OK || page->cursor.n >= sizeof(mending->cursor))
        return; /* the next step asks for the same page again */
    for (size_t i = 0; i < page->n; i++) {
        mending->out++;
        walk_mend(mending->dispatch->worker->store, page->ids[i], on_mended, mending);
    }
    snprintf(mending->cursor, sizeof(mending->cursor), "%.*s", SPAN_ARG(page->cursor));
    mending->server += span_is(page->cursor, "0");
    keep(mending, KEEP_MS);
}

static void on_begun(enum store_status status, bool granted, void *arg)
{
    struct mending *mending = arg;
    mending->out--;
    if (status != STORE_OK || !granted)
        return;
    mending->walking = true;
    mending->server = 0;
    snprintf(mending->cursor, sizeof(mending->cursor), "0");
}

static void step(void *arg)
{
    struct mending *mending = arg;
    struct store *store = mending->dispatch->worker->store;
    if (quiet(mending) || mending->out > 0)
        return;
    if (mending->walking && mending->server >= redis_servers(store_redis(store))) {
        walk_ended(mending);
    } else if (mending->walking) {
        mending->out++;
        walk_page(store, mending->server, span_str(mending->cursor), on_page, mending);
    } else if (now_ms(mending) >= mending->ask_mono_ms) {
        mending->out++;
        mending->ask_mono_ms = now_ms(mending) + ASK_MS;
        walk_right(store, WALK_BEGIN, KEEP_MS, on_begun, mending);
    }
}

struct mending *mending_new(struct dispatch *dispatch)
{
    static const char *const indexes[] = {"due", "hold", "open", "expiry"};
    struct mending *mending = mem_calloc(1, sizeof(*mending));
    uint16_t phase;
    crypto_random(&phase, sizeof(phase));
    mending->dispatch = dispatch;
    mending->ask_mono_ms = now_ms(mending) + phase % FIRST_MS;
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++)
        (void)metric_series(M_CALLS_MENDED, indexes[i], NULL);
    mending->timer = loop_timer_start(dispatch->worker->loop, phase % STEP_MS, STEP_MS, step, mending);
    return mending;
}

void mending_stop(struct mending *mending)
{
    loop_timer_stop(&mending->timer);
}

void mending_free(struct mending **mending)
{
    free(*mending);
    *mending = NULL;
}
