#include "tools/sandbox/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { ROW_MAX_BYTES = 1024 * 1024, LOG_END_BYTES = 8192, ARGV_MAX = CHILD_MAX_ARGS + 4 };

#define SETPRIV "/usr/bin/setpriv"

/* ---- its output ---- */

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    (void)handle;
    *room = uv_buf_init(mem_alloc(wanted), (unsigned)wanted);
}

static void take_rows(struct child *child, const char *bytes, size_t n)
{
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t part = end != NULL ? (size_t)(end - bytes) : n;
        buf_add(&child->row, bytes, part);
        if (end == NULL)
            return;
        if (buf_ok(&child->row))
            child->on_row(buf_span(&child->row), child->arg);
        buf_clear(&child->row);
        bytes += part + 1;
        n -= part + 1;
    }
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    child->piped = false;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct child *child = stream->data;
    if (n > 0)
        take_rows(child, bytes->base, (size_t)n);
    free(bytes->base);
    if (n < 0 && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_pipe_closed);
}

/* ---- its end ---- */

static void on_child_exit(uv_process_t *process, int64_t exit_status, int term_signal)
{
    struct child *child = process->data;
    child->running = false;
    child->exit_status = exit_status;
    child->term_signal = term_signal;
    uv_close((uv_handle_t *)process, NULL);
    bool fine = child->expected_end && (exit_status == 0 || term_signal != 0);
    if (!fine && child->owner->on_end != NULL)
        child->owner->on_end(child, child->owner->arg);
}

void child_stop(struct child *child, int signum)
{
    child->expected_end = true;
    if (child->running)
        uv_process_kill(&child->process, signum);
}

/* ---- its start ---- */

static int open_file(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        err_set(err, ERR_SYSTEM, "%s cannot be written", path);
    return fd;
}

/* setpriv sets the signal that the kernel sends when we die, and becomes the program: same pid. */
static void build_argv(char **argv, const struct child_spec *spec)
{
    static const char *const wrapper[] = {SETPRIV, "--pdeathsig", "KILL"};
    size_t n = 0;
    if (access(SETPRIV, X_OK) == 0) {
        for (size_t i = 0; i < 3; i++)
            argv[n++] = (char *)(uintptr_t)wrapper[i];
    }
    for (size_t i = 0; spec->args[i] != NULL && n < ARGV_MAX - 1; i++)
        argv[n++] = (char *)(uintptr_t)spec->args[i];
    argv[n] = NULL;
}

static void set_stdout(struct child *child, const struct child_spec *spec, uv_stdio_container_t *stdio,
                       int log_fd, int out_fd)
{
    stdio[0].flags = UV_IGNORE;
    stdio[1].flags = UV_INHERIT_FD;
    stdio[1].data.fd = out_fd >= 0 ? out_fd : log_fd;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = log_fd;
    if (spec->out == CHILD_STDOUT_INHERIT) {
        stdio[1].data.fd = STDOUT_FILENO;
        stdio[2].data.fd = STDERR_FILENO;
    }
    if (spec->out != CHILD_STDOUT_ROWS)
        return;
    uv_pipe_init(loop_uv(child->owner->loop), &child->pipe, 0);
    child->pipe.data = child;
    child->piped = true;
    stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[1].data.stream = (uv_stream_t *)&child->pipe;
}

static int spawn(struct child *child, const struct child_spec *spec, int log_fd, int out_fd, struct err *err)
{
    char *argv[ARGV_MAX];
    uv_stdio_container_t stdio[3];
    build_argv(argv, spec);
    set_stdout(child, spec, stdio, log_fd, out_fd);
    const uv_process_options_t options = {
        .exit_cb = on_child_exit,
        .file = argv[0],
        .args = argv,
        .env = (char **)(uintptr_t)spec->env,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    child->process.data = child;
    int rc = uv_spawn(loop_uv(child->owner->loop), &child->process, &options);
    if (rc != 0) {
        uv_close((uv_handle_t *)&child->process, NULL);
        if (child->piped)
            uv_close((uv_handle_t *)&child->pipe, on_pipe_closed);
        return err_set(err, ERR_SYSTEM, "%s (%s) cannot be started: %s", spec->name, spec->args[0],
                       uv_strerror(rc));
    }
    child->running = true;
    if (child->piped)
        uv_read_start((uv_stream_t *)&child->pipe, on_room, on_read);
    return 0;
}

struct child *child_start(struct children *children, const struct child_spec *spec, struct err *err)
{
    struct child *child = mem_calloc(1, sizeof(*child));
    child->name = spec->name;
    child->owner = children;
    child->expected_end = spec->ends;
    child->on_row = spec->on_row;
    child->arg = spec->arg;
    buf_init(&child->row, ROW_MAX_BYTES);
    snprintf(child->log_path, sizeof(child->log_path), "%s/%s.log", children->directory, spec->name);
    snprintf(child->out_path, sizeof(child->out_path), "%s/%s.out", children->directory, spec->name);
    child->next = children->first;
    children->first = child;
    int log_fd = open_file(child->log_path, err), out_fd = -1;
    if (spec->out == CHILD_STDOUT_FILE)
        out_fd = open_file(child->out_path, err);
    bool open = log_fd >= 0 && (out_fd >= 0 || spec->out != CHILD_STDOUT_FILE);
    int rc = open ? spawn(child, spec, log_fd, out_fd, err) : ERR_SYSTEM;
    if (log_fd >= 0)
        close(log_fd);
    if (out_fd >= 0)
        close(out_fd);
    return rc == 0 ? child : NULL;
}

/* ---- about it ---- */

bool children_running(const struct children *children)
{
    for (const struct child *child = children->first; child != NULL; child = child->next) {
        if (child->running || child->piped)
            return true;
    }
    return false;
}

bool child_read_out(const struct child *child)
{
    return !child->running && !child->piped;
}

void child_add_end(struct buf *b, const struct child *child)
{
    if (child->term_signal != 0)
        buf_addf(b, "killed by SIG%s", sigabbrev_np(child->term_signal));
    else
        buf_addf(b, "exit code %lld", (long long)child->exit_status);
}

void child_add_log_end(struct buf *b, const struct child *child, int rows)
{
    static char text[LOG_END_BYTES];
    int fd = open(child->log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > LOG_END_BYTES ? size - LOG_END_BYTES : 0;
    ssize_t n = pread(fd, text, sizeof(text), from);
    close(fd);
    if (n <= 0)
        return;
    size_t start = (size_t)n;
    for (int seen = 0; start > 0; start--) {
        if (text[start - 1] == '\n' && start < (size_t)n && ++seen == rows)
            break;
    }
    for (size_t i = start; i < (size_t)n; i++) {
        if (i == start || text[i - 1] == '\n')
            buf_adds(b, "    ");
        buf_addc(b, text[i]);
    }
}

void children_free(struct children *children)
{
    struct child *next;
    for (struct child *child = children->first; child != NULL; child = next) {
        next = child->next;
        buf_done(&child->row);
        free(child);
    }
    children->first = NULL;
}
