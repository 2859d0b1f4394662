#include "tests/simulator/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

/* The due time stands beside the pointer, so that sifting reads the heap and not the calls, which lie all
 * over the memory; four children a node make it half as deep, in as many cache lines. */
struct slot {
    int64_t due_us;
    struct sim_timer *timer;
};

enum { CHILDREN = 4 };

struct sim_timers {
    struct slot *heap; /* children of i: 4i + 1 to 4i + 4 */
    size_t n, cap;
    int64_t armed_us; /* when the descriptor fires; 0: not armed */
    int fd;
    uv_poll_t poll;
    bool closed;
};

/* A timer's `place` counts from 1, so that 0 is idle. */
static void put(struct sim_timers *timers, struct slot slot, size_t at)
{
    timers->heap[at] = slot;
    slot.timer->place = at + 1;
}

static void sift_up(struct sim_timers *timers, struct slot slot, size_t at)
{
    for (; at > 0 && timers->heap[(at - 1) / CHILDREN].due_us > slot.due_us; at = (at - 1) / CHILDREN)
        put(timers, timers->heap[(at - 1) / CHILDREN], at);
    put(timers, slot, at);
}

static size_t least_child(const struct sim_timers *timers, size_t at)
{
    size_t first = at * CHILDREN + 1, least = first;
    for (size_t i = first + 1; i < first + CHILDREN && i < timers->n; i++) {
        if (timers->heap[i].due_us < timers->heap[least].due_us)
            least = i;
    }
    return least;
}

static void sift_down(struct sim_timers *timers, struct slot slot, size_t at)
{
    while (at * CHILDREN + 1 < timers->n) {
        size_t child = least_child(timers, at);
        if (timers->heap[child].due_us >= slot.due_us)
            break;
        put(timers, timers->heap[child], at);
        at = child;
    }
    put(timers, slot, at);
}

void sim_timer_stop(struct sim_timers *timers, struct sim_timer *timer)
{
    if (timer->place == 0)
        return;
    size_t at = timer->place - 1;
    assert(timers->heap[at].timer == timer);
    struct slot last = timers->heap[--timers->n];
    timer->place = 0;
    if (last.timer == timer)
        return;
    if (at > 0 && timers->heap[(at - 1) / CHILDREN].due_us > last.due_us)
        sift_up(timers, last, at);
    else
        sift_down(timers, last, at);
}

void sim_timer_set(struct sim_timers *timers, struct sim_timer *timer, int64_t due_us,
                   void (*fn)(struct sim_timer *timer))
{
    sim_timer_stop(timers, timer);
    if (timers->n == timers->cap) {
        timers->cap = timers->cap ? timers->cap * 2 : 1024;
        timers->heap = mem_realloc(timers->heap, timers->cap * sizeof timers->heap[0]);
    }
    timer->fn = fn;
    timers->n++;
    sift_up(timers, (struct slot){due_us, timer}, timers->n - 1);
}

/* What is due, as of one look at the clock. */
static void run_due(struct sim_timers *timers)
{
    int64_t now_us = clock_mono_us();
    while (timers->n && timers->heap[0].due_us <= now_us) {
        struct sim_timer *timer = timers->heap[0].timer;
        sim_timer_stop(timers, timer);
        timer->fn(timer);
    }
}

static void on_fd(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct sim_timers *timers = poll->data;
    uint64_t expirations;
    ssize_t got = read(timers->fd, &expirations, sizeof expirations);
    (void)got; /* nothing to read only means that it was armed anew meanwhile */
    timers->armed_us = 0;
    run_due(timers);
}

/* At the end of a turn the descriptor follows the earliest timer. */
static bool arm(void *arg)
{
    struct sim_timers *timers = arg;
    if (timers->closed || timers->n == 0 || (timers->armed_us && timers->armed_us <= timers->heap[0].due_us))
        return false;
    int64_t due_us = timers->heap[0].due_us > 1 ? timers->heap[0].due_us : 1;
    struct itimerspec at = {.it_value = {due_us / 1000000, due_us % 1000000 * 1000}};
    int rc = timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &at, NULL);
    assert(rc == 0);
    timers->armed_us = due_us;
    return false;
}

int sim_timers_new(struct sim_timers **timers, struct loop *loop, struct err *err)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "no timer descriptor: %s", strerror(errno));
    struct sim_timers *made = mem_calloc(1, sizeof *made);
    made->fd = fd;
    made->poll.data = made;
    int rc = uv_poll_init(loop_uv(loop), &made->poll, fd);
    if (rc == 0)
        rc = uv_poll_start(&made->poll, UV_READABLE, on_fd);
    if (rc) {
        close(fd);
        free(made);
        return err_set(err, ERR_SYSTEM, "the loop refuses the timer descriptor: %s", uv_strerror(rc));
    }
    loop_at_turn_end(loop, arm, made);
    *timers = made;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct sim_timers *timers = handle->data;
    close(timers->fd);
    free(timers->heap);
    free(timers);
}

void sim_timers_free(struct sim_timers **timers)
{
    if (!*timers)
        return;
    (*timers)->closed = true;
    uv_close((uv_handle_t *)&(*timers)->poll, on_closed);
    *timers = NULL;
}
