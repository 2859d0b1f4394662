#include "workers/dispatch/opening.h"
#include "workers/calls/due.h"

/* Not to be kept: the channels file may be read again at any time. */
static const struct hours *hours_of(const struct attempt *a)
{
    static const struct hours any_time = {0};
    const struct hours *of_country;
    if (a->request.calling_hours.zone != NULL)
        return &a->request.calling_hours;
    of_country = channels_hours(a->dispatch->worker->channels, a->request.to);
    return of_country != NULL ? of_country : &any_time;
}

static int64_t now_ms(const struct attempt *a)
{
    return loop_wall_ms(a->dispatch->worker->loop);
}

bool opening_is_now(const struct attempt *a)
{
    return hours_open(hours_of(a), now_ms(a));
}

int64_t opening_not_before_ms(const struct attempt *a)
{
    int64_t now = now_ms(a), not_before = a->request.not_before_ms;
    int64_t opens = hours_next_open(hours_of(a), not_before > now ? not_before : now);
    return opens > now ? opens : not_before;
}

/* Where Redis did not answer, the call is offered again after its lease. */
static void on_postponed(enum store_status status, void *arg)
{
    (void)status;
    attempt_end(arg);
}

void opening_wait(struct attempt *a)
{
    attempt_enter(a, ATTEMPT_CLAIMING);
    calls_postpone(a->dispatch->worker->store, attempt_id(a), hours_next_open(hours_of(a), now_ms(a)),
                   span_str(a->channel->provider->name), on_postponed, a);
}
