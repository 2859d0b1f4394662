#include "workers/dispatch/hangup.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"

struct hangup {
    struct hangups *owner;
    struct channel *channel; /* a reference; NULL while it is free */
    struct buf id;
    int attempt;
};

struct hangups {
    struct dispatch *dispatch;
    struct hangup slots[HANGUP_MAX];
    unsigned out;
};

struct hangups *hangups_new(struct dispatch *dispatch)
{
    struct hangups *hangups = mem_calloc(1, sizeof(*hangups));
    hangups->dispatch = dispatch;
    for (size_t i = 0; i < HANGUP_MAX; i++) {
        hangups->slots[i].owner = hangups;
        buf_init(&hangups->slots[i].id, CALLS_MAX_REF + 1);
    }
    return hangups;
}

void hangups_free(struct hangups **hangups)
{
    for (size_t i = 0; i < HANGUP_MAX; i++) {
        if ((*hangups)->slots[i].channel != NULL)
            channel_unref(&(*hangups)->slots[i].channel);
        buf_done(&(*hangups)->slots[i].id);
    }
    free(*hangups);
    *hangups = NULL;
}

unsigned hangups_room(const struct hangups *hangups)
{
    return HANGUP_MAX - hangups->out;
}

static void hangup_end(struct hangup *hangup)
{
    hangup->owner->out--;
    hangup->owner->dispatch->busy--;
    channel_unref(&hangup->channel);
}

/* Whether the provider has read the request, whatever it says of it: a call that it does not know is over. Where a
 * redirect or a proxy answered, the provider has not. */
static bool has_answered(const struct http_reply *reply)
{
    int status = reply->status;
    return reply->outcome == HTTP_REPLY && (status < 300 || status >= 400) && status < 500 && status != 401 &&
           status != 403 && status != 407 && status != 408 && status != 429;
}

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct hangup *hangup = arg;
    bool answered = has_answered(reply);
    LOG_LIMITED(answered ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
                answered ? "a cancelled call is hung up" : "a cancelled call is not hung up yet",
                LOG_SPAN("call", buf_span(&hangup->id)), LOG_INT("attempt", hangup->attempt),
                LOG_STR("channel", hangup->channel->name), LOG_INT("http_status", reply->status),
                LOG_STR("error", reply->error));
    if (answered)
        control_hung_up(hangup->owner->dispatch->worker->store, buf_span(&hangup->id));
    hangup_end(hangup);
}

static struct hangup *free_slot(struct hangups *hangups)
{
    for (size_t i = 0; i < HANGUP_MAX; i++)
        if (hangups->slots[i].channel == NULL)
            return &hangups->slots[i];
    return NULL;
}

/* The call goes on to its end, which the channel's operators should know. */
static void cannot_be_asked(struct hangups *hangups, const struct control_hangup *item)
{
    LOG_LIMITED(LOG_LEVEL_WARN, "this channel's provider cannot hang up, a cancelled call goes on to its end",
                LOG_SPAN("call", item->id), LOG_SPAN("channel", item->channel));
    control_hung_up(hangups->dispatch->worker->store, item->id);
}

void hangup_start(struct hangups *hangups, const struct control_hangup *item)
{
    struct dispatch *d = hangups->dispatch;
    struct channel *channel = worker_channel(d->worker, item->channel, SPAN_NONE);
    struct hangup *hangup = free_slot(hangups);
    struct err err = ERR_INIT;
    if (channel == NULL || hangup == NULL)
        return;
    if (channel->provider->hang_up == NULL) {
        cannot_be_asked(hangups, item);
        return;
    }
    http_request_clear(&d->scratch);
    if (channel->provider->hang_up(channel, item->provider_call_id, &d->scratch, &err) != 0) {
        LOG_LIMITED(LOG_LEVEL_WARN, "a call cannot be hung up", LOG_SPAN("call", item->id), LOG_ERR(&err));
        return;
    }
    struct http_slot *slot = http_slot_take(d->http);
    if (slot == NULL)
        return;
    hangup->channel = channel_ref(channel);
    hangup->attempt = item->attempt;
    buf_clear(&hangup->id);
    buf_addspan(&hangup->id, item->id);
    hangups->out++;
    d->busy++;
    const struct http_limits limits = {.timeout_ms = channel->request_timeout_ms,
                                       .idle_timeout_ms = channel->idle_timeout_ms};
    http_send(d->http, &slot, &d->scratch, &limits, on_reply, hangup);
}
