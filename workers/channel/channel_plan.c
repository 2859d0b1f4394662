#include "workers/channel/channel_plan.h"

#include "workers/channel/admission.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static unsigned tickets_wanted(const struct channel_load *load)
{
    const struct channel_room *room = &load->room;
    size_t in_hand = load->ready + load->looking;
    if (room->stopped || in_hand >= room->most)
        return 0;
    return (unsigned)least(least(room->free, room->most - in_hand), ADMISSION_MAX_TICKETS);
}

/* Where tickets turned out to be useless (their campaign is paused), more of them than send times are taken, until some
 * can be used. */
static unsigned spare_wanted(const struct channel_load *load)
{
    return (unsigned)(load->ready > 0 ? 0 : least(2 * load->useless, ADMISSION_MAX_TICKETS));
}

static unsigned send_times_wanted(const struct channel_load *load)
{
    return (unsigned)(load->room.stopped ? 0 : least(load->ready, ADMISSION_MAX_SEND_TIMES));
}

static int64_t again_at(const struct channel_load *load, int64_t now_mono_ms)
{
    size_t doublings = least(load->unanswered - 1, 4);
    return now_mono_ms + earlier((int64_t)CHANNEL_PLAN_AGAIN_MS << doublings, CHANNEL_PLAN_AGAIN_MAX_MS);
}

/* When tickets and send times are asked for, if not at `at`. */
static int64_t calls_at(const struct channel_load *load, unsigned tickets, int64_t at, int64_t now)
{
    bool waits = load->queued > 0;
    if (waits)
        at = earlier(at, now + CHANNEL_PLAN_POLL_MS);
    if (waits && (load->more || load->useless > 0) && tickets > 0)
        at = now + 1;
    else if (load->ready > 0 || (waits && load->has_rate))
        at = earlier(at, now + CHANNEL_PLAN_SEND_TIMES_MS);
    /* Not before a send time may be had, unless there is something to tell. */
    if (load->has_rate && !load->updates && load->useless == 0 && load->send_time_from_mono_ms > at)
        at = earlier(load->send_time_from_mono_ms, now + CHANNEL_PLAN_IDLE_MS);
    return at;
}

struct channel_plan channel_plan(const struct channel_load *load, int64_t now_mono_ms)
{
    struct channel_plan plan = {
        .tickets = tickets_wanted(load), .spare = spare_wanted(load), .send_times = send_times_wanted(load)};
    plan.at_mono_ms = now_mono_ms + (load->updates ? CHANNEL_PLAN_UPDATES_MS : CHANNEL_PLAN_IDLE_MS);
    if (load->unanswered > 0)
        plan.at_mono_ms = again_at(load, now_mono_ms);
    else if (load->open && !load->room.stopped)
        plan.at_mono_ms = calls_at(load, plan.tickets, plan.at_mono_ms, now_mono_ms);
    return plan;
}

int64_t channel_late_ms(double calls_per_second)
{
    if (calls_per_second <= 0)
        return 0;
    if (calls_per_second <= 10)
        return 100;
    return calls_per_second < 50 ? (int64_t)(1000 / calls_per_second) : 20;
}
