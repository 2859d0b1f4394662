#include "workers/dispatch/turn.h"

#include <stddef.h>

#include "workers/calls/look.h"
#include "workers/dispatch/claiming.h"
#include "workers/dispatch/offer.h"
#include "workers/dispatch/opening.h"
#include "workers/dispatch/placing.h"
#include "workers/dispatch/queues.h"

static struct attempt *attempt_of(struct ticket *ticket)
{
    return (struct attempt *)(void *)((char *)ticket - offsetof(struct attempt, ticket));
}

/* ---- into the queue ---- */

void turn_queue(struct attempt *a)
{
    attempt_enter(a, ATTEMPT_QUEUEING);
    a->tries = 0;
    channel_queue_add(queues_of(a->dispatch, a->channel), &a->ticket);
}

void turn_begin(struct attempt *a)
{
    if (!opening_is_now(a))
        opening_wait(a);
    else if (queues_makes_wait(a->dispatch, a->channel, a->request.tenant))
        turn_queue(a);
    else
        claiming_begin(a);
}

/* Where Redis did not answer, the call is offered again after its lease, and has its ticket by then. */
static void on_deferred(enum store_status status, void *arg)
{
    (void)status;
    attempt_end(arg);
}

/* A call that may go elsewhere, and whose time to give up runs, is offered as often as if it had no ticket. */
static void on_queued(struct ticket *ticket)
{
    struct attempt *a = attempt_of(ticket);
    if (a->unreached > 0 || a->channel->fallback[0] != NULL)
        attempt_end(a);
    else
        calls_defer(a->dispatch->worker->store, attempt_id(a), TICKET_DEFER_MS, on_deferred, a);
}

/* ---- handed out ---- */

static void room(void *arg, struct channel_room *room)
{
    const struct dispatch *d = arg;
    *room =
        (struct channel_room){.stopped = d->draining || d->away || kafka_producer_full(d->worker->producer),
                              .free = d->due_free,
                              .most = d->attempts_n / 4};
}

static struct ticket *take(void *arg, struct span name, struct ticket_name ticket)
{
    struct dispatch *d = arg;
    struct channel *channel = channels_find(d->worker->channels, name);
    struct attempt *a = channel != NULL ? attempt_take(d, true) : NULL;
    if (a == NULL)
        return NULL;
    a->channel = channel_ref(channel);
    buf_addspan(&a->ticket.id, ticket.id);
    a->ticket.claim_no = ticket.claim_no;
    return &a->ticket;
}

static void take_on(struct attempt *a, const struct calls_due *offer)
{
    struct dispatch *d = a->dispatch;
    struct ticket *ticket = &a->ticket;
    if (!offer_read(a, offer)) {
        attempt_end(a);
    } else if (d->draining || d->away) {
        channel_queue_end_back(ticket);
        attempt_end(a);
    } else if (ticket->queue != queues_of(d, a->channel) || !opening_is_now(a)) {
        channel_queue_end_dropped(ticket);
        turn_begin(a); /* elsewhere, or put off */
    } else {
        attempt_enter(a, ATTEMPT_READY);
        channel_queue_ready(ticket);
    }
}

static void on_call(enum store_status status, const struct calls_look_result *call, void *arg)
{
    struct attempt *a = arg;
    bool answered = (status == STORE_OK && call->what != LOOK_NOTHING) || status == STORE_UNREADABLE;
    bool ready = status == STORE_OK && call->what == LOOK_READY;
    channel_queue_seen(&a->ticket, ready);
    if (ready) {
        take_on(a, &call->offer);
        return;
    }
    if (!answered)
        channel_queue_end_unknown(&a->ticket);
    else if (status == STORE_OK && call->what == LOOK_LIVE)
        channel_queue_end_claimed(&a->ticket, call->line_ms);
    attempt_end(a); /* which drops the ticket otherwise */
}

static void look(struct ticket *ticket)
{
    struct attempt *a = attempt_of(ticket);
    const struct calls_look question = {.id = attempt_id(a),
                                        .claim_no = ticket->claim_no,
                                        .channel = span_str(a->channel->name),
                                        .lease_ms = ATTEMPT_LEASE_MS};
    attempt_enter(a, ATTEMPT_LOOKING);
    calls_look(a->dispatch->worker->store, &question, on_call, a);
}

/* ---- its send time ---- */

static void go(struct ticket *ticket)
{
    struct attempt *a = attempt_of(ticket);
    if (attempt_is_claimed(a)) {
        claiming_go_on(a);
    } else if (channel_queue_in_hand(ticket)) {
        claiming_begin(a);
    } else {
        channel_queue_end_unknown(ticket);
        attempt_end(a);
    }
}

static void no_send_time(struct ticket *ticket)
{
    struct attempt *a = attempt_of(ticket);
    if (attempt_is_claimed(a)) {
        placing_give_back(a, 0);
        return;
    }
    channel_queue_end_back(ticket);
    attempt_end(a);
}

const struct channel_queue_events TURN_EVENTS = {
    .room = room,
    .take = take,
    .look = look,
    .queued = on_queued,
    .go = go,
    .no_send_time = no_send_time,
};
