/*
 * The one event loop of a worker (libuv), and what everything on it shares: "now", signals, and work at the
 * end of a turn.
 *
 * One thread, no locks: no thread of ours shares data with another (librdkafka keeps threads of its own
 * behind a queue). The parts batch: during a turn they collect (Redis commands, Kafka acks, script records),
 * and flush in a hook that runs once after all callbacks of that turn. So pipelining falls out of load
 * instead of timers.
 */
#ifndef IVR_COMMON_LOOP_H
#define IVR_COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop; /* opaque; one a process */

/* Called once at the end of every turn in which the loop woke up, in the order of registration, until no hook
 * returns true ("I did something that may have made work for the others"), at most 100 rounds a turn. */
typedef bool (*loop_hook_fn)(void *arg);
typedef void (*loop_fn)(void *arg);

/* Also ignores SIGPIPE for the process and raises its limit of open files as far as it may. */
struct loop *loop_new(void);
/* Runs the close callbacks that are still due (asserts that every handle of others is closed or closing) and
 * frees. */
void loop_free(struct loop **loop);

uv_loop_t *loop_uv(struct loop *loop);

/* Hooks live as long as the loop; register at start. Order matters: producers of work first, the Redis flush
 * last. */
void loop_at_turn_end(struct loop *loop, loop_hook_fn fn, void *arg);

/* SIGTERM and SIGINT call `stop` from the loop (once; a second one exits the process with code 1 at once,
 * even when the loop is stuck), SIGHUP calls `hup` (may be NULL: ignored). Call it at most once. */
void loop_on_signals(struct loop *loop, loop_fn stop, loop_fn hup, void *arg);

/* Runs until loop_quit(), which may be called from any callback; the turn is finished, its hooks included. */
void loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

/* The monotonic (same start as clock_mono_ms) and wall time, read once a turn. */
int64_t loop_mono_ms(const struct loop *loop);
int64_t loop_wall_ms(struct loop *loop);

/* A repeating timer: the first call after `first_ms` (at least 1 ms, see loop_soon below), then every
 * `every_ms` (0: once). Freed by loop_timer_stop, which may be called from within `fn`; sets the pointer
 * NULL. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *loop, int64_t first_ms, int64_t every_ms, loop_fn fn,
                                    void *arg);
void loop_timer_stop(struct loop_timer **timer);

/*
 * Work for the next turn: `fn` once, however often it was asked for, and after everything that was ready in
 * this turn, also when `fn` itself asks again. Not a timer of 0 ms: one that is armed again in its own
 * callback runs for ever in libuv before 1.45, and nothing else of the process does.
 */
struct loop_soon;
struct loop_soon *loop_soon_new(struct loop *loop, loop_fn fn, void *arg);
void loop_soon_ask(struct loop_soon *soon);
void loop_soon_cancel(struct loop_soon *soon);
/* Sets the pointer NULL; from within `fn` too. */
void loop_soon_free(struct loop_soon **soon);

#endif
