/* common/loop: when hooks run, what signals do, what timers promise. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/run/loop.h"

struct loop_fixture {
    struct loop *loop;
    struct loop_timer *timer;
    int fired;
    int order[64];
    int order_n;
    int work_left;
};

static void note(struct loop_fixture *f, int what)
{
    if (f->order_n < 64)
        f->order[f->order_n++] = what;
}

static void quit(void *arg)
{
    struct loop_fixture *f = arg;
    loop_quit(f->loop);
}

static void count_to_three(void *arg)
{
    struct loop_fixture *f = arg;
    if (++f->fired == 3) {
        loop_timer_stop(&f->timer);
        loop_quit(f->loop);
    }
}

static void a_repeating_timer_stops_from_within(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new()};
    f.timer = loop_timer_start(f.loop, 1, 5, count_to_three, &f);
    loop_run(f.loop);
    assert_int_equal(f.fired, 3);
    assert_null(f.timer);
    loop_timer_stop(&f.timer);
    loop_free(&f.loop);
    assert_null(f.loop);
}

static void count(void *arg)
{
    struct loop_fixture *f = arg;
    f->fired++;
}

static void a_single_timer_fires_once(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new()};
    struct loop_timer *end = loop_timer_start(f.loop, 50, 0, quit, &f);
    f.timer = loop_timer_start(f.loop, 1, 0, count, &f);
    int64_t before_mono_ms = clock_mono_ms();
    loop_run(f.loop);
    assert_int_equal(f.fired, 1);
    assert_in_range(clock_mono_ms() - before_mono_ms, 48, 5000);
    loop_timer_stop(&f.timer);
    loop_timer_stop(&end);
    loop_free(&f.loop);
}

static bool first_hook(void *arg)
{
    struct loop_fixture *f = arg;
    note(f, 1);
    return false;
}

static bool second_hook(void *arg)
{
    struct loop_fixture *f = arg;
    note(f, 2);
    return f->work_left > 0 && f->work_left-- > 0;
}

static void on_pipe(uv_poll_t *handle, int status, int events)
{
    struct loop_fixture *f = handle->data;
    char c;
    (void)status, (void)events;
    assert_int_equal(read(handle->io_watcher.fd, &c, 1), 1);
    note(f, 9);
    if (++f->fired == 2)
        loop_quit(f->loop);
}

static void start_pipe(struct loop_fixture *f, uv_poll_t *poll, int fds[2])
{
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(uv_poll_init(loop_uv(f->loop), poll, fds[0]), 0);
    poll->data = f;
    assert_int_equal(uv_poll_start(poll, UV_READABLE, on_pipe), 0);
}

static void hooks_run_in_order_after_every_callback_of_the_turn(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new()};
    uv_poll_t a, b;
    int fds_a[2], fds_b[2];
    loop_at_turn_end(f.loop, first_hook, &f);
    loop_at_turn_end(f.loop, second_hook, &f);
    start_pipe(&f, &a, fds_a);
    start_pipe(&f, &b, fds_b);
    loop_run(f.loop);
    /* before the first block, then both callbacks of one turn, then the hooks once more although the loop was
     * told to end */
    const int expected[] = {1, 2, 9, 9, 1, 2};
    assert_int_equal(f.order_n, 6);
    assert_memory_equal(f.order, expected, sizeof(expected));
    uv_close((uv_handle_t *)&a, NULL);
    uv_close((uv_handle_t *)&b, NULL);
    loop_free(&f.loop);
    for (int i = 0; i < 2; i++)
        close(fds_a[i]), close(fds_b[i]);
}

static void hooks_run_again_while_one_made_work(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new(), .work_left = 2};
    struct loop_timer *end = loop_timer_start(f.loop, 5, 0, quit, &f);
    loop_at_turn_end(f.loop, first_hook, &f);
    loop_at_turn_end(f.loop, second_hook, &f);
    loop_run(f.loop);
    const int expected[] = {1, 2, 1, 2, 1, 2};
    assert_true(f.order_n >= 6);
    assert_memory_equal(f.order, expected, sizeof(expected));
    loop_timer_stop(&end);
    loop_free(&f.loop);
}

static bool never_content(void *arg)
{
    struct loop_fixture *f = arg;
    f->fired++;
    return true;
}

static void a_hook_that_is_never_content_does_not_hang_the_loop(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new()};
    struct loop_timer *end = loop_timer_start(f.loop, 1, 0, quit, &f);
    loop_at_turn_end(f.loop, never_content, &f);
    loop_run(f.loop);
    assert_int_equal(f.fired % 100, 0);
    loop_timer_stop(&end);
    loop_free(&f.loop);
}

static void set_quit_timer(void *arg)
{
    struct loop_fixture *f = arg;
    f->timer = loop_timer_start(f->loop, 1, 0, quit, f);
}

static bool start_timer_once(void *arg)
{
    struct loop_fixture *f = arg;
    if (!f->timer && f->fired)
        set_quit_timer(f);
    return false;
}

static void what_a_hook_starts_is_not_slept_through(void **state)
{
    (void)state;
    struct loop_fixture f = {.loop = loop_new(), .fired = 1};
    loop_at_turn_end(f.loop, start_timer_once, &f);
    int64_t before_mono_ms = clock_mono_ms();
    loop_run(f.loop);
    assert_in_range(clock_mono_ms() - before_mono_ms, 0, 5000);
    loop_timer_stop(&f.timer);
    loop_free(&f.loop);
}

static void now_is_the_same_all_through_a_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int64_t wall_ms = loop_wall_ms(loop), mono_ms = loop_mono_ms(loop);
    usleep(20000);
    assert_int_equal(loop_wall_ms(loop), wall_ms);
    assert_int_equal(loop_mono_ms(loop), mono_ms);
    assert_in_range(clock_wall_ms() - wall_ms, 15, 5000);
    assert_in_range(clock_mono_ms() - mono_ms, 15, 5000);
    loop_free(&loop);
}

/* ---- signals: in a child, whose exit code tells ---- */

static void stop_and_stay(void *arg)
{
    struct loop_fixture *f = arg;
    f->fired++;
}

static void hup(void *arg)
{
    struct loop_fixture *f = arg;
    note(f, 5);
    (void)kill(getpid(), SIGINT);
}

static void give_up(void *arg)
{
    (void)arg;
    _exit(99);
}

/* 10 + the number of hups seen when one stop ended the loop. */
static void child_stops(struct loop_fixture *f)
{
    loop_on_signals(f->loop, quit, hup, f);
    (void)kill(getpid(), SIGPIPE);
    (void)kill(getpid(), SIGHUP);
    loop_run(f->loop);
    loop_timer_stop(&f->timer);
    loop_free(&f->loop);
    _exit(10 + f->order_n);
}

static void second_signal(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGTERM);
}

static void child_is_told_twice(struct loop_fixture *f)
{
    loop_on_signals(f->loop, stop_and_stay, NULL, f);
    (void)kill(getpid(), SIGHUP); /* ignored without a handler */
    (void)kill(getpid(), SIGTERM);
    (void)loop_timer_start(f->loop, 30, 0, second_signal, f);
    loop_run(f->loop);
    _exit(98);
}

static void get_stuck(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGTERM);
    (void)kill(getpid(), SIGINT);
    for (;;)
        pause();
}

static void child_is_stuck(struct loop_fixture *f)
{
    loop_on_signals(f->loop, stop_and_stay, NULL, f);
    (void)loop_timer_start(f->loop, 1, 0, get_stuck, f);
    loop_run(f->loop);
    _exit(98);
}

static int exit_code_of(void (*child)(struct loop_fixture *f))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct loop_fixture f = {.loop = loop_new()};
        f.timer = loop_timer_start(f.loop, 5000, 0, give_up, NULL);
        child(&f);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void hup_and_stop_are_told_from_the_loop(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(child_stops), 11);
}

static void a_second_stop_exits_with_1(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(child_is_told_twice), 1);
}

static void a_second_stop_exits_even_when_the_loop_is_stuck(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(child_is_stuck), 1);
}

struct greedy {
    struct loop *loop;
    struct loop_soon *soon;
    struct loop_timer *timer;
    int runs, turns;
};

static void ask_again(void *arg)
{
    struct greedy *g = arg;
    g->runs++;
    loop_soon_ask(g->soon);
    loop_soon_ask(g->soon);
}

static bool count_turn(void *arg)
{
    ((struct greedy *)arg)->turns++;
    return false;
}

static void end_greedy(void *arg)
{
    struct greedy *g = arg;
    loop_timer_stop(&g->timer);
    loop_soon_free(&g->soon);
    loop_quit(g->loop);
}

static void who_asks_for_the_next_turn_each_time_has_one_and_starves_nobody(void **state)
{
    struct greedy g = {.loop = loop_new()};
    (void)state;
    g.soon = loop_soon_new(g.loop, ask_again, &g);
    loop_at_turn_end(g.loop, count_turn, &g);
    g.timer = loop_timer_start(g.loop, 20, 0, end_greedy, &g);
    loop_soon_ask(g.soon);
    loop_run(g.loop);
    assert_true(g.runs > 1);
    assert_true(g.runs <= g.turns);
    loop_free(&g.loop);
}

static void again_at_once(void *arg)
{
    struct greedy *g = arg;
    g->runs++;
    loop_timer_stop(&g->timer);
    if (g->turns > 5)
        loop_quit(g->loop);
    else
        g->timer = loop_timer_start(g->loop, 0, 0, again_at_once, g);
}

static void a_timer_started_in_its_own_callback_waits_for_a_turn(void **state)
{
    struct greedy g = {.loop = loop_new()};
    (void)state;
    loop_at_turn_end(g.loop, count_turn, &g);
    g.timer = loop_timer_start(g.loop, 0, 0, again_at_once, &g);
    (void)alarm(10); /* it would never come back */
    loop_run(g.loop);
    (void)alarm(0);
    assert_true(g.runs <= g.turns + 1);
    loop_free(&g.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeating_timer_stops_from_within),
        cmocka_unit_test(a_single_timer_fires_once),
        cmocka_unit_test(hooks_run_in_order_after_every_callback_of_the_turn),
        cmocka_unit_test(hooks_run_again_while_one_made_work),
        cmocka_unit_test(a_hook_that_is_never_content_does_not_hang_the_loop),
        cmocka_unit_test(what_a_hook_starts_is_not_slept_through),
        cmocka_unit_test(now_is_the_same_all_through_a_turn),
        cmocka_unit_test(hup_and_stop_are_told_from_the_loop),
        cmocka_unit_test(a_second_stop_exits_with_1),
        cmocka_unit_test(a_second_stop_exits_even_when_the_loop_is_stuck),
        cmocka_unit_test(who_asks_for_the_next_turn_each_time_has_one_and_starves_nobody),
        cmocka_unit_test(a_timer_started_in_its_own_callback_waits_for_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
