#include "workers/dispatch/attempt.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "workers/channel/channel_queue.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 2000,
    /* Calls that will wait anyway do not stand before those whose send time has come: at the most so many of
     * them are on their way into Redis, a few milliseconds of its time. */
    STORING_MAX = 64,
    BUF_MAX = 256 * 1024,
};

/* ---- its state ---- */

void attempt_enter(struct attempt *a, enum attempt_state state)
{
    if (!attempt_state_may_follow(state, a->state)) {
        LOG_ERROR("an attempt may not go from one state to another, a defect",
                  LOG_STR("from", attempt_state_name(a->state)), LOG_STR("to", attempt_state_name(state)));
        assert(!"an attempt's state may not follow the one before");
    }
    a->state = state;
}

/* ---- the pool ---- */

static void free_push(struct attempt *a)
{
    struct attempt **list = a->for_due ? &a->dispatch->free_for_due : &a->dispatch->free_for_records;
    a->next = *list;
    *list = a;
    a->dispatch->due_free += a->for_due;
}

void attempts_init(struct dispatch *d)
{
    size_t records = (size_t)d->worker->settings->max_in_flight;
    size_t due = records / 2 > 8 ? records / 2 : 8;
    d->attempts_n = records + due;
    d->attempts = mem_calloc(d->attempts_n, sizeof(*d->attempts));
    for (size_t i = d->attempts_n; i-- > 0;) {
        struct attempt *a = &d->attempts[i];
        a->dispatch = d;
        a->for_due = i >= records;
        buf_init(&a->ticket.id, CALLS_MAX_REF + 1);
        buf_init(&a->trace, 2048);
        buf_init(&a->text, BUF_MAX);
        free_push(a);
    }
}

void attempts_done(struct dispatch *d)
{
    for (size_t i = 0; i < d->attempts_n; i++) {
        struct attempt *a = &d->attempts[i];
        if (a->timer != NULL)
            loop_timer_stop(&a->timer);
        if (a->ticket.timer != NULL)
            loop_timer_stop(&a->ticket.timer);
        if (a->state != ATTEMPT_FREE)
            request_done(&a->request);
        if (a->channel != NULL)
            channel_unref(&a->channel);
        buf_done(&a->ticket.id);
        buf_done(&a->trace);
        buf_done(&a->text);
    }
    free(d->attempts);
}

static void ticket_reset(struct ticket *ticket)
{
    buf_clear(&ticket->id);
    ticket->claim_no = ticket->priority = 0;
    ticket->claimed_mono_ms = ticket->send_mono_ms = 0;
    ticket->in_hand = false;
    ticket->trial.queue = NULL;
}

struct attempt *attempt_take(struct dispatch *d, bool for_due)
{
    struct attempt **list = for_due ? &d->free_for_due : &d->free_for_records;
    struct attempt *a = *list;
    if (a == NULL)
        return NULL;
    *list = a->next;
    d->due_free -= for_due;
    d->busy++;
    attempt_enter(a, ATTEMPT_PARSED);
    a->record = NULL;
    a->admitted = a->counts_as_storing = false;
    a->number = a->unreached = 0;
    a->tries = 0;
    a->wait_ms = 0;
    a->not_before_ms = 0;
    a->start = a->again = NULL;
    memset(&a->request, 0, sizeof(a->request));
    ticket_reset(&a->ticket);
    buf_clear(&a->trace);
    buf_clear(&a->text);
    return a;
}

void attempt_end(struct attempt *a)
{
    struct kafka_record *record = a->record;
    channel_queue_end_dropped(&a->ticket);
    channel_queue_end_trial(&a->ticket);
    if (a->slot != NULL)
        http_slot_release(a->dispatch->http, &a->slot);
    attempt_uncount_storing(a);
    request_done(&a->request);
    if (a->channel != NULL)
        channel_unref(&a->channel);
    a->dispatch->busy--;
    attempt_enter(a, ATTEMPT_FREE);
    free_push(a);
    if (record != NULL)
        kafka_done(&record); /* last: the next record may come at once and wants the place */
}

/* ---- records that are stored to wait ---- */

void attempt_count_storing(struct attempt *a)
{
    a->counts_as_storing = true;
    if (++a->dispatch->storing >= STORING_MAX)
        kafka_pause(a->dispatch->consumer, WHY_STORING);
}

void attempt_uncount_storing(struct attempt *a)
{
    if (!a->counts_as_storing)
        return;
    a->counts_as_storing = false;
    if (--a->dispatch->storing <= STORING_MAX / 2)
        kafka_resume(a->dispatch->consumer, WHY_STORING);
}

/* ---- asking again ---- */

static void on_later(void *arg)
{
    struct attempt *a = arg;
    loop_timer_stop(&a->timer);
    a->again(a);
}

void attempt_later(struct attempt *a, void (*again)(struct attempt *), int64_t wait_ms)
{
    a->again = again;
    a->timer = loop_timer_start(a->dispatch->worker->loop, wait_ms, 0, on_later, a);
}

/* Nothing was lost: the same question again, with backoff. */
void attempt_again(struct attempt *a, void (*again)(struct attempt *))
{
    int64_t wait_ms = RETRY_FIRST_MS << (a->tries < 5 ? a->tries : 5);
    a->tries++;
    attempt_later(a, again, wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
}

int64_t attempt_hold_ms(const struct attempt *a)
{
    return ((int64_t)a->request.ring_timeout_s + a->request.time_limit_s + 60) * 1000;
}
