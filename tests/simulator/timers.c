#include "tests/simulator/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

struct sim_timers {
    struct sim_timer **heap; /* from 1; heap[0] is unused */
    size_t n, cap;
    int64_t armed_us; /* when the descriptor fires; 0: not armed */
    int fd;
    uv_poll_t poll;
    bool closed;
};

static void put(struct sim_timers *timers, struct sim_timer *timer, size_t place)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct sim_timers *timers, struct sim_timer *timer, size_t place)
{
    for (; place > 1 && timers->heap[place / 2]->due_us > timer->due_us; place /= 2)
        put(timers, timers->heap[place / 2], place);
    put(timers, timer, place);
}

static void sift_down(struct sim_timers *timers, struct sim_timer *timer, size_t place)
{
    for (;;) {
        size_t child = place * 2;
        if (child > timers->n)
            break;
        if (child < timers->n && timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
            child++;
        if (timers->heap[child]->due_us >= timer->due_us)
            break;
        put(timers, timers->heap[child], place);
        place = child;
    }
    put(timers, timer, place);
}

/* Puts a timer whose due time changed, or a stranger at this place, where it belongs. */
static void settle(struct sim_timers *timers, struct sim_timer *timer, size_t place)
{
    if (place > 1 && timers->heap[place / 2]->due_us > timer->due_us)
        sift_up(timers, timer, place);
    else
        sift_down(timers, timer, place);
}

void sim_timer_stop(struct sim_timers *timers, struct sim_timer *timer)
{
    size_t place = timer->place;
    if (place == 0)
        return;
    assert(timers->heap[place] == timer);
    struct sim_timer *last = timers->heap[timers->n--];
    timer->place = 0;
    if (last != timer)
        settle(timers, last, place);
}

void sim_timer_set(struct sim_timers *timers, struct sim_timer *timer, int64_t due_us,
                   void (*fn)(struct sim_timer *timer))
{
    sim_timer_stop(timers, timer);
    if (timers->n + 2 > timers->cap) {
        timers->cap = timers->cap ? timers->cap * 2 : 1024;
        timers->heap = mem_realloc(timers->heap, timers->cap * sizeof timers->heap[0]);
    }
    timer->due_us = due_us;
    timer->fn = fn;
    sift_up(timers, timer, ++timers->n);
}

/* What is due, as of one look at the clock. */
static void run_due(struct sim_timers *timers)
{
    int64_t now_us = clock_mono_us();
    while (timers->n && timers->heap[1]->due_us <= now_us) {
        struct sim_timer *timer = timers->heap[1];
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
    if (timers->closed || timers->n == 0 || (timers->armed_us && timers->armed_us <= timers->heap[1]->due_us))
        return false;
    int64_t due_us = timers->heap[1]->due_us > 1 ? timers->heap[1]->due_us : 1;
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
