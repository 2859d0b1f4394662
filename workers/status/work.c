#include "workers/status/work.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum { AGAIN_FIRST_MS = 100, AGAIN_MAX_MS = 2000 };

static struct work *take_from(struct fifo *list)
{
    return FIFO_TAKE(list, struct work, link);
}

struct work *work_take(struct works *works, struct kafka_record *record)
{
    struct work *work = take_from(&works->free);
    assert(work != NULL);
    work->record = record;
    work->ref.id_n = 0;
    work->linked = false;
    return work;
}

void work_start(struct work *work)
{
    work->works->start(work);
}

/* ---- starting over ---- */

static void on_again(void *arg)
{
    struct works *works = arg;
    struct fifo due = {0};
    fifo_move(&due, &works->again);
    loop_timer_stop(&works->again_timer);
    kafka_resume(works->consumer, WHY_AGAIN);
    for (struct work *work; (work = take_from(&due)) != NULL;)
        work_start(work);
}

static void start_again_later(struct work *work)
{
    struct works *works = work->works;
    fifo_add(&works->again, &work->link);
    if (works->again_timer != NULL)
        return;
    LOG_LIMITED(LOG_LEVEL_WARN, "callbacks wait for Redis or Kafka, trying again",
                LOG_INT("wait_ms", works->again_ms));
    kafka_pause(works->consumer, WHY_AGAIN);
    works->again_timer = loop_timer_start(works->worker->loop, works->again_ms, 0, on_again, works);
    works->again_ms = works->again_ms * 2 < AGAIN_MAX_MS ? works->again_ms * 2 : AGAIN_MAX_MS;
}

void work_await(struct work *work)
{
    work->works->awaited++;
}

bool work_answered(struct work *work, enum store_status store_status)
{
    struct works *works = work->works;
    works->awaited--;
    if (works->closed)
        return false;
    if (store_status == STORE_OK || store_status == STORE_UNREADABLE) {
        works->again_ms = AGAIN_FIRST_MS;
        return true;
    }
    start_again_later(work);
    return false;
}

/* ---- the ends ---- */

static const char *provider_label(const struct work *work)
{
    return work->provider != NULL ? work->provider->name : "unknown";
}

static void end(struct work *work)
{
    kafka_done(&work->record);
    fifo_add_first(&work->works->free, &work->link);
}

void work_done(struct work *work, const char *result)
{
    metric_count(M_CALLBACKS, provider_label(work), result);
    end(work);
}

static void on_dead(const char *error, void *arg)
{
    struct work *work = arg;
    if (work->works->closed)
        return;
    if (error != NULL)
        start_again_later(work);
    else
        work_done(work, "dead");
}

void work_dead(struct work *work, const char *reason, struct span detail)
{
    worker_dead_letter(work->works->worker, work->record, reason, detail, on_dead, work);
}

static void count_recorded(struct work *work)
{
    struct works *works = work->works;
    if (works->counted != work->provider) {
        works->counted = work->provider;
        works->recorded = metric_series(M_CALLBACKS, work->provider->name, "recorded");
        works->repeated = metric_series(M_CALLBACKS, work->provider->name, "repeated");
    }
    metric_add(work->repeated ? works->repeated : works->recorded, 1);
    int64_t lag_ms = loop_wall_ms(works->worker->loop) - work->received_ms;
    if (work->received_ms > 0)
        metric_observe(works->lag, lag_ms > 0 ? (double)lag_ms / 1000 : 0);
}

void work_recorded(struct work *work)
{
    count_recorded(work);
    end(work);
}

/* ---- all of them ---- */

void works_init(struct works *works, struct worker *worker, size_t n, void (*start)(struct work *work))
{
    *works = (struct works){.worker = worker, .start = start, .again_ms = AGAIN_FIRST_MS};
    works->lag = metric_series(M_CALLBACK_LAG, NULL, NULL);
    works->slots = mem_calloc(n, sizeof(*works->slots));
    for (size_t i = 0; i < n; i++) {
        works->slots[i].works = works;
        fifo_add(&works->free, &works->slots[i].link);
    }
}

void works_close(struct works *works)
{
    works->closed = true;
    if (works->again_timer != NULL)
        loop_timer_stop(&works->again_timer);
}

void works_done(struct works *works)
{
    free(works->slots);
    works->slots = NULL;
}
