#include "workers/channel/channel_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum {
    ANSWER_MS = 5,         /* an answer took no longer, as far as its send times are concerned */
    IN_HAND_MS = 4000,     /* without a send time for so long a ticket goes back: others may have one */
    CLAIMED_MS = 1000,     /* a claim waits so long for another send time */
    LEASE_SLACK_MS = 2000, /* before a ticket's lease is over nothing of it may be on its way */
    TRIAL_SLACK_MS = 5000, /* beyond what each step of a trial may take */
};

struct channel_queue {
    struct channel_queue_shared *shared;
    char *name;
    bool in_file;
    struct channel_limits limits; /* also of a channel that is gone from the file, but for rate and lines */
    struct channel_standing standing;
    /* as the last answer said */
    int64_t queued, lines;
    int64_t send_time_from_mono_ms; /* when a send time may be had */
    bool more;                      /* there were as many tickets as were asked for */
    /* in hand */
    struct fifo ready; /* they wait for a send time */
    size_t looking;    /* their calls are being looked at */
    size_t useless;    /* of the last tickets, those whose calls may not be dialled */
    /* the request */
    struct channel_updates next; /* for the next request */
    struct channel_updates sent; /* those of the request that is out, or was not answered */
    bool out;                    /* a request is out */
    bool urgent;                 /* one is to be sent at the turn's end */
    bool known;                  /* Redis knows that this process is there */
    struct channel_plan asked;   /* what the request asked for */
    int64_t asked_mono_ms;       /* when */
    char asked_fingerprint[CHANNEL_FINGERPRINT_LEN + 1];
    unsigned unanswered; /* requests in a row; 0: `sent` is done with */
    struct loop_timer *timer;
    int64_t timer_mono_ms;
};

static int64_t mono_ms(const struct channel_queue *queue)
{
    return loop_mono_ms(queue->shared->loop);
}

static void room_of(const struct channel_queue *queue, struct channel_room *room)
{
    const struct channel_queue_shared *shared = queue->shared;
    shared->events->room(shared->arg, room);
    room->free = room->free > shared->promised ? room->free - shared->promised : 0;
    room->stopped = room->stopped || shared->stopped || !queue->in_file;
}

static bool is_open(const struct channel_queue *queue)
{
    return queue->standing.state == CHANNEL_OPEN;
}

/* ---- what is asked for next, and when ---- */

static struct channel_plan plan_of(const struct channel_queue *queue)
{
    struct channel_load load = {.open = is_open(queue),
                                .has_rate = queue->limits.calls_per_second > 0,
                                .queued = queue->queued,
                                .more = queue->more,
                                .send_time_from_mono_ms = queue->send_time_from_mono_ms,
                                .ready = queue->ready.n,
                                .looking = queue->looking,
                                .useless = queue->useless,
                                .updates = !channel_updates_is_empty(&queue->next),
                                .unanswered = queue->unanswered};
    room_of(queue, &load.room);
    return channel_plan(&load, mono_ms(queue));
}

static void on_time(void *arg);

static void plan(struct channel_queue *queue)
{
    if (queue->out)
        return; /* its answer plans the next */
    int64_t at_mono_ms = plan_of(queue).at_mono_ms, wait_ms = at_mono_ms - mono_ms(queue);
    if (queue->timer != NULL && queue->timer_mono_ms <= at_mono_ms)
        return;
    if (queue->timer != NULL)
        loop_timer_stop(&queue->timer);
    queue->timer_mono_ms = at_mono_ms;
    queue->timer = loop_timer_start(queue->shared->loop, wait_ms > 0 ? wait_ms : 0, 0, on_time, queue);
}

/* At the turn's end, with whatever else comes until then. */
static void hurry(struct channel_queue *queue)
{
    queue->urgent = true;
}

/* ---- trials ---- */

/* How long a trial may take: the look at its call, the claim, and the provider's time to answer. */
static int64_t trial_ms(const struct channel_queue *queue)
{
    return TICKET_LEASE_MS + TRIAL_SLACK_MS + (queue->in_file ? queue->limits.request_timeout_ms : 0);
}

static void trial_ended(struct channel_queue *queue, int64_t proofs)
{
    if (proofs == queue->standing.proofs)
        channel_updates_trial_ended(&queue->next, proofs);
    if (queue->queued > 0 || queue->ready.n > 0)
        hurry(queue);
}

void channel_queue_end_trial(struct ticket *ticket)
{
    struct ticket_trial trial = ticket->trial;
    ticket->trial.queue = NULL;
    if (trial.queue != NULL && mono_ms(trial.queue) < trial.until_mono_ms)
        trial_ended(trial.queue, trial.proofs);
}

/* ---- send times ---- */

static void go(struct ticket *ticket)
{
    struct channel_queue *queue = ticket->queue;
    int64_t late_ms = channel_queue_late_ms(queue);
    if (late_ms > 0 && mono_ms(queue) - ticket->send_mono_ms > late_ms)
        channel_queue_ready_again(queue, ticket); /* this process was busy: that send time is over */
    else
        queue->shared->events->go(ticket);
}

static void on_send_time(void *arg)
{
    struct ticket *ticket = arg;
    loop_timer_stop(&ticket->timer);
    go(ticket);
}

/* Its call may be dialled, and it has a send time. */
static void go_at_send_time(struct ticket *ticket)
{
    int64_t wait_ms = ticket->send_mono_ms - mono_ms(ticket->queue);
    if (wait_ms > 0)
        ticket->timer = loop_timer_start(ticket->queue->shared->loop, wait_ms, 0, on_send_time, ticket);
    else
        go(ticket);
}

/* An answer that was read late was given long ago, and so were its send times. */
static void give_send_time(struct channel_queue *queue, struct ticket *ticket,
                           const struct admission_answer *answer, size_t i)
{
    int64_t now = mono_ms(queue), latest = queue->asked_mono_ms + ANSWER_MS;
    ticket->send_mono_ms = (now < latest ? now : latest) + (answer->send_times_us[i] + 999) / 1000;
    if (answer->proved)
        return;
    ticket->trial = (struct ticket_trial){
        .queue = queue,
        .proofs = answer->proofs,
        .until_mono_ms = queue->asked_mono_ms + trial_ms(queue) - TRIAL_SLACK_MS,
    };
}

static void hand_on_send_time(struct ticket *from, struct ticket *to)
{
    to->send_mono_ms = from->send_mono_ms;
    to->trial = from->trial;
    from->send_mono_ms = 0;
    from->trial.queue = NULL;
}

/* Waiting for a send time: too long, or for nothing, since nothing goes out for now. */
static void give_up_waiting(struct channel_queue *queue)
{
    struct channel_room room = {.stopped = true};
    int64_t now = mono_ms(queue);
    size_t n = queue->ready.n;
    if (n > 0)
        room_of(queue, &room);
    while (n-- > 0) {
        struct ticket *ticket = FIFO_TAKE(&queue->ready, struct ticket, link);
        bool claimed = ticket->claimed_mono_ms > 0;
        int64_t since = claimed ? ticket->claimed_mono_ms : ticket->taken_mono_ms;
        if (room.stopped || now - since > (claimed ? CLAIMED_MS : IN_HAND_MS))
            queue->shared->events->no_send_time(ticket);
        else
            fifo_add(&queue->ready, &ticket->link);
    }
}

/* ---- the answer ---- */

static void take_standing(struct channel_queue *queue, const struct admission_answer *answer)
{
    struct channel_standing *standing = &queue->standing;
    bool same = strcmp(queue->limits.fingerprint, queue->asked_fingerprint) == 0;
    queue->queued = answer->queued;
    queue->lines = answer->lines;
    queue->known = true;
    queue->send_time_from_mono_ms = mono_ms(queue) + answer->wait_us / 1000;
    queue->more = queue->asked.tickets > 0 && answer->tickets_n == queue->asked.tickets;
    standing->epoch = answer->epoch;
    standing->proofs = answer->proofs;
    channel_standing_set_proved(standing, answer->proved && same, queue->in_file);
    if (!queue->next.results.suspend) /* which is newer than what Redis says */
        channel_standing_set_state(standing, answer->state, answer->why);
    channel_standing_show_useful(standing, channel_queue_limits(queue), queue->queued, queue->lines);
}

/* Send times for tickets that waited for them. How many of the answer's. */
static size_t take_send_times(struct channel_queue *queue, const struct admission_answer *answer)
{
    size_t n = queue->asked.send_times;
    n = n < answer->send_times_n ? n : answer->send_times_n;
    n = n < queue->ready.n ? n : queue->ready.n;
    for (size_t i = 0; i < n; i++) {
        struct ticket *ticket = FIFO_TAKE(&queue->ready, struct ticket, link);
        give_send_time(queue, ticket, answer, i);
        go_at_send_time(ticket);
    }
    return n;
}

/* Tickets that were handed out; their send times stand behind the first `before` of the answer. */
static void take_tickets(struct channel_queue *queue, const struct admission_answer *answer, size_t before)
{
    const struct channel_queue_shared *shared = queue->shared;
    for (size_t i = 0; i < answer->tickets_n; i++) {
        struct ticket *ticket = shared->events->take(shared->arg, span_str(queue->name), answer->tickets[i]);
        if (ticket == NULL)
            return; /* never where `promised` is kept to */
        ticket->queue = queue;
        ticket->in_hand = true;
        ticket->taken_mono_ms = mono_ms(queue);
        if (before + i < answer->send_times_n)
            give_send_time(queue, ticket, answer, before + i);
        queue->looking++;
        shared->events->look(ticket);
    }
    for (size_t i = before + answer->tickets_n; i < answer->send_times_n && !answer->proved; i++)
        trial_ended(queue, answer->proofs); /* what it was asked for is gone */
}

static void take_answer(struct channel_queue *queue, const struct admission_answer *answer)
{
    struct fifo queueing = queue->sent.queueing;
    channel_updates_clear(&queue->sent);
    queue->unanswered = 0;
    take_standing(queue, answer);
    for (struct ticket *ticket; (ticket = FIFO_TAKE(&queueing, struct ticket, link)) != NULL;)
        queue->shared->events->queued(ticket);
    queue->useless = 0;
    take_tickets(queue, answer, take_send_times(queue, answer));
}

static void on_answer(enum store_status status, const struct admission_answer *answer, void *arg)
{
    struct channel_queue *queue = arg;
    queue->out = false;
    queue->shared->promised -= queue->asked.tickets;
    if (status == STORE_OK) {
        take_answer(queue, answer);
    } else {
        queue->unanswered++;
        if (status != STORE_REFUSED)
            channel_updates_may_be_known(&queue->sent);
    }
    give_up_waiting(queue);
    plan(queue);
}

/* ---- the request ---- */

static struct admission_proof proof_of(const struct channel_queue *queue)
{
    struct admission_proof proof = {.asker = queue->shared->asker,
                                    .coming = !queue->known,
                                    .going = queue->shared->stopped,
                                    .accepted = queue->sent.accepted,
                                    .ended = queue->sent.trials_ended,
                                    .proofs = queue->sent.trials_proofs,
                                    .trial_ms = trial_ms(queue)};
    memcpy(proof.fingerprint, queue->limits.fingerprint, sizeof(proof.fingerprint));
    return proof;
}

/* One that was not answered is sent again with the same updates. */
static void send_request(struct channel_queue *queue)
{
    struct channel_queue_shared *shared = queue->shared;
    struct channel_updates *sent = &queue->sent;
    if (queue->unanswered == 0) {
        struct channel_updates empty = queue->sent;
        queue->sent = queue->next;
        queue->next = empty;
    }
    queue->out = true;
    queue->urgent = false;
    queue->asked = plan_of(queue);
    queue->asked_mono_ms = mono_ms(queue);
    shared->promised += queue->asked.tickets;
    sent->results.why = span_str(sent->why);
    memcpy(queue->asked_fingerprint, queue->limits.fingerprint, sizeof(queue->asked_fingerprint));
    const struct admission_request request = {
        .channel = span_str(queue->name),
        .calls_per_second = queue->limits.calls_per_second,
        .lines = queue->limits.lines,
        .caps = shared->caps,
        .caps_n = shared->caps_n,
        .tickets = queue->asked.tickets,
        .spare = queue->asked.spare,
        .send_times = queue->asked.send_times,
        .late = sent->late,
        .results = sent->results,
        .proof = proof_of(queue),
        .queue = &sent->queue,
        .done = &sent->done,
        .dropped = &sent->dropped,
        .back = &sent->back,
    };
    admission_ask(shared->store, &request, on_answer, queue);
}

static void on_time(void *arg)
{
    struct channel_queue *queue = arg;
    loop_timer_stop(&queue->timer);
    if (!queue->out)
        send_request(queue);
}

bool channel_queue_flush(struct channel_queue *queue)
{
    if (!queue->urgent || queue->out || queue->unanswered > 0)
        return false;
    if (queue->timer != NULL)
        loop_timer_stop(&queue->timer);
    send_request(queue);
    return true;
}

void channel_queue_stop(struct channel_queue *queue)
{
    give_up_waiting(queue);
    hurry(queue);
}

bool channel_queue_busy(const struct channel_queue *queue)
{
    return !channel_updates_is_empty(&queue->next) || !channel_updates_is_empty(&queue->sent);
}

/* ---- tickets ---- */

void channel_queue_add(struct channel_queue *queue, struct ticket *ticket)
{
    ticket_list_add_with(&queue->next.queue, ticket_name(ticket), ticket->priority);
    fifo_add(&queue->next.queueing, &ticket->link);
    hurry(queue);
}

void channel_queue_seen(struct ticket *ticket, bool usable)
{
    struct channel_queue *queue = ticket->queue;
    queue->looking--;
    if (usable)
        return;
    queue->useless++;
    if (ticket->send_mono_ms > 0 && queue->ready.n > 0) {
        struct ticket *other = FIFO_TAKE(&queue->ready, struct ticket, link);
        hand_on_send_time(ticket, other);
        go_at_send_time(other);
    } else {
        plan(queue);
    }
}

void channel_queue_ready(struct ticket *ticket)
{
    if (ticket->send_mono_ms > 0) {
        go_at_send_time(ticket);
        return;
    }
    fifo_add(&ticket->queue->ready, &ticket->link);
    plan(ticket->queue);
}

/* Before those that have not had a send time yet. */
void channel_queue_ready_again(struct channel_queue *queue, struct ticket *ticket)
{
    ticket->queue = queue;
    ticket->send_mono_ms = 0;
    channel_queue_end_trial(ticket);
    fifo_add_first(&queue->ready, &ticket->link);
    if (queue->send_time_from_mono_ms <= mono_ms(queue))
        hurry(queue);
    else
        plan(queue);
}

bool channel_queue_in_hand(const struct ticket *ticket)
{
    return ticket->in_hand &&
           mono_ms(ticket->queue) - ticket->taken_mono_ms < TICKET_LEASE_MS - LEASE_SLACK_MS;
}

void channel_queue_end_claimed(struct ticket *ticket, int64_t line_ms)
{
    if (!ticket->in_hand)
        return;
    ticket->in_hand = false;
    ticket_list_add_with(&ticket->queue->next.done, ticket_name(ticket), line_ms);
    plan(ticket->queue);
}

void channel_queue_end_dropped(struct ticket *ticket)
{
    if (!ticket->in_hand)
        return;
    if (channel_queue_in_hand(ticket))
        ticket_list_add(&ticket->queue->next.dropped, ticket_name(ticket));
    ticket->in_hand = false;
    plan(ticket->queue);
}

void channel_queue_end_back(struct ticket *ticket)
{
    if (!ticket->in_hand)
        return;
    if (channel_queue_in_hand(ticket))
        ticket_list_add_with(&ticket->queue->next.back, ticket_name(ticket), ticket->priority);
    ticket->in_hand = false;
    plan(ticket->queue);
}

void channel_queue_end_unknown(struct ticket *ticket)
{
    if (!ticket->in_hand)
        return;
    ticket->in_hand = false;
    plan(ticket->queue);
}

/* ---- the channel ---- */

void channel_queue_add_result(struct channel_queue *queue, int64_t epoch, const char *fingerprint,
                              enum channel_result result, const struct evidence *why)
{
    bool answered = result == CHANNEL_ACCEPTED_CALL || result == CHANNEL_NOT_NOW;
    bool proves = result == CHANNEL_ACCEPTED_CALL && !queue->standing.proved;
    if (epoch != queue->standing.epoch || strcmp(fingerprint, queue->limits.fingerprint) != 0)
        return;
    channel_updates_add_result(&queue->next, epoch, result, why);
    if (result == CHANNEL_REFUSED_US)
        channel_standing_set_state(&queue->standing, CHANNEL_SUSPENDED, span_str(queue->next.why));
    if (!answered || !is_open(queue) || proves)
        hurry(queue);
}

void channel_queue_add_late(struct channel_queue *queue)
{
    queue->next.late++;
}

int64_t channel_queue_late_ms(const struct channel_queue *queue)
{
    return channel_late_ms(queue->limits.calls_per_second);
}

const char *channel_queue_name(const struct channel_queue *queue)
{
    return queue->name;
}

const struct channel_standing *channel_queue_standing(const struct channel_queue *queue)
{
    return &queue->standing;
}

const struct channel_limits *channel_queue_limits(const struct channel_queue *queue)
{
    return queue->in_file ? &queue->limits : NULL;
}

void channel_queue_set_limits(struct channel_queue *queue, const struct channel_limits *limits)
{
    static const int64_t ALWAYS = INT64_C(1) << 52; /* later than it was closed, whatever the clocks say */
    bool changed = strcmp(queue->limits.fingerprint, limits->fingerprint) != 0;
    queue->in_file = true;
    queue->limits = *limits;
    queue->send_time_from_mono_ms = 0;
    if (changed) {
        queue->next.accepted = queue->sent.accepted = false;
        channel_standing_set_proved(&queue->standing, false, true);
    }
    if (changed && !is_open(queue))
        queue->next.results.resumed_ms = ALWAYS;
    hurry(queue);
}

void channel_queue_unset_limits(struct channel_queue *queue)
{
    queue->in_file = false;
    queue->limits.calls_per_second = 0;
    queue->limits.lines = 0;
}

void channel_queue_resumed(struct channel_queue *queue, int64_t when_ms)
{
    queue->next.results.resumed_ms = when_ms;
    /* Until Redis says that the provider has accepted a request since. */
    channel_standing_set_proved(&queue->standing, false, queue->in_file);
    hurry(queue);
}

/* ---- its life ---- */

struct channel_queue *channel_queue_new(struct channel_queue_shared *shared, const char *name)
{
    struct channel_queue *queue = mem_calloc(1, sizeof(*queue));
    queue->shared = shared;
    queue->name = mem_strdup(name);
    channel_updates_init(&queue->next);
    channel_updates_init(&queue->sent);
    channel_standing_init(&queue->standing, queue->name);
    return queue;
}

void channel_queue_free(struct channel_queue **queue)
{
    if ((*queue)->timer != NULL)
        loop_timer_stop(&(*queue)->timer);
    channel_updates_done(&(*queue)->next);
    channel_updates_done(&(*queue)->sent);
    free((*queue)->name);
    free(*queue);
    *queue = NULL;
}
