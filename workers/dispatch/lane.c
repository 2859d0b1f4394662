#include "workers/dispatch/lane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/channel/queue.h"
#include "workers/dispatch/telling.h"
#include "workers/dispatch/ticket.h"

enum {
    LOOK_MS = 250,         /* without anything to ask: is the channel shut, does something wait */
    POLL_MS = 50,          /* something waits, and there was no line for it */
    SLOTS_MS = 10,         /* between two questions for send times: a third of how far ahead they are given */
    ANSWER_MS = 5,         /* an answer took no longer, as far as its send times are concerned */
    TELL_MS = 25,          /* how long what is no question may wait for one */
    IN_HAND_MS = 4000,     /* without a send time for so long a ticket goes back: others may have one */
    CLAIMED_MS = 1000,     /* a claim waits so long for another send time */
    LEASE_SLACK_MS = 2000, /* before a ticket's lease is over nothing of it may be on its way */
    AGAIN_FIRST_MS = 50,   /* after a question that Redis did not answer */
    AGAIN_MAX_MS = 1000,
    TRIAL_SLACK_MS = 5000, /* beyond what each step of a trial may take */
    CAPS_MAX = 4096,
    CODE_MAX = 64,
};

struct lane {
    struct lanes *owner;
    struct lane *next;
    char *name;
    struct channel *channel; /* a reference; NULL: gone from the file */
    /* of the channel's settings, also of one that is gone */
    char fingerprint[QUEUE_FINGERPRINT_LEN + 1];
    /* as the last answer said */
    enum queue_shut shut;
    int64_t epoch, queued, lines;
    bool proved;               /* the provider has accepted a request with these settings */
    int64_t proofs;            /* struct queue_told */
    int64_t slot_from_mono_ms; /* when a send time may be had */
    bool more;                 /* there were as many tickets as were asked for */
    /* what it has in hand */
    struct fifo ready;
    size_t looking;
    size_t gone; /* of the last tickets, those that were good for nothing */
    /* the question */
    struct telling now, out;
    bool asking, again, urgent;
    bool here; /* Redis knows that this process is there */
    char asked_fingerprint[QUEUE_FINGERPRINT_LEN + 1];
    unsigned asked_tickets, asked_slots;
    int64_t asked_mono_ms;
    int tries;
    struct loop_timer *timer;
    int64_t timer_mono_ms;
    char shut_code[CODE_MAX]; /* the label of M_CHANNEL_SHUT that is set */
};

struct lanes {
    struct dispatch *dispatch;
    struct lane *first; /* a handful of channels: a list is enough */
    uint32_t asker;     /* a number of this process' own */
    bool stopped;
    struct queue_cap caps[CAPS_MAX];
    size_t caps_n;
};

/* ---- helpers ---- */

static int64_t mono_ms(const struct lane *lane)
{
    return loop_mono_ms(lane->owner->dispatch->worker->loop);
}

static double rate_of(const struct lane *lane)
{
    return lane->channel != NULL ? lane->channel->calls_per_second : 0;
}

static bool idle(const struct lane *lane)
{
    const struct dispatch *d = lane->owner->dispatch;
    return lane->owner->stopped || d->draining || d->away || lane->channel == NULL ||
           kafka_producer_full(d->worker->producer);
}

/* So late a placement cannot bring more than the larger of 1 and 2 % above the rate into any second; 100 ms
 * at most, whatever the rate. */
int64_t lane_late_ms(const struct lane *lane)
{
    double rate = rate_of(lane);
    if (rate <= 0)
        return 0;
    return rate <= 10 ? 100 : rate < 50 ? (int64_t)(1000 / rate) : 20;
}

static unsigned tickets_wanted(const struct lane *lane)
{
    const struct dispatch *d = lane->owner->dispatch;
    size_t room = d->due_free > d->tickets_promised ? d->due_free - d->tickets_promised : 0;
    size_t in_hand = lane->ready.n + lane->looking, most = d->attempts_n / 4;
    if (idle(lane) || in_hand >= most)
        return 0;
    room = room < most - in_hand ? room : most - in_hand;
    return (unsigned)(room < QUEUE_MAX_TICKETS ? room : QUEUE_MAX_TICKETS);
}

/* Where tickets turned out to be good for nothing (their campaign is paused), more than send times are taken,
 * until there are some that are. */
static unsigned spare_wanted(const struct lane *lane)
{
    size_t spare = lane->ready.n > 0 ? 0 : 2 * lane->gone;
    return (unsigned)(spare < QUEUE_MAX_TICKETS ? spare : QUEUE_MAX_TICKETS);
}

static unsigned slots_wanted(const struct lane *lane)
{
    if (idle(lane))
        return 0;
    return (unsigned)(lane->ready.n < QUEUE_MAX_SLOTS ? lane->ready.n : QUEUE_MAX_SLOTS);
}

/* The first bytes tell settings apart. */
static void fingerprint_of(const struct channel *channel, char *fingerprint)
{
    for (size_t i = 0; i < QUEUE_FINGERPRINT_LEN / 2; i++)
        snprintf(fingerprint + 2 * i, 3, "%02x", channel->digest[i]);
}

/* ---- when to ask ---- */

static void on_time(void *arg);

static void ask_by(struct lane *lane, int64_t at_mono_ms)
{
    if (lane->timer != NULL && lane->timer_mono_ms <= at_mono_ms)
        return;
    if (lane->timer != NULL)
        loop_timer_stop(&lane->timer);
    int64_t wait = at_mono_ms - mono_ms(lane);
    lane->timer_mono_ms = at_mono_ms;
    lane->timer =
        loop_timer_start(lane->owner->dispatch->worker->loop, wait > 0 ? wait : 0, 0, on_time, lane);
}

static void plan(struct lane *lane)
{
    int64_t now = mono_ms(lane), at = now + LOOK_MS;
    if (lane->asking)
        return;
    if (lane->again) {
        int64_t wait = AGAIN_FIRST_MS << (lane->tries < 5 ? lane->tries : 5);
        ask_by(lane, now + (wait < AGAIN_MAX_MS ? wait : AGAIN_MAX_MS));
        return;
    }
    if (!telling_is_empty(&lane->now))
        at = now + TELL_MS;
    if (lane->shut == QUEUE_OPEN && !idle(lane)) {
        if (lane->queued > 0 && now + POLL_MS < at)
            at = now + POLL_MS;
        bool slots = lane->ready.n > 0 || (lane->queued > 0 && rate_of(lane) > 0);
        if (lane->queued > 0 && (lane->more || lane->gone > 0) && tickets_wanted(lane) > 0)
            at = now + 1;
        else if (slots && now + SLOTS_MS < at)
            at = now + SLOTS_MS;
        /* Not before a send time may be had, unless there is something to tell. */
        if (rate_of(lane) > 0 && telling_is_empty(&lane->now) && lane->gone == 0 &&
            lane->slot_from_mono_ms > at)
            at = lane->slot_from_mono_ms < now + LOOK_MS ? lane->slot_from_mono_ms : now + LOOK_MS;
    }
    ask_by(lane, at);
}

static void ask_now(struct lane *lane)
{
    lane->urgent = true; /* at the turn's end, with whatever else comes until then */
}

/* ---- the channel's state ---- */

static void show_shut(struct lane *lane, bool shut, struct span why)
{
    const char *cut = why.n > 0 ? memchr(why.p, ' ', why.n) : NULL;
    if (lane->shut_code[0] != '\0')
        metric_set(metric_series(M_CHANNEL_SHUT, lane->name, lane->shut_code), 0);
    lane->shut_code[0] = '\0';
    if (shut) {
        snprintf(lane->shut_code, sizeof(lane->shut_code), "%.*s",
                 cut != NULL ? (int)(cut - why.p) : (int)why.n, why.n > 0 ? why.p : "");
        metric_set(metric_series(M_CHANNEL_SHUT, lane->name, lane->shut_code), 1);
    }
    metric_set(metric_series(M_CHANNEL_OPEN, lane->name, NULL), shut);
}

static void set_shut(struct lane *lane, enum queue_shut shut, struct span why)
{
    if (lane->shut == shut)
        return;
    if (shut == QUEUE_SUSPENDED)
        LOG_ERROR("channel suspended, its calls wait; the next probe is in 30 s",
                  LOG_STR("channel", lane->name), LOG_SPAN("reason", why));
    else if (shut == QUEUE_CIRCUIT)
        LOG_ERROR("circuit opened, the channel's calls wait; single probes go out",
                  LOG_STR("channel", lane->name), LOG_SPAN("reason", why));
    else
        LOG_INFO("channel is open again", LOG_STR("channel", lane->name));
    lane->shut = shut;
    show_shut(lane, shut != QUEUE_OPEN, why);
}

static void show_useful(const struct lane *lane)
{
    double useful = (double)lane->queued, rate = rate_of(lane);
    if (lane->shut != QUEUE_OPEN || lane->channel == NULL)
        useful = 0;
    if (!lane->proved && useful > QUEUE_TRIALS)
        useful = QUEUE_TRIALS;
    if (rate > 0 && useful > ceil(rate))
        useful = ceil(rate);
    if (lane->channel != NULL && lane->channel->concurrent_calls > 0) {
        double left = (double)(lane->channel->concurrent_calls - lane->lines);
        useful = left < useful ? (left > 0 ? left : 0) : useful;
    }
    metric_set(metric_series(M_USEFUL_WORK, lane->name, NULL), useful);
}

static void set_proved(struct lane *lane, bool proved)
{
    lane->proved = proved;
    metric_set(metric_series(M_CHANNEL_UNPROVED, lane->name, NULL), !proved && lane->channel != NULL);
}

static void take_state(struct lane *lane, const struct queue_told *told)
{
    bool news_on_the_way = lane->now.news.suspend; /* newer than what Redis said */
    lane->queued = told->queued;
    lane->lines = told->lines;
    lane->epoch = told->epoch;
    lane->proofs = told->proofs;
    lane->here = true;
    set_proved(lane, told->proved && strcmp(lane->fingerprint, lane->asked_fingerprint) == 0);
    lane->slot_from_mono_ms = mono_ms(lane) + told->wait_us / 1000;
    lane->more = lane->asked_tickets > 0 && told->tickets_n == lane->asked_tickets;
    if (!news_on_the_way)
        set_shut(lane, told->shut, told->why);
    show_useful(lane);
}

/* ---- answers ---- */

static void go(struct attempt *a)
{
    struct lane *lane = lane_of(a->dispatch->lanes, a->channel);
    int64_t late_ms = lane_late_ms(lane);
    if (late_ms > 0 && mono_ms(lane) - a->slot_mono_ms > late_ms)
        lane_ready_again(lane, a); /* this process was busy: that send time is over */
    else
        attempt_go(a);
}

static void on_go(void *arg)
{
    struct attempt *a = arg;
    loop_timer_stop(&a->timer);
    go(a);
}

/* How long a trial may take: the look at its call, the claim, and the provider's time to answer. */
static int64_t trial_ms(const struct lane *lane)
{
    return QUEUE_LEASE_MS + TRIAL_SLACK_MS + (lane->channel != NULL ? lane->channel->request_timeout_ms : 0);
}

/* An answer that was read late was given long ago, and so were its send times. */
static void give_slot(struct attempt *a, struct lane *lane, const struct queue_told *told, size_t i)
{
    int64_t now = mono_ms(lane), latest = lane->asked_mono_ms + ANSWER_MS;
    a->slot_mono_ms = (now < latest ? now : latest) + (told->slots_us[i] + 999) / 1000;
    if (told->proved)
        return;
    a->trial = lane;
    a->trial_proofs = told->proofs;
    a->trial_until_mono_ms = lane->asked_mono_ms + trial_ms(lane) - TRIAL_SLACK_MS;
}

static void trial_ended(struct lane *lane, int64_t proofs)
{
    if (proofs == lane->proofs)
        telling_trial_ended(&lane->now, proofs);
    if (lane->queued > 0 || lane->ready.n > 0)
        ask_now(lane);
}

/* One that took longer than Redis counts it is no trial any more. */
void lane_trial_over(struct attempt *a)
{
    struct lane *lane = a->trial;
    a->trial = NULL;
    if (lane != NULL && mono_ms(lane) < a->trial_until_mono_ms)
        trial_ended(lane, a->trial_proofs);
}

static void hand_on_slot(struct attempt *from, struct attempt *to)
{
    to->slot_mono_ms = from->slot_mono_ms;
    to->trial = from->trial;
    to->trial_proofs = from->trial_proofs;
    to->trial_until_mono_ms = from->trial_until_mono_ms;
    from->slot_mono_ms = 0;
    from->trial = NULL;
}

/* It may be dialled, and has a send time. */
static void go_at(struct attempt *a)
{
    int64_t wait_ms = a->slot_mono_ms - loop_mono_ms(a->dispatch->worker->loop);
    a->state = ATTEMPT_READY;
    if (wait_ms > 0)
        a->timer = loop_timer_start(a->dispatch->worker->loop, wait_ms, 0, on_go, a);
    else
        go(a);
}

static void give_slots(struct lane *lane, const struct queue_told *told, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct attempt *a = fifo_take(&lane->ready);
        give_slot(a, lane, told, i);
        go_at(a);
    }
}

static void take_tickets(struct lane *lane, const struct queue_told *told, size_t slots_before)
{
    for (size_t i = 0; i < told->tickets_n; i++) {
        struct attempt *a = attempt_take(lane->owner->dispatch, true);
        if (a == NULL)
            return; /* handed out again after its lease; never where `tickets_promised` is kept to */
        a->lane = lane;
        a->taken_mono_ms = mono_ms(lane);
        a->claim_no = told->tickets[i].claim_no;
        a->channel = channel_ref(lane->channel);
        buf_addspan(&a->id, told->tickets[i].id);
        if (slots_before + i < told->slots_n)
            give_slot(a, lane, told, slots_before + i);
        lane->looking++;
        ticket_look(a);
    }
    for (size_t i = slots_before + told->tickets_n; i < told->slots_n && !told->proved; i++)
        trial_ended(lane, told->proofs); /* what it was asked for is gone */
}

static void give_up_waiting(struct lane *lane)
{
    int64_t now = mono_ms(lane);
    size_t n = lane->ready.n;
    while (n-- > 0) {
        struct attempt *a = fifo_take(&lane->ready);
        int64_t since = a->claimed ? a->asked_mono_ms : a->taken_mono_ms;
        if (idle(lane) || now - since > (a->claimed ? CLAIMED_MS : IN_HAND_MS))
            attempt_no_slot(a);
        else
            fifo_add(&lane->ready, a);
    }
}

/* With the same, as far as it may be told twice. */
static void ask_again(struct lane *lane, enum store_status status)
{
    lane->again = true;
    lane->tries++;
    if (status != STORE_REFUSED)
        telling_may_be_known(&lane->out);
}

static void on_told(enum store_status status, const struct queue_told *told, void *arg)
{
    struct lane *lane = arg;
    struct dispatch *d = lane->owner->dispatch;
    lane->asking = false;
    d->tickets_promised -= lane->asked_tickets;
    if (status == STORE_OK) {
        struct fifo queueing = lane->out.queueing;
        telling_clear(&lane->out);
        lane->again = false;
        lane->tries = 0;
        take_state(lane, told);
        while (queueing.n > 0)
            attempt_queued(fifo_take(&queueing));
        size_t in_hand = lane->asked_slots < told->slots_n ? lane->asked_slots : told->slots_n;
        in_hand = in_hand < lane->ready.n ? in_hand : lane->ready.n;
        lane->gone = 0;
        give_slots(lane, told, in_hand);
        take_tickets(lane, told, in_hand);
    } else {
        ask_again(lane, status);
    }
    give_up_waiting(lane);
    plan(lane);
}

/* ---- questions ---- */

static struct queue_proof proof_of(const struct lane *lane)
{
    struct queue_proof proof = {.asker = lane->owner->asker,
                                .coming = !lane->here,
                                .going = lane->owner->stopped,
                                .accepted = lane->out.accepted,
                                .ended = lane->out.trials_ended,
                                .proofs = lane->out.trials_of,
                                .trial_ms = trial_ms(lane)};
    memcpy(proof.fingerprint, lane->fingerprint, sizeof(proof.fingerprint));
    return proof;
}

static void ask(struct lane *lane)
{
    struct lanes *lanes = lane->owner;
    if (!lane->again) {
        struct telling spare = lane->out;
        lane->out = lane->now;
        lane->now = spare;
    }
    lane->asking = true;
    lane->urgent = false;
    lane->asked_tickets = tickets_wanted(lane);
    lane->asked_slots = slots_wanted(lane);
    lane->asked_mono_ms = mono_ms(lane);
    lanes->dispatch->tickets_promised += lane->asked_tickets;
    lane->out.news.why = span_str(lane->out.why);
    memcpy(lane->asked_fingerprint, lane->fingerprint, sizeof(lane->fingerprint));
    const struct queue_ask question = {
        .channel = span_str(lane->name),
        .calls_per_second = rate_of(lane),
        .lines = lane->channel != NULL ? lane->channel->concurrent_calls : 0,
        .caps = lanes->caps,
        .caps_n = lanes->caps_n,
        .tickets = lane->asked_tickets,
        .spare = spare_wanted(lane),
        .slots = lane->asked_slots,
        .late = lane->out.late,
        .news = lane->out.news,
        .proof = proof_of(lane),
        .queue = &lane->out.queue,
        .done = &lane->out.done,
        .dropped = &lane->out.dropped,
        .back = &lane->out.back,
    };
    queue_admit(lanes->dispatch->worker->store, &question, on_told, lane);
}

static void on_time(void *arg)
{
    struct lane *lane = arg;
    loop_timer_stop(&lane->timer);
    if (!lane->asking)
        ask(lane);
}

static bool ask_urgent(void *arg)
{
    struct lanes *lanes = arg;
    bool did = false;
    for (struct lane *lane = lanes->first; lane != NULL; lane = lane->next) {
        if (!lane->urgent || lane->asking || lane->again)
            continue;
        if (lane->timer != NULL)
            loop_timer_stop(&lane->timer);
        ask(lane);
        did = true;
    }
    return did;
}

/* ---- what attempts bring ---- */

void lane_queue(struct lane *lane, struct attempt *a)
{
    queue_list_add_with(&lane->now.queue, buf_span(&a->id), a->claim_no, a->request.priority);
    fifo_add(&lane->now.queueing, a);
    ask_now(lane);
}

/* Before those that were never claimed. */
void lane_ready_again(struct lane *lane, struct attempt *a)
{
    a->state = ATTEMPT_READY;
    a->slot_mono_ms = 0;
    lane_trial_over(a);
    fifo_add_first(&lane->ready, a);
    if (lane->slot_from_mono_ms <= mono_ms(lane))
        ask_now(lane);
    else
        plan(lane);
}

void lane_ready(struct lane *lane, struct attempt *a)
{
    if (a->slot_mono_ms > 0) {
        go_at(a);
        return;
    }
    a->state = ATTEMPT_READY;
    fifo_add(&lane->ready, a);
    plan(lane);
}

void lane_was_late(struct lane *lane)
{
    lane->now.late++;
}

bool lane_in_hand(const struct attempt *a)
{
    return a->lane == NULL || mono_ms(a->lane) - a->taken_mono_ms < QUEUE_LEASE_MS - LEASE_SLACK_MS;
}

/* Longer in hand than its lease, only what it holds for sure may be said. */
void lane_end(struct attempt *a, enum lane_end end)
{
    struct lane *lane = a->lane;
    struct span id = buf_span(&a->id);
    if (lane == NULL)
        return;
    bool ours = lane_in_hand(a);
    a->lane = NULL;
    if (end == LANE_CLAIMED)
        queue_list_add_with(&lane->now.done, id, a->claim_no, attempt_hold_ms(a));
    else if (end == LANE_UNDER_WAY)
        queue_list_add_with(&lane->now.done, id, a->claim_no, a->line_ms);
    else if (ours && end == LANE_DROPPED)
        queue_list_add(&lane->now.dropped, id, a->claim_no);
    else if (ours && end == LANE_BACK)
        queue_list_add_with(&lane->now.back, id, a->claim_no, a->request.priority);
    plan(lane);
}

void lane_looked(struct attempt *a, bool ready)
{
    struct lane *lane = a->lane;
    lane->looking--;
    if (ready)
        return;
    lane->gone++;
    if (a->slot_mono_ms > 0 && lane->ready.n > 0) {
        struct attempt *other = fifo_take(&lane->ready);
        hand_on_slot(a, other);
        go_at(other);
    } else {
        plan(lane);
    }
}

/* What left before the channel was shut, or with other settings, says nothing of it. */
void lane_heard(const struct attempt *a, enum lane_news news)
{
    struct lane *lane = lane_of(a->dispatch->lanes, a->channel);
    char fingerprint[QUEUE_FINGERPRINT_LEN + 1];
    fingerprint_of(a->channel, fingerprint);
    if (a->epoch != lane->epoch || strcmp(fingerprint, lane->fingerprint) != 0)
        return;
    telling_hear(&lane->now, a->epoch, news, &a->verdict.evidence);
    if (news == LANE_SUSPENDED)
        set_shut(lane, QUEUE_SUSPENDED, span_str(lane->now.why));
    if ((news != LANE_ACCEPTED && news != LANE_ANSWERED) || lane->shut != QUEUE_OPEN ||
        (news == LANE_ACCEPTED && !lane->proved))
        ask_now(lane);
}

/* ---- the channels ---- */

static struct lane *lane_new(struct lanes *lanes, const char *name)
{
    struct lane *lane = mem_calloc(1, sizeof(*lane));
    lane->owner = lanes;
    lane->name = mem_strdup(name);
    telling_init(&lane->now);
    telling_init(&lane->out);
    lane->next = lanes->first;
    lanes->first = lane;
    show_shut(lane, false, SPAN_NONE);
    show_useful(lane);
    return lane;
}

static struct lane *lane_named(const struct lanes *lanes, struct span name)
{
    struct lane *lane = lanes->first;
    while (lane != NULL && !span_is(name, lane->name))
        lane = lane->next;
    return lane;
}

struct lane *lane_of(struct lanes *lanes, const struct channel *channel)
{
    struct lane *lane = lane_named(lanes, span_str(channel->name));
    return lane != NULL ? lane : lane_new(lanes, channel->name);
}

bool lane_is_shut(const struct lane *lane)
{
    return lane->shut != QUEUE_OPEN;
}

int64_t lane_epoch(const struct lane *lane)
{
    return lane->epoch;
}

bool lane_queues(const struct lane *lane, struct span tenant)
{
    const struct channel *channel = lane->channel;
    if (lane->shut != QUEUE_OPEN || !lane->proved || channel == NULL || channel->calls_per_second > 0 ||
        channel->concurrent_calls > 0)
        return true;
    return channels_tenant_cap(lane->owner->dispatch->worker->channels, tenant) > 0;
}

bool lane_has_lines(const struct lane *lane, struct span tenant)
{
    return (lane->channel != NULL && lane->channel->concurrent_calls > 0) ||
           channels_tenant_cap(lane->owner->dispatch->worker->channels, tenant) > 0;
}

static void read_caps(struct lanes *lanes)
{
    const struct channels *channels = lanes->dispatch->worker->channels;
    const char *name;
    int cap;
    lanes->caps_n = 0;
    while (lanes->caps_n < CAPS_MAX && (name = channels_tenants_at(channels, lanes->caps_n, &cap)) != NULL)
        lanes->caps[lanes->caps_n++] = (struct queue_cap){span_str(name), cap};
}

/* The rate may have changed, and another key is another chance. */
static void take_channel(struct lane *lane, struct channel *channel)
{
    static const int64_t ALWAYS = INT64_C(1) << 52; /* later than it was shut, whatever the clocks say */
    char fingerprint[QUEUE_FINGERPRINT_LEN + 1];
    fingerprint_of(channel, fingerprint);
    bool changed = strcmp(lane->fingerprint, fingerprint) != 0;
    lane->channel = channel_ref(channel);
    lane->slot_from_mono_ms = 0;
    if (changed) {
        memcpy(lane->fingerprint, fingerprint, sizeof(fingerprint));
        lane->now.accepted = lane->out.accepted = false;
        set_proved(lane, false);
    }
    if (changed && lane->shut != QUEUE_OPEN)
        lane->now.news.resumed_ms = ALWAYS;
    ask_now(lane);
}

static void read_channels(struct lanes *lanes)
{
    const struct channels *channels = lanes->dispatch->worker->channels;
    for (struct lane *lane = lanes->first; lane != NULL; lane = lane->next)
        if (lane->channel != NULL)
            channel_unref(&lane->channel);
    for (size_t i = 0; i < channels_count(channels); i++)
        take_channel(lane_of(lanes, channels_at(channels, i)), channels_at(channels, i));
    read_caps(lanes);
}

void lanes_channels_changed(struct lanes *lanes)
{
    read_channels(lanes);
}

void lanes_resumed(struct lanes *lanes, struct span channel, int64_t when_ms)
{
    struct lane *lane = lane_named(lanes, channel);
    if (lane == NULL)
        return;
    lane->now.news.resumed_ms = when_ms;
    set_proved(lane, false); /* until Redis says that it was accepted since */
    ask_now(lane);
}

size_t lanes_suspended(const struct lanes *lanes, struct span *channels, size_t max)
{
    size_t n = 0;
    for (const struct lane *lane = lanes->first; lane != NULL && n < max; lane = lane->next)
        if (lane->shut == QUEUE_SUSPENDED)
            channels[n++] = span_str(lane->name);
    return n;
}

struct lanes *lanes_new(struct dispatch *dispatch)
{
    struct lanes *lanes = mem_calloc(1, sizeof(*lanes));
    lanes->dispatch = dispatch;
    crypto_random(&lanes->asker, sizeof(lanes->asker));
    read_channels(lanes);
    loop_at_turn_end(dispatch->worker->loop, ask_urgent, lanes);
    return lanes;
}

void lanes_stop(struct lanes *lanes)
{
    lanes->stopped = true;
    for (struct lane *lane = lanes->first; lane != NULL; lane = lane->next) {
        give_up_waiting(lane);
        ask_now(lane);
    }
}

size_t lanes_busy(const struct lanes *lanes)
{
    size_t n = 0;
    for (const struct lane *lane = lanes->first; lane != NULL; lane = lane->next)
        n += !telling_is_empty(&lane->now) || !telling_is_empty(&lane->out);
    return n;
}

void lanes_free(struct lanes **lanes)
{
    while ((*lanes)->first != NULL) {
        struct lane *lane = (*lanes)->first;
        (*lanes)->first = lane->next;
        if (lane->timer != NULL)
            loop_timer_stop(&lane->timer);
        if (lane->channel != NULL)
            channel_unref(&lane->channel);
        telling_done(&lane->now);
        telling_done(&lane->out);
        free(lane->name);
        free(lane);
    }
    free(*lanes);
    *lanes = NULL;
}
