/* What a channel queue asks Redis for next, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "workers/channel/admission.h"
#include "workers/channel/channel_plan.h"

enum { NOW = 1000000 };

#define ROOM                                                                                                 \
    {                                                                                                        \
        .free = 1000, .most = 100                                                                            \
    }
#define NO_ROOM                                                                                              \
    {                                                                                                        \
        .free = 0, .most = 100                                                                               \
    }
#define STOPPED                                                                                              \
    {                                                                                                        \
        .stopped = true, .free = 1000, .most = 100                                                           \
    }
#define FAR_AHEAD (NOW + 10000)

static const struct {
    const char *promise;
    struct channel_load load;
    unsigned tickets, spare, send_times;
    int64_t in_ms;
} CASES[] = {
    {"nothing waits", {.room = ROOM, .open = true}, 64, 0, 0, CHANNEL_PLAN_IDLE_MS},
    {"there is something to tell",
     {.room = ROOM, .open = true, .updates = true},
     64,
     0,
     0,
     CHANNEL_PLAN_UPDATES_MS},
    {"tickets wait, and there was no line for them",
     {.room = ROOM, .open = true, .queued = 9},
     64,
     0,
     0,
     CHANNEL_PLAN_POLL_MS},
    {"updates do not wait for a poll",
     {.room = ROOM, .open = true, .queued = 9, .updates = true},
     64,
     0,
     0,
     CHANNEL_PLAN_UPDATES_MS},
    {"as many tickets came as were asked for: more at once",
     {.room = ROOM, .open = true, .queued = 9, .more = true},
     64,
     0,
     0,
     1},
    {"nothing is left of the more that there was",
     {.room = ROOM, .open = true, .queued = 0, .more = true},
     64,
     0,
     0,
     CHANNEL_PLAN_IDLE_MS},
    {"more, without a place for it",
     {.room = NO_ROOM, .open = true, .queued = 9, .more = true},
     0,
     0,
     0,
     CHANNEL_PLAN_POLL_MS},
    {"the free places are fewer than one request may bring",
     {.room = {.free = 5, .most = 100}, .open = true},
     5,
     0,
     0,
     CHANNEL_PLAN_IDLE_MS},
    {"one channel has as many in hand as it may",
     {.room = ROOM, .open = true, .ready = 60, .looking = 40},
     0,
     0,
     60,
     CHANNEL_PLAN_SEND_TIMES_MS},
    {"one channel has nearly as many in hand as it may",
     {.room = ROOM, .open = true, .ready = 60, .looking = 30},
     10,
     0,
     60,
     CHANNEL_PLAN_SEND_TIMES_MS},
    {"no more send times than one request may bring",
     {.room = {.free = 1, .most = 2000}, .open = true, .ready = 1000},
     1,
     0,
     ADMISSION_MAX_SEND_TIMES,
     CHANNEL_PLAN_SEND_TIMES_MS},
    {"with a rate, tickets that wait want send times",
     {.room = ROOM, .open = true, .has_rate = true, .queued = 9},
     64,
     0,
     0,
     CHANNEL_PLAN_SEND_TIMES_MS},
    {"not before a send time may be had",
     {.room = ROOM, .open = true, .has_rate = true, .queued = 9, .send_time_from_mono_ms = NOW + 77},
     64,
     0,
     0,
     77},
    {"a send time is far ahead: the channel may be closed meanwhile",
     {.room = ROOM, .open = true, .has_rate = true, .queued = 9, .send_time_from_mono_ms = FAR_AHEAD},
     64,
     0,
     0,
     CHANNEL_PLAN_IDLE_MS},
    {"what is to be told does not wait for a send time",
     {.room = ROOM,
      .open = true,
      .has_rate = true,
      .queued = 9,
      .send_time_from_mono_ms = FAR_AHEAD,
      .updates = true},
     64,
     0,
     0,
     CHANNEL_PLAN_SEND_TIMES_MS},
    {"useless tickets are replaced at once, by twice as many without a send time",
     {.room = ROOM,
      .open = true,
      .has_rate = true,
      .queued = 9,
      .send_time_from_mono_ms = FAR_AHEAD,
      .useless = 3},
     64,
     6,
     0,
     1},
    {"no spare tickets while usable ones are in hand",
     {.room = ROOM, .open = true, .queued = 9, .useless = 3, .ready = 1},
     64,
     0,
     1,
     1},
    {"spare tickets are bounded", {.room = ROOM, .open = true, .queued = 900, .useless = 64}, 64, 64, 0, 1},
    {"a closed channel is asked for tickets, which Redis gives it as probes",
     {.room = ROOM, .open = false, .queued = 9, .more = true},
     64,
     0,
     0,
     CHANNEL_PLAN_IDLE_MS},
    {"nothing may go out",
     {.room = STOPPED, .open = true, .queued = 9, .more = true, .ready = 7},
     0,
     0,
     0,
     CHANNEL_PLAN_IDLE_MS},
    {"nothing may go out, and there is something to tell",
     {.room = STOPPED, .open = true, .queued = 9, .updates = true},
     0,
     0,
     0,
     CHANNEL_PLAN_UPDATES_MS},
    {"one request was not answered",
     {.room = ROOM, .open = true, .queued = 9, .more = true, .unanswered = 1},
     64,
     0,
     0,
     100},
    {"three requests were not answered", {.room = ROOM, .open = true, .unanswered = 3}, 64, 0, 0, 400},
    {"many requests were not answered",
     {.room = ROOM, .open = true, .unanswered = 1000},
     64,
     0,
     0,
     CHANNEL_PLAN_AGAIN_MAX_MS},
};

static void each_load_has_its_plan(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct channel_plan plan = channel_plan(&CASES[i].load, NOW);
        if (plan.tickets != CASES[i].tickets || plan.spare != CASES[i].spare ||
            plan.send_times != CASES[i].send_times || plan.at_mono_ms != NOW + CASES[i].in_ms)
            fail_msg("%s: %u tickets, %u spare, %u send times in %lld ms", CASES[i].promise, plan.tickets,
                     plan.spare, plan.send_times, (long long)(plan.at_mono_ms - NOW));
    }
}

static void a_placement_may_be_late_by_a_little_of_its_rate(void **state)
{
    (void)state;
    assert_int_equal(channel_late_ms(0), 0);
    assert_int_equal(channel_late_ms(0.1), 100);
    assert_int_equal(channel_late_ms(10), 100);
    assert_int_equal(channel_late_ms(20), 50);
    assert_int_equal(channel_late_ms(49.9), 20);
    assert_int_equal(channel_late_ms(50), 20);
    assert_int_equal(channel_late_ms(100000), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_load_has_its_plan),
        cmocka_unit_test(a_placement_may_be_late_by_a_little_of_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
