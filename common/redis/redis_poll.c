#include "common/redis/redis_poll.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/redis/redis_reply.h"

struct redis_poll {
    uv_poll_t handle;
    redisAsyncContext *ac; /* NULL once hiredis freed it */
    struct redis_poll_events events;
    int want;    /* what the handle polls for */
    bool queued; /* bytes wait for the end of the turn */
    bool at_it;  /* hiredis is writing: asking for "write" now means that the socket is full */
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct redis_poll *poll = handle->data;

    /* An error (EPOLLERR) is found out by reading. */
    if (poll->ac != NULL && (status < 0 || (events & UV_READABLE) != 0))
        redisAsyncHandleRead(poll->ac);
    if (poll->ac != NULL && (events & UV_WRITABLE) != 0) {
        poll->at_it = true;
        redisAsyncHandleWrite(poll->ac);
        poll->at_it = false;
    }
    poll->events.turned(poll->events.arg);
}

static void poll_for(struct redis_poll *poll, int want)
{
    if (want == poll->want)
        return;
    poll->want = want;
    if (want == 0)
        uv_poll_stop(&poll->handle);
    else
        uv_poll_start(&poll->handle, want, on_poll);
}

static void add_read(void *arg)
{
    struct redis_poll *poll = arg;
    poll_for(poll, poll->want | UV_READABLE);
}

static void del_read(void *arg)
{
    struct redis_poll *poll = arg;
    poll_for(poll, poll->want & ~UV_READABLE);
}

static void add_write(void *arg)
{
    struct redis_poll *poll = arg;

    if (poll->at_it || (poll->ac->c.flags & REDIS_CONNECTED) == 0)
        poll_for(poll, poll->want | UV_WRITABLE);
    else
        poll->queued = true;
}

static void del_write(void *arg)
{
    struct redis_poll *poll = arg;

    poll->queued = false;
    poll_for(poll, poll->want & ~UV_WRITABLE);
}

static void free_poll(uv_handle_t *handle)
{
    free(handle->data);
}

/* hiredis is about to free the context; the socket is still open. */
static void cleanup(void *arg)
{
    struct redis_poll *poll = arg;
    redisAsyncContext *ac = poll->ac;

    if (ac == NULL)
        return;
    poll->ac = NULL;
    uv_close((uv_handle_t *)&poll->handle, free_poll);
    poll->events.gone(ac->c.err != 0 ? ac->c.errstr : "", poll->events.arg);
}

struct redis_poll *redis_poll_attach(redisAsyncContext *ac, uv_loop_t *loop,
                                     const struct redis_poll_events *events)
{
    struct redis_poll *poll = mem_calloc(1, sizeof(*poll));

    if (uv_poll_init(loop, &poll->handle, ac->c.fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->handle.data = poll;
    poll->ac = ac;
    poll->events = *events;
    ac->ev.data = poll;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    return poll;
}

void redis_poll_flush(struct redis_poll *poll)
{
    /* While the socket is full, on_poll goes on by itself. */
    if (!poll->queued || (poll->want & UV_WRITABLE) != 0)
        return;
    poll->queued = false;
    poll->at_it = true;
    redisAsyncHandleWrite(poll->ac);
    poll->at_it = false;
}
