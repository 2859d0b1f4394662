/* Which state of an attempt may follow which: the ways that the drawing of attempt_state.h shows, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "workers/dispatch/attempt_state.h"

enum { WAY_MAX = 10 };

/* From free to free; ATTEMPT_FREE ends a way. */
static const enum attempt_state WAYS[][WAY_MAX] = {
    /* a record that is placed */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_PLACING, ATTEMPT_LINKING, ATTEMPT_RECORDING},
    /* the provider tells no id */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_PLACING, ATTEMPT_RECORDING},
    /* every question asked again */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_PLACING, ATTEMPT_LINKING,
     ATTEMPT_LINKING, ATTEMPT_RECORDING, ATTEMPT_RECORDING},
    /* a record that does not fit, one of a call that is there already, one that Redis cannot read */
    {ATTEMPT_PARSED, ATTEMPT_DEAD_LETTER},
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING},
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_DEAD_LETTER},
    /* a record, and a due call, that wait their turn */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_QUEUEING},
    {ATTEMPT_PARSED, ATTEMPT_QUEUEING},
    /* a due call without a channel */
    {ATTEMPT_PARSED},
    /* a ticket: placed, given back for want of a send time, useless, of a call that goes elsewhere or is put off */
    {ATTEMPT_PARSED, ATTEMPT_LOOKING, ATTEMPT_READY, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_PLACING,
     ATTEMPT_LINKING, ATTEMPT_RECORDING},
    {ATTEMPT_PARSED, ATTEMPT_LOOKING, ATTEMPT_READY},
    {ATTEMPT_PARSED, ATTEMPT_LOOKING},
    {ATTEMPT_PARSED, ATTEMPT_LOOKING, ATTEMPT_QUEUEING},
    {ATTEMPT_PARSED, ATTEMPT_LOOKING, ATTEMPT_CLAIMING},
    /* claimed, and too late for its send time: twice, then placed; given back */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_READY, ATTEMPT_READY, ATTEMPT_PLACING,
     ATTEMPT_RECORDING},
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_READY, ATTEMPT_RECORDING},
    /* listed, busy, or draining */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_CONTACT, ATTEMPT_RECORDING},
    /* claimed in vain */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_RECORDING},
    /* Redis forgot the call, and cannot read it */
    {ATTEMPT_PARSED, ATTEMPT_CLAIMING, ATTEMPT_RECORDING, ATTEMPT_CLAIMING, ATTEMPT_RECORDING,
     ATTEMPT_DEAD_LETTER},
};

static void what_the_drawing_shows_and_nothing_else_may_follow(void **state)
{
    bool shown[ATTEMPT_STATES][ATTEMPT_STATES];
    (void)state;
    memset(shown, 0, sizeof(shown));
    for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
        enum attempt_state before = ATTEMPT_FREE;
        for (size_t k = 0; k < WAY_MAX && WAYS[i][k] != ATTEMPT_FREE; before = WAYS[i][k++])
            shown[before][WAYS[i][k]] = true;
        shown[before][ATTEMPT_FREE] = true;
    }
    for (enum attempt_state before = ATTEMPT_FREE; before < ATTEMPT_STATES; before++)
        for (enum attempt_state next = ATTEMPT_FREE; next < ATTEMPT_STATES; next++)
            if (attempt_state_may_follow(next, before) != shown[before][next])
                fail_msg("%s after %s", attempt_state_name(next), attempt_state_name(before));
}

static void what_may_be_out_is_never_claimed_or_placed_again(void **state)
{
    (void)state;
    assert_false(attempt_state_may_follow(ATTEMPT_PLACING, ATTEMPT_PLACING));
    assert_false(attempt_state_may_follow(ATTEMPT_CLAIMING, ATTEMPT_PLACING));
    assert_false(attempt_state_may_follow(ATTEMPT_READY, ATTEMPT_PLACING));
    assert_false(attempt_state_may_follow(ATTEMPT_FREE, ATTEMPT_PLACING));
    assert_false(attempt_state_may_follow(ATTEMPT_PLACING, ATTEMPT_RECORDING));
    assert_false(attempt_state_may_follow(ATTEMPT_PLACING, ATTEMPT_CLAIMING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_drawing_shows_and_nothing_else_may_follow),
        cmocka_unit_test(what_may_be_out_is_never_claimed_or_placed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
