#include "workers/dispatch/claiming.h"

#include <assert.h>

#include "common/run/log.h"
#include "workers/contact/contact.h"
#include "workers/dispatch/dead_letter.h"
#include "workers/dispatch/opening.h"
#include "workers/dispatch/placing.h"
#include "workers/dispatch/queues.h"

/* ---- may it be dialled ---- */

/* Whoever drains, or lost the partition, hands the call on. A call that may not be dialled any more is due again, and put
 * off then. A placement that would leave late is refused by common/http too. */
static void go_on(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    struct channel_queue *queue = queues_of(d, a->channel);
    int64_t now_mono_ms = loop_mono_ms(d->worker->loop), late_ms = channel_queue_late_ms(queue);
    int64_t send_mono_ms = a->ticket.send_mono_ms;
    bool owned = a->record == NULL || kafka_still_owned(a->record);
    bool fresh = now_mono_ms - a->claiming_mono_ms <= ATTEMPT_ANSWER_HOLDS_MS;
    if (d->draining || !owned || !fresh || !opening_is_now(a)) {
        placing_give_back(a, 0);
    } else if (send_mono_ms > 0 && late_ms > 0 && now_mono_ms - send_mono_ms > late_ms) {
        attempt_enter(a, ATTEMPT_READY);
        channel_queue_ready_again(queue, &a->ticket);
    } else {
        placing_send(a);
    }
}

void claiming_go_on(struct attempt *a)
{
    a->epoch = queues_epoch(a->dispatch, a->channel);
    go_on(a);
}

static void on_contact(enum store_status status, enum contact_what what, void *arg)
{
    struct attempt *a = arg;
    if (status == STORE_OK && what == CONTACT_LISTED) {
        placing_listed(a);
    } else if (status == STORE_OK && what == CONTACT_BUSY) {
        placing_busy(a);
    } else if (status == STORE_OK && what == CONTACT_FREE) {
        go_on(a);
    } else {
        LOG_LIMITED(LOG_LEVEL_WARN, "the do-not-call lists cannot be read, a call is not dialled for now",
                    LOG_SPAN("call", attempt_id(a)));
        placing_give_back(a, ATTEMPT_AWAY_MS);
    }
}

static void ask_contact(struct attempt *a)
{
    const struct contact contact = {.tenant = a->request.tenant,
                                    .number = a->request.to,
                                    .channel = span_str(a->channel->name),
                                    .one_at_a_time = a->channel->one_call_per_number,
                                    .id = attempt_id(a),
                                    .claim_no = a->ticket.claim_no,
                                    .hold_ms = attempt_hold_ms(a)};
    attempt_enter(a, ATTEMPT_CONTACT);
    contact_ask(a->dispatch->worker->store, &contact, on_contact, a);
}

/* ---- the claim is taken ---- */

static void note_claim(struct attempt *a, struct calls_claimed claim)
{
    a->number = claim.attempt;
    a->ticket.claim_no = claim.claim_no;
    a->tries = 0;
    channel_queue_end_claimed(&a->ticket, attempt_hold_ms(a));
}

void claiming_taken(struct attempt *a, struct calls_claimed claim)
{
    a->ticket.claimed_mono_ms = a->claiming_mono_ms;
    note_claim(a, claim);
    ask_contact(a);
}

bool claiming_in_vain(struct attempt *a, const struct claiming_answer *answer)
{
    bool unsafe = answer->status == STORE_UNACKED && (answer->taken || answer->halted);
    if (!unsafe && !(answer->status == STORE_OK && answer->halted))
        return false;
    note_claim(a, answer->claim);
    placing_give_back(a, unsafe ? ATTEMPT_AWAY_MS : 0);
    return true;
}

/* ---- claiming ---- */

int64_t claiming_ms(const struct attempt *a)
{
    return a->channel->request_timeout_ms + CLAIMING_SLACK_MS;
}

struct span claiming_contact(const struct attempt *a)
{
    return a->channel->one_call_per_number ? a->request.to : SPAN_NONE;
}

void claiming_admit(struct attempt *a)
{
    struct dispatch *d = a->dispatch;
    a->admitted = !d->away && !d->draining;
    a->wait_ms = d->away ? ATTEMPT_AWAY_MS : 0;
    if (!a->admitted)
        return;
    a->slot = http_slot_take(d->http);
    assert(a->slot != NULL); /* there are as many as attempts */
    calls_token(a->token);
    a->epoch = queues_epoch(d, a->channel);
    a->claiming_mono_ms = loop_mono_ms(d->worker->loop);
}

static void ask_claim(struct attempt *a);

static void on_claim(enum store_status status, enum calls_claim_what what, struct calls_claimed got,
                     void *arg)
{
    struct attempt *a = arg;
    const struct claiming_answer answer = {
        .status = status, .taken = what == CLAIM_TAKEN, .halted = what == CLAIM_HALTED, .claim = got};
    if (claiming_in_vain(a, &answer))
        return;
    if (status == STORE_UNREADABLE) {
        dead_letter_unreadable(a);
        return;
    }
    if (status != STORE_OK) {
        attempt_again(a, ask_claim);
        return;
    }
    if (what == CLAIM_TAKEN) {
        claiming_taken(a, got);
        return;
    }
    if (what == CLAIM_NO && got.claim_no == a->ticket.claim_no)
        channel_queue_end_claimed(&a->ticket, 0); /* by another process, and it has the ticket's line */
    attempt_end(a);
}

static void ask_claim(struct attempt *a)
{
    const struct dispatch *d = a->dispatch;
    const struct ticket *ticket = &a->ticket;
    const struct calls_claim claim = {.id = attempt_id(a),
                                      .token = span_str(a->token),
                                      .claim_ms = claiming_ms(a),
                                      .channel = span_str(a->channel->name),
                                      .provider = span_str(a->channel->provider->name),
                                      .trace = buf_span(&a->trace),
                                      .contact = claiming_contact(a),
                                      .line = ticket->in_hand &&
                                              queues_has_lines(d, ticket->queue, a->request.tenant),
                                      .hold_ms = attempt_hold_ms(a)};
    attempt_enter(a, ATTEMPT_CLAIMING);
    calls_claim(d->worker->store, &claim, on_claim, a);
}

void claiming_begin(struct attempt *a)
{
    claiming_admit(a);
    if (a->admitted) {
        ask_claim(a);
        return;
    }
    channel_queue_end_back(&a->ticket);
    attempt_end(a);
}
