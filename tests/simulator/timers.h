/*
 * Ten thousand calls, each with its next moment: one heap of timers that their owners embed, and one timer
 * descriptor on the loop, armed to the microsecond (the loop's own timers are whole milliseconds late or
 * early, which a measured response time would show).
 */
#ifndef IVR_SIMULATOR_TIMERS_H
#define IVR_SIMULATOR_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/run/loop.h"

/* Zeroed is idle. It must not be freed while it is set. */
struct sim_timer {
    size_t place; /* in the heap, from 1; 0: idle */
    void (*fn)(struct sim_timer *timer);
};

struct sim_timers;

/* The loop keeps a hook of it: one for the life of the process, freed when the loop has ended its run. */
int sim_timers_new(struct sim_timers **timers, struct loop *loop, struct err *err);
void sim_timers_free(struct sim_timers **timers);

/* (Re)sets: `fn` runs once, never before `due_us` (clock_mono_us) and never before this returns. It may set
 * the timer again or free it. */
void sim_timer_set(struct sim_timers *timers, struct sim_timer *timer, int64_t due_us,
                   void (*fn)(struct sim_timer *timer));
void sim_timer_stop(struct sim_timers *timers, struct sim_timer *timer);
static inline bool sim_timer_is_set(const struct sim_timer *timer)
{
    return timer->place != 0;
}

#endif
