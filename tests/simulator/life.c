/* The life of a call: each step does what its moment asks for and names the next moment. */
#include "tests/simulator/simulator.h"

#include <assert.h>

#include "common/base/clock.h"

/* Between the placement and the first sign of the network; a phone that is reached rings within a few
 * seconds. */
static const struct sim_range queue_ms = {50, 300};
static const struct sim_range setup_ms = {300, 2500};
/* How long busy, a cancel and the network's own answer take. */
static const struct sim_range quick_ms = {500, 4000};

enum { SCRIPT_ERROR_MS = 2000, DEFAULT_RING_S = 60 };

static void step(struct sim_timer *timer);

int64_t sim_scaled_us(const struct sim *sim, int64_t ms)
{
    return (int64_t)((double)ms * 1000 / sim->switches.speed);
}

static void next_after(struct sim_call *call, int64_t ms)
{
    sim_timer_set(call->sim->timers, &call->life, clock_mono_us() + sim_scaled_us(call->sim, ms), step);
}

static int64_t draw(const struct sim_call *call, uint64_t which, struct sim_range range)
{
    return sim_between(sim_mix(call->fate.dice, which), range);
}

static bool is_live(enum sim_phase phase)
{
    return phase != SIM_PHASE_REFUSED && phase != SIM_PHASE_ENDED;
}

/* The one place where a call changes its phase; the gauges follow. */
static void move(struct sim_call *call, enum sim_phase phase)
{
    struct sim_stats *stats = &call->sim->stats;
    assert(call->phase != SIM_PHASE_ENDED);
    stats->in_progress += (uint64_t)is_live(phase) - (uint64_t)is_live(call->phase);
    if (stats->in_progress > stats->in_progress_peak)
        stats->in_progress_peak = stats->in_progress;
    call->phase = phase;
}

void sim_life_begin(struct sim_call *call)
{
    move(call, SIM_PHASE_QUEUED);
    next_after(call, draw(call, 10, queue_ms));
}

static bool phone_rings(const struct sim_call *call)
{
    return call->fate.outcome != SIM_ABSENT && call->fate.outcome != SIM_FAILED;
}

static int64_t ring_limit_ms(const struct sim_call *call)
{
    int seconds = call->order.ring_timeout_s > 0 ? call->order.ring_timeout_s : DEFAULT_RING_S;
    return (int64_t)seconds * 1000;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ring_ms(const struct sim_call *call)
{
    int64_t limit_ms = ring_limit_ms(call);
    if (call->fate.outcome == SIM_NO_ANSWER)
        return limit_ms;
    if (call->fate.outcome == SIM_COMPLETED)
        return least(call->fate.ring_ms, limit_ms - 1);
    return least(draw(call, 11, quick_ms), limit_ms - 1);
}

static int64_t talk_ms(const struct sim_call *call)
{
    int64_t limit_ms = (int64_t)call->order.time_limit_s * 1000;
    return limit_ms > 0 ? least(call->fate.talk_ms, limit_ms) : call->fate.talk_ms;
}

static void end(struct sim_call *call)
{
    move(call, SIM_PHASE_ENDED);
    call->ended_wall_ms = clock_wall_ms();
    call->ended_mono_us = clock_mono_us();
    call->sim->stats.ended[call->fate.outcome]++;
    sim_deliver(call, SIM_EVENT_FINAL);
    if (call->speech->closes && call->speech->closes(call))
        sim_deliver(call, SIM_EVENT_CLOSED);
    sim_deliver_ended(call);
    if (call->deliveries == 0)
        sim_first_heard(call); /* a response held for the first callback would wait for ever */
}

static void initiate(struct sim_call *call)
{
    move(call, SIM_PHASE_INITIATED);
    sim_deliver(call, SIM_EVENT_INITIATED);
    next_after(call, draw(call, 12, phone_rings(call) ? setup_ms : quick_ms));
}

static void ring(struct sim_call *call)
{
    move(call, SIM_PHASE_RINGING);
    sim_deliver(call, SIM_EVENT_RINGING);
    next_after(call, ring_ms(call));
}

static void ask_for_instructions(struct sim_call *call)
{
    if (call->order.instructions.n)
        sim_deliver(call, SIM_EVENT_INSTRUCTIONS);
    else if (call->order.document.n && !call->speech->understood(call->order.document))
        sim_life_instructions_failed(call);
}

static void answer(struct sim_call *call)
{
    move(call, SIM_PHASE_ANSWERED);
    call->answered_wall_ms = clock_wall_ms();
    sim_deliver(call, SIM_EVENT_ANSWERED);
    next_after(call, talk_ms(call));
    ask_for_instructions(call);
}

static void step(struct sim_timer *timer)
{
    struct sim_call *call = (struct sim_call *)((char *)timer - offsetof(struct sim_call, life));
    switch (call->phase) {
    case SIM_PHASE_QUEUED:
        initiate(call);
        break;
    case SIM_PHASE_INITIATED:
        if (phone_rings(call))
            ring(call);
        else
            end(call);
        break;
    case SIM_PHASE_RINGING:
        if (call->fate.outcome == SIM_COMPLETED)
            answer(call);
        else
            end(call);
        break;
    case SIM_PHASE_ANSWERED:
        end(call);
        break;
    case SIM_PHASE_REFUSED:
    case SIM_PHASE_ENDED:
        assert(!"a call that is over has no next step");
    }
}

/* The contact hears that something went wrong, and the call ends. */
void sim_life_instructions_failed(struct sim_call *call)
{
    if (call->phase != SIM_PHASE_ANSWERED)
        return;
    call->fate.talk_ms = least(call->fate.talk_ms, sim_talk_s(call) * 1000 + SCRIPT_ERROR_MS);
    next_after(call, SCRIPT_ERROR_MS);
}

bool sim_hang_up(struct sim_call *call)
{
    if (!is_live(call->phase))
        return false;
    bool talking = call->phase == SIM_PHASE_ANSWERED;
    sim_timer_stop(call->sim->timers, &call->life);
    call->hung_up = true;
    call->fate.outcome = talking ? SIM_COMPLETED : SIM_CANCELED;
    call->fate.sip = talking ? 200 : 487;
    end(call);
    return true;
}

int64_t sim_talk_s(const struct sim_call *call)
{
    if (call->answered_wall_ms == 0)
        return 0;
    int64_t until_ms = call->ended_wall_ms ? call->ended_wall_ms : clock_wall_ms();
    /* Told in the time of the call, not of the clock that runs faster for it; a started second counts. */
    double talked_ms = (double)(until_ms - call->answered_wall_ms) * call->sim->switches.speed;
    int64_t seconds = (int64_t)((talked_ms + 999) / 1000);
    int64_t planned_s = (talk_ms(call) + 999) / 1000;
    return call->ended_wall_ms && !call->hung_up ? planned_s : least(seconds, planned_s);
}
