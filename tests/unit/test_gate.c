/* A suspended channel keeps its calls waiting; one probe at a time finds out whether it is mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "workers/dispatch/gate.h"
#include "workers/dispatch/judge.h"

static const struct span MAIN = SPAN_LIT("main"), OTHER = SPAN_LIT("other"), WHY = SPAN_LIT("Authenticate");

static void a_suspended_channel_admits_nobody_and_delays_no_other(void **state)
{
    (void)state;
    struct gates *gates = gates_new();
    int64_t wait = 0;
    assert_true(gate_admit(gates, MAIN, 0, &wait));
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, 1000);
    assert_false(gate_admit(gates, MAIN, 2000, &wait));
    assert_int_equal(wait, JUDGE_SUSPEND_MS - 1000);
    assert_true(gate_admit(gates, OTHER, 2000, &wait));
    struct span suspended[2];
    assert_int_equal(gates_suspended(gates, suspended, 2), 1);
    assert_true(span_is(suspended[0], "main"));
    gates_free(&gates);
    assert_null(gates);
}

static void one_probe_at_a_time_opens_the_channel_or_not(void **state)
{
    (void)state;
    struct gates *gates = gates_new();
    int64_t wait = 0, later = JUDGE_SUSPEND_MS;
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, 0);
    assert_true(gate_admit(gates, MAIN, later, &wait));
    assert_false(gate_admit(gates, MAIN, later, &wait));
    assert_true(wait > 0);
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, later);
    assert_false(gate_admit(gates, MAIN, later + 1, &wait));
    assert_true(gate_admit(gates, MAIN, 2 * later, &wait));
    gate_release(gates, MAIN, GATE_OPEN, SPAN_NONE, 2 * later);
    assert_true(gate_admit(gates, MAIN, 2 * later, &wait));
    assert_true(gate_admit(gates, MAIN, 2 * later, &wait));
    gates_free(&gates);
}

static void a_probe_that_was_not_used_leaves_its_turn_to_the_next(void **state)
{
    (void)state;
    struct gates *gates = gates_new();
    int64_t wait = 0, later = JUDGE_SUSPEND_MS;
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, 0);
    assert_true(gate_admit(gates, MAIN, later, &wait));
    gate_release(gates, MAIN, GATE_UNUSED, SPAN_NONE, later);
    assert_true(gate_admit(gates, MAIN, later, &wait));
    gates_free(&gates);
}

static void an_operator_s_resume_ends_the_suspension_of_that_channel(void **state)
{
    (void)state;
    struct gates *gates = gates_new();
    int64_t wait = 0;
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, 0);
    gate_release(gates, OTHER, GATE_SUSPENDED, WHY, 0);
    gate_resume(gates, MAIN);
    assert_true(gate_admit(gates, MAIN, 1, &wait));
    assert_false(gate_admit(gates, OTHER, 1, &wait));
    gates_free(&gates);
}

static void a_changed_channels_file_ends_every_suspension(void **state)
{
    (void)state;
    struct gates *gates = gates_new();
    int64_t wait = 0;
    gate_release(gates, MAIN, GATE_SUSPENDED, WHY, 0);
    gates_reset(gates);
    assert_true(gate_admit(gates, MAIN, 1, &wait));
    gates_free(&gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspended_channel_admits_nobody_and_delays_no_other),
        cmocka_unit_test(one_probe_at_a_time_opens_the_channel_or_not),
        cmocka_unit_test(a_probe_that_was_not_used_leaves_its_turn_to_the_next),
        cmocka_unit_test(an_operator_s_resume_ends_the_suspension_of_that_channel),
        cmocka_unit_test(a_changed_channels_file_ends_every_suspension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
