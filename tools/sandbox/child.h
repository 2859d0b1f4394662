/*
 * Child processes on the loop. Each has a log file (its stderr) in the sandbox's directory, a session of its
 * own (so that Ctrl-C reaches the sandbox alone, which ends them in order), and is killed by the kernel
 * should the sandbox itself be killed.
 *
 *   child_start ──► running ──► ended (by itself: `on_end` of the children is told) ──► children_free
 *                      └── child_stop: SIGTERM; expected from then on
 */
#ifndef IVR_SANDBOX_CHILD_H
#define IVR_SANDBOX_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/loop.h"

enum { CHILD_MAX_ARGS = 32 };

enum child_stdout {
    CHILD_STDOUT_LOG,     /* together with stderr */
    CHILD_STDOUT_FILE,    /* NAME.out beside the log */
    CHILD_STDOUT_ROWS,    /* `on_row` gets each */
    CHILD_STDOUT_INHERIT, /* the sandbox's own; stderr too */
};

struct child;

struct child_spec {
    const char *name;                 /* static; names the log */
    const char *args[CHILD_MAX_ARGS]; /* args[0]: the program's path; ends with NULL */
    char *const *env;
    enum child_stdout out;
    bool ends;                                  /* it is expected to end by itself */
    void (*on_row)(struct span row, void *arg); /* without its end; borrowed */
    void *arg;
};

struct child {
    struct child *next;
    const char *name;
    char log_path[256], out_path[256];
    bool running;
    bool expected_end;
    int64_t exit_status;
    int term_signal;
    /* private */
    struct children *owner;
    uv_process_t process;
    uv_pipe_t pipe;
    bool piped;
    struct buf row;
    void (*on_row)(struct span row, void *arg);
    void *arg;
};

struct children {
    struct loop *loop;
    const char *directory;
    void (*on_end)(struct child *child, void *arg); /* one ended that was not expected to, or failed */
    void *arg;
    struct child *first; /* the newest */
};

/* The child belongs to `children`; NULL with `err` set. */
struct child *child_start(struct children *children, const struct child_spec *spec, struct err *err);
void child_stop(struct child *child, int signum);
bool children_running(const struct children *children);
/* True when all rows of its stdout have been seen. */
bool child_read_out(const struct child *child);
/* How it ended: "exit code 2", "killed by SIGKILL". */
void child_add_end(struct buf *b, const struct child *child);
/* The last `rows` rows of its log, each with an indent. */
void child_add_log_end(struct buf *b, const struct child *child, int rows);
/* None may be running. */
void children_free(struct children *children);

#endif
