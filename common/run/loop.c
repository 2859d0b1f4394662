#include "common/run/loop.h"

#include <assert.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/mem.h"
#include "common/run/log.h"

/* Producers, Redis, Kafka and a few more: a table, so that the order of registration is the order of
 * calling. */
enum { LOOP_MAX_HOOKS = 16, LOOP_MAX_ROUNDS = 100 };

struct loop_hook {
    loop_hook_fn fn;
    void *arg;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t turn_end;
    uv_async_t woken; /* by the signal handler */
    struct loop_hook hooks[LOOP_MAX_HOOKS];
    int hooks_n;
    bool quit;
    loop_fn stop; /* NULL once it was called */
    loop_fn hup;
    void *signal_arg;
    int64_t wall_ms; /* read when uv_now() was wall_read_at */
    uint64_t wall_read_at;
};

struct loop_timer {
    uv_timer_t uv;
    loop_fn fn;
    void *arg;
};

/* A signal handler has no argument: what it touches is here. One loop a process, as the header says. */
static volatile sig_atomic_t stops_seen;
static volatile sig_atomic_t hups_seen;
static uv_async_t *signal_wakes;

static void run_hooks(struct loop *loop)
{
    for (int round = 0; round < LOOP_MAX_ROUNDS; round++) {
        bool more = false;
        for (int i = 0; i < loop->hooks_n; i++)
            more |= loop->hooks[i].fn(loop->hooks[i].arg);
        if (!more)
            return;
    }
}

/*
 * libuv calls prepare handles after the timers, the I/O callbacks and the close callbacks of the turn before,
 * and right before it computes how long to block: the one place where a turn is over and what the hooks start
 * is still seen.
 */
static void on_prepare(uv_prepare_t *handle)
{
    run_hooks(handle->data);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_calloc(1, sizeof(*loop));
    descriptors_raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = uv_loop_init(&loop->uv);
    assert(rc == 0);
    rc = uv_prepare_init(&loop->uv, &loop->turn_end);
    assert(rc == 0);
    loop->turn_end.data = loop;
    rc = uv_prepare_start(&loop->turn_end, on_prepare);
    assert(rc == 0);
    return loop;
}

static void check_closing(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (uv_is_closing(handle))
        return;
    LOG_ERROR("a handle was left open on the loop", LOG_STR("type", uv_handle_type_name(handle->type)));
    assert(!"every handle is closed before the loop");
}

void loop_free(struct loop **loop_at)
{
    struct loop *loop = *loop_at;
    if (!loop)
        return;
    *loop_at = NULL;
    if (loop->woken.data) {
        signal_wakes = NULL;
        uv_close((uv_handle_t *)&loop->woken, NULL);
    }
    uv_close((uv_handle_t *)&loop->turn_end, NULL);
    uv_walk(&loop->uv, check_closing, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* the close callbacks */
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_at_turn_end(struct loop *loop, loop_hook_fn fn, void *arg)
{
    assert(loop->hooks_n < LOOP_MAX_HOOKS);
    loop->hooks[loop->hooks_n++] = (struct loop_hook){fn, arg};
}

/* Async-signal-safe: uv_async_send is documented so. The second stop ends the process even when the loop is
 * stuck. */
static void on_signal(int signum)
{
    if (signum == SIGHUP) {
        hups_seen = 1;
    } else if (stops_seen) {
        _exit(1);
    } else {
        stops_seen = 1;
    }
    if (signal_wakes)
        (void)uv_async_send(signal_wakes);
}

static void on_woken(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    if (hups_seen) {
        hups_seen = 0;
        if (loop->hup)
            loop->hup(loop->signal_arg);
    }
    if (stops_seen && loop->stop) {
        loop_fn stop = loop->stop;
        loop->stop = NULL;
        stop(loop->signal_arg);
    }
}

static void catch_signal(int signum)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigfillset(&action.sa_mask);
    int rc = sigaction(signum, &action, NULL);
    assert(rc == 0);
}

void loop_on_signals(struct loop *loop, loop_fn stop, loop_fn hup, void *arg)
{
    assert(!loop->woken.data && !signal_wakes);
    loop->stop = stop;
    loop->hup = hup;
    loop->signal_arg = arg;
    int rc = uv_async_init(&loop->uv, &loop->woken, on_woken);
    assert(rc == 0);
    loop->woken.data = loop;
    stops_seen = 0;
    hups_seen = 0;
    signal_wakes = &loop->woken;
    catch_signal(SIGTERM);
    catch_signal(SIGINT);
    catch_signal(SIGHUP);
}

void loop_run(struct loop *loop)
{
    while (!loop->quit)
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->quit = false;
    run_hooks(loop); /* libuv leaves without another prepare; what the last turn collected is not lost */
}

void loop_quit(struct loop *loop)
{
    loop->quit = true;
    uv_stop(&loop->uv);
}

int64_t loop_mono_ms(const struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

int64_t loop_wall_ms(struct loop *loop)
{
    uint64_t now = uv_now(&loop->uv);
    if (loop->wall_read_at != now || loop->wall_ms == 0) {
        loop->wall_read_at = now;
        loop->wall_ms = clock_wall_ms();
    }
    return loop->wall_ms;
}

static void on_timer(uv_timer_t *handle)
{
    struct loop_timer *timer = handle->data;
    timer->fn(timer->arg);
}

/* A callback that starts the next timer would else be the only one that runs. */
static uint64_t not_at_once(int64_t ms)
{
    return ms < 1 ? 1 : (uint64_t)ms;
}

struct loop_timer *loop_timer_start(struct loop *loop, int64_t first_ms, int64_t every_ms, loop_fn fn,
                                    void *arg)
{
    struct loop_timer *timer = mem_calloc(1, sizeof(*timer));
    timer->fn = fn;
    timer->arg = arg;
    timer->uv.data = timer;
    int rc = uv_timer_init(&loop->uv, &timer->uv);
    assert(rc == 0);
    rc = uv_timer_start(&timer->uv, on_timer, not_at_once(first_ms), every_ms < 0 ? 0 : (uint64_t)every_ms);
    assert(rc == 0);
    return timer;
}

static void free_timer(uv_handle_t *handle)
{
    free(handle->data);
}

void loop_timer_stop(struct loop_timer **timer_at)
{
    struct loop_timer *timer = *timer_at;
    if (!timer)
        return;
    *timer_at = NULL;
    uv_close((uv_handle_t *)&timer->uv, free_timer);
}

/* ---- the next turn ---- */

struct loop_soon {
    uv_idle_t uv; /* runs once a turn and keeps the turn from blocking, while it is active */
    loop_fn fn;
    void *arg;
};

struct loop_soon *loop_soon_new(struct loop *loop, loop_fn fn, void *arg)
{
    struct loop_soon *soon = mem_calloc(1, sizeof(*soon));
    soon->fn = fn;
    soon->arg = arg;
    soon->uv.data = soon;
    int rc = uv_idle_init(&loop->uv, &soon->uv);
    assert(rc == 0);
    return soon;
}

static void on_idle(uv_idle_t *handle)
{
    struct loop_soon *soon = handle->data;
    (void)uv_idle_stop(handle);
    soon->fn(soon->arg);
}

void loop_soon_ask(struct loop_soon *soon)
{
    (void)uv_idle_start(&soon->uv, on_idle);
}

void loop_soon_cancel(struct loop_soon *soon)
{
    (void)uv_idle_stop(&soon->uv);
}

static void free_soon(uv_handle_t *handle)
{
    free(handle->data);
}

void loop_soon_free(struct loop_soon **soon_at)
{
    struct loop_soon *soon = *soon_at;
    if (!soon)
        return;
    *soon_at = NULL;
    uv_close((uv_handle_t *)&soon->uv, free_soon);
}
