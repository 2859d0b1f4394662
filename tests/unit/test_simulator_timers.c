#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/simulator/chance.h"
#include "tests/simulator/timers.h"

enum { TIMERS = 2000, SPAN_US = 30000 };

struct alarm {
    struct sim_timer timer;
    int64_t due_us;
    int fired;
};

static struct {
    struct loop *loop;
    struct sim_timers *timers;
    struct alarm alarms[TIMERS];
    int fired, early, disordered;
    int64_t last_due_us;
} here;

static void on_alarm(struct sim_timer *timer)
{
    struct alarm *alarm = (struct alarm *)((char *)timer - offsetof(struct alarm, timer));
    alarm->fired++;
    here.fired++;
    here.early += clock_mono_us() < alarm->due_us;
    here.disordered += alarm->due_us < here.last_due_us;
    here.last_due_us = alarm->due_us;
}

static void on_end(struct sim_timer *timer)
{
    (void)timer;
    loop_quit(here.loop);
}

static void set_alarm(int i, int64_t due_us)
{
    here.alarms[i].due_us = due_us;
    sim_timer_set(here.timers, &here.alarms[i].timer, due_us, on_alarm);
}

static int start(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    here.loop = loop_new();
    for (int i = 0; i < TIMERS; i++)
        here.alarms[i] = (struct alarm){0};
    here.fired = here.early = here.disordered = 0;
    here.last_due_us = 0;
    return sim_timers_new(&here.timers, here.loop, &err);
}

static int finish(void **state)
{
    (void)state;
    sim_timers_free(&here.timers);
    loop_free(&here.loop);
    return 0;
}

static void run_for_us(int64_t us)
{
    struct sim_timer end = {0};
    sim_timer_set(here.timers, &end, clock_mono_us() + us, on_end);
    loop_run(here.loop);
}

static void timers_fire_once_in_the_order_of_their_moments_and_never_early(void **state)
{
    (void)state;
    int64_t now_us = clock_mono_us();
    for (int i = 0; i < TIMERS; i++)
        set_alarm(i, now_us + (int64_t)(sim_mix(1, (uint64_t)i) % SPAN_US));
    run_for_us(SPAN_US + 1000);
    assert_int_equal(here.fired, TIMERS);
    assert_int_equal(here.early, 0);
    assert_int_equal(here.disordered, 0);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(here.alarms[i].fired, 1);
        assert_false(sim_timer_is_set(&here.alarms[i].timer));
    }
}

static void a_stopped_timer_does_not_fire_and_a_moved_one_fires_at_its_new_moment(void **state)
{
    (void)state;
    int64_t now_us = clock_mono_us();
    for (int i = 0; i < TIMERS; i++)
        set_alarm(i, now_us + (int64_t)(sim_mix(2, (uint64_t)i) % SPAN_US));
    for (int i = 0; i < TIMERS; i += 3)
        sim_timer_stop(here.timers, &here.alarms[i].timer);
    for (int i = 1; i < TIMERS; i += 3)
        set_alarm(i, now_us + (int64_t)(sim_mix(3, (uint64_t)i) % SPAN_US));
    run_for_us(SPAN_US + 1000);
    assert_int_equal(here.early, 0);
    assert_int_equal(here.disordered, 0);
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(here.alarms[i].fired, i % 3 == 0 ? 0 : 1);
}

static void a_moment_in_the_past_is_now(void **state)
{
    (void)state;
    set_alarm(0, 0);
    set_alarm(1, clock_mono_us() - 1000000);
    run_for_us(1000);
    assert_int_equal(here.fired, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_once_in_the_order_of_their_moments_and_never_early, start,
                                        finish),
        cmocka_unit_test_setup_teardown(a_stopped_timer_does_not_fire_and_a_moved_one_fires_at_its_new_moment,
                                        start, finish),
        cmocka_unit_test_setup_teardown(a_moment_in_the_past_is_now, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
