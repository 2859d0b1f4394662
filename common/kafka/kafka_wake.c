#include "common/kafka/kafka_wake.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"

struct kafka_wake {
    uv_poll_t handle;
    int fd;
    rd_kafka_queue_t *queue;
    loop_fn fn;
    void *arg;
};

static const uint64_t one = 1;

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct kafka_wake *wake = handle->data;
    uint64_t count;
    (void)status;
    (void)events;

    if (read(wake->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    wake->fn(wake->arg);
}

int kafka_wake_new(struct kafka_wake **pointer, struct loop *loop, rd_kafka_queue_t *queue, loop_fn fn,
                   void *arg, struct err *err)
{
    struct kafka_wake *wake = mem_calloc(1, sizeof(*wake));

    *pointer = NULL;
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd < 0 || uv_poll_init(loop_uv(loop), &wake->handle, wake->fd) != 0) {
        err_set(err, ERR_SYSTEM, "no file descriptor for Kafka's events: %s", strerror(errno));
        if (wake->fd >= 0)
            close(wake->fd);
        free(wake);
        return ERR_SYSTEM;
    }
    wake->handle.data = wake;
    wake->queue = queue;
    wake->fn = fn;
    wake->arg = arg;
    uv_poll_start(&wake->handle, UV_READABLE, on_poll);
    rd_kafka_queue_io_event_enable(queue, wake->fd, &one, sizeof(one));
    kafka_wake_again(wake); /* what is in the queue already */
    *pointer = wake;
    return 0;
}

void kafka_wake_again(struct kafka_wake *wake)
{
    /* It fails only when the counter is full, and then it is readable anyway. */
    ssize_t n = write(wake->fd, &one, sizeof(one));
    (void)n;
}

static void free_wake(uv_handle_t *handle)
{
    free(handle->data);
}

void kafka_wake_free(struct kafka_wake **pointer)
{
    struct kafka_wake *wake = *pointer;

    if (wake == NULL)
        return;
    rd_kafka_queue_io_event_enable(wake->queue, -1, NULL, 0);
    uv_close((uv_handle_t *)&wake->handle, free_wake);
    close(wake->fd);
    *pointer = NULL;
}
