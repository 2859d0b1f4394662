/*
 * Requests of ours to the worker's side: callbacks and requests for instructions. A bounded number is out at
 * once, the rest queues in the order of the events; each is tried again as its rule says, until it is
 * acknowledged or given up.
 */
#include "tests/simulator/simulator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/run/log.h"

/* Far enough apart that the order of arrival is the order of sending, near enough that a test need not wait.
 */
enum { DUPLICATE_AFTER_MS = 30, REORDER_STEP_MS = 25, CLOSED_AFTER_MS = 25, IDLE_CONNECTION_MS = 4000 };

static void pump(struct sim *sim);

static bool is_report(enum sim_event event)
{
    return event <= SIM_EVENT_CLOSED;
}

/* Whether the reply says what the call should do. */
static bool asks(const struct sim_delivery *delivery)
{
    return !is_report(delivery->event) ||
           (delivery->event == SIM_EVENT_ANSWERED && delivery->call->speech->answer_asks);
}

/* ---- the lists ---- */

static void append(struct sim_deliveries *list, struct sim_delivery *delivery)
{
    delivery->next = NULL;
    delivery->prev = list->last;
    if (list->last)
        list->last->next = delivery;
    else
        list->first = delivery;
    list->last = delivery;
}

static void unlink_from(struct sim_deliveries *list, struct sim_delivery *delivery)
{
    if (delivery->prev)
        delivery->prev->next = delivery->next;
    else
        list->first = delivery->next;
    if (delivery->next)
        delivery->next->prev = delivery->prev;
    else
        list->last = delivery->prev;
    delivery->next = delivery->prev = NULL;
}

static void enqueue(struct sim_delivery *delivery)
{
    struct sim *sim = delivery->sim;
    append(&sim->queue, delivery);
    if (++sim->stats.queued > sim->stats.queued_peak)
        sim->stats.queued_peak = sim->stats.queued;
}

static struct sim_delivery *delivery_new(struct sim_call *call, enum sim_event event)
{
    struct sim_delivery *delivery = mem_alloc(sizeof *delivery);
    *delivery = (struct sim_delivery){
        .sim = call->sim, .call = call, .event = event, .phase = call->phase, .at_wall_ms = clock_wall_ms()};
    call->deliveries++;
    call->sim->stats.instructions += asks(delivery);
    if (!is_report(event))
        return delivery;
    call->sim->stats.callbacks++;
    delivery->sequence = call->sequence++;
    delivery->unknown = (event == SIM_EVENT_FINAL && sim_has(&call->fate, SIM_UNKNOWN)) ||
                        (event == SIM_EVENT_RINGING && sim_has(&call->fate, SIM_UNKNOWN_MIDWAY));
    return delivery;
}

/* ---- what is sent ---- */

struct span sim_short_url(struct span url)
{
    static const char mark[] = "/callbacks/";
    const char *found = memmem(url.p, url.n, mark, sizeof mark - 1);
    if (!found)
        return url;
    const char *at = found + sizeof mark - 1, *end = url.p + url.n;
    for (int slashes = 0; at < end && *at != '?'; at++) {
        if (*at == '/' && ++slashes == 2)
            return span_of(url.p, (size_t)(at - url.p));
    }
    return url;
}

/* One of the addresses between commas, each in its turn: a try after a failed one goes to the next. */
static struct span next_actual(struct sim *sim)
{
    struct span list = span_str(sim->config.via_actual);
    size_t commas = 0;
    for (size_t i = 0; i < list.n; i++)
        commas += list.p[i] == ',';
    for (size_t turn = sim->via_turns++ % (commas + 1); turn > 0; turn--) {
        const char *comma = memchr(list.p, ',', list.n);
        list = span_of(comma + 1, list.n - (size_t)(comma + 1 - list.p));
    }
    const char *end = memchr(list.p, ',', list.n);
    return end ? span_of(list.p, (size_t)(end - list.p)) : list;
}

/* A balancer in front of the workers is played by sending to an address behind it what is signed for the one
 * in front. */
static void go_via(struct sim *sim, struct buf *url)
{
    struct buf *scratch = &sim->body;
    if (!sim->config.via_public)
        return;
    size_t n = strlen(sim->config.via_public);
    if (url->n < n || memcmp(url->p, sim->config.via_public, n) != 0)
        return;
    buf_clear(scratch);
    buf_add(scratch, url->p + n, url->n - n);
    buf_clear(url);
    buf_addspan(url, next_actual(sim));
    buf_addspan(url, buf_span(scratch));
}

static void build(struct sim_delivery *delivery)
{
    struct sim *sim = delivery->sim;
    struct http_request *request = &sim->request;
    const struct sim_speech *speech = delivery->call->speech;
    struct span url = speech->target(delivery), fragment = SPAN_NONE;
    const char *mark = memchr(url.p, '#', url.n);
    if (mark) {
        fragment = span_of(mark + 1, url.n - (size_t)(mark + 1 - url.p));
        url.n = (size_t)(mark - url.p);
    }
    if (is_report(delivery->event) && sim_has(&delivery->call->fate, SIM_SHORT_URL))
        url = sim_short_url(url);
    delivery->rule = speech->retry(fragment);
    http_request_clear(request);
    buf_addspan(&request->url, url);
    speech->report(delivery, request);
}

/* Whoever answered 2xx has taken the callback over: it may not be lost from here on. */
static void log_acknowledged(struct sim_delivery *delivery)
{
    struct sim *sim = delivery->sim;
    if (sim->callback_log_fd < 0 || !is_report(delivery->event))
        return;
    build(delivery);
    buf_clear(&sim->line);
    buf_adds(&sim->line, "{\"at_ms\":");
    buf_addint(&sim->line, clock_wall_ms());
    json_kstr(&sim->line, "url", buf_span(&sim->request.url));
    json_kstr(&sim->line, "body", buf_span(&sim->request.body));
    buf_adds(&sim->line, "}\n");
    ssize_t wrote = write(sim->callback_log_fd, sim->line.p, sim->line.n);
    if (wrote != (ssize_t)sim->line.n)
        LOG_LIMITED(LOG_LEVEL_ERROR, "callback log is incomplete", LOG_STR("error", strerror(errno)));
}

/* ---- what becomes of one ---- */

/* Settled, one way or the other: its call, if it still has one, may go on. */
static void settle(struct sim_delivery *delivery, bool acknowledged)
{
    struct sim_call *call = delivery->call;
    struct sim_stats *stats = &delivery->sim->stats;
    if (call) {
        call->deliveries--;
        if (is_report(delivery->event)) {
            stats->callbacks_acknowledged += acknowledged;
            stats->callbacks_given_up += !acknowledged;
            sim_first_heard(call);
        }
    }
    free(delivery);
}

static void instructions_failed(struct sim_delivery *delivery)
{
    struct sim_call *call = delivery->call;
    call->sim->stats.instructions_failed++;
    if (delivery->event == SIM_EVENT_INSTRUCTIONS && call->order.fallback.n &&
        call->phase == SIM_PHASE_ANSWERED)
        sim_deliver(call, SIM_EVENT_FALLBACK);
    else
        sim_life_instructions_failed(call);
}

static void instructions_came(struct sim_delivery *delivery, const struct http_reply *reply, unsigned ended)
{
    if (ended == 0 && delivery->call->speech->understood(reply->body))
        delivery->sim->stats.instructions_understood++;
    else
        instructions_failed(delivery);
}

static void again(struct sim_timer *timer)
{
    struct sim_delivery *delivery =
        (struct sim_delivery *)((char *)timer - offsetof(struct sim_delivery, timer));
    unlink_from(&delivery->sim->waiting, delivery);
    enqueue(delivery);
    pump(delivery->sim);
}

static void wait_until(struct sim_delivery *delivery, int64_t due_us)
{
    append(&delivery->sim->waiting, delivery);
    sim_timer_set(delivery->sim->timers, &delivery->timer, due_us, again);
}

static void on_reply(const struct http_reply *reply, void *arg)
{
    struct sim_delivery *delivery = arg;
    struct sim *sim = delivery->sim;
    unsigned ended = sim_retry_class(reply);
    int64_t wait_ms, now_us = clock_mono_us();
    unlink_from(&sim->out, delivery);
    sim->stats.out--;
    if (!delivery->call) {
        free(delivery);
    } else if (ended && sim_retry_again(&delivery->rule, ended, delivery->tries,
                                        (now_us - delivery->first_us) / 1000, &wait_ms)) {
        wait_until(delivery, now_us + wait_ms * 1000);
    } else {
        if (ended)
            LOG_LIMITED(LOG_LEVEL_WARN, "callback given up", LOG_INT("status", reply->status),
                        LOG_STR("error", reply->error), LOG_INT("tries", delivery->tries));
        if (!ended)
            log_acknowledged(delivery);
        if (asks(delivery))
            instructions_came(delivery, reply, ended);
        settle(delivery, ended == 0);
    }
    pump(sim);
}

/* ---- sending ---- */

static void send_one(struct sim_delivery *delivery, struct http_slot *slot)
{
    struct sim *sim = delivery->sim;
    int64_t now_us = clock_mono_us();
    build(delivery);
    go_via(sim, &sim->request.url);
    if (delivery->first_us == 0)
        delivery->first_us = now_us;
    int64_t left_ms = delivery->rule.total_ms - (now_us - delivery->first_us) / 1000;
    const struct http_limits limits = {
        .timeout_ms = left_ms < 1                        ? 1
                      : left_ms < delivery->rule.read_ms ? left_ms
                                                         : delivery->rule.read_ms,
        .connect_timeout_ms = delivery->rule.connect_ms,
        .idle_timeout_ms = IDLE_CONNECTION_MS,
    };
    delivery->tries++;
    if (is_report(delivery->event))
        sim->stats.callback_requests++;
    append(&sim->out, delivery);
    sim->stats.out++;
    http_send(sim->client, &slot, &sim->request, &limits, on_reply, delivery);
}

static void pump(struct sim *sim)
{
    while (sim->queue.first) {
        struct http_slot *slot = http_slot_take(sim->client);
        if (!slot)
            return;
        struct sim_delivery *delivery = sim->queue.first;
        unlink_from(&sim->queue, delivery);
        sim->stats.queued--;
        send_one(delivery, slot);
    }
}

static void start(struct sim_delivery *delivery, int64_t delay_ms)
{
    struct sim *sim = delivery->sim;
    if (delay_ms > 0) {
        wait_until(delivery, clock_mono_us() + delay_ms * 1000);
        return;
    }
    enqueue(delivery);
    pump(sim);
}

/* ---- events ---- */

static bool is_wanted(const struct sim_call *call, enum sim_event event)
{
    if (!is_report(event))
        return true;
    if (call->order.callback.n == 0 || !(call->order.wants & (1U << event)) ||
        sim_has(&call->fate, SIM_NEVER))
        return false;
    return event < SIM_EVENT_FINAL || !sim_has(&call->fate, SIM_NO_FINAL);
}

static void duplicate(const struct sim_delivery *delivery, int64_t delay_ms)
{
    struct sim_delivery *copy = mem_alloc(sizeof *copy);
    *copy = *delivery;
    copy->next = copy->prev = NULL;
    copy->timer = (struct sim_timer){0};
    copy->call->deliveries++;
    copy->sim->stats.callbacks++;
    copy->sim->stats.instructions += asks(copy);
    start(copy, delay_ms);
}

static void dispatch(struct sim_delivery *delivery, int64_t delay_ms)
{
    const struct sim_call *call = delivery->call;
    if (is_report(delivery->event)) {
        delay_ms += sim_has(&call->fate, SIM_LATE) ? call->sim->switches.late_ms : 0;
        if (sim_has(&call->fate, SIM_DUPLICATE))
            duplicate(delivery, delay_ms + DUPLICATE_AFTER_MS);
    }
    start(delivery, delay_ms);
}

void sim_deliver(struct sim_call *call, enum sim_event event)
{
    if (call->sim->switches.callbacks && is_wanted(call, event)) {
        struct sim_delivery *delivery = delivery_new(call, event);
        if (is_report(event) && sim_has(&call->fate, SIM_REORDER)) {
            delivery->next = call->held;
            call->held = delivery;
        } else {
            dispatch(delivery, event == SIM_EVENT_CLOSED ? CLOSED_AFTER_MS : 0);
        }
    }
}

/* The newest leaves first. */
void sim_deliver_ended(struct sim_call *call)
{
    int64_t delay_ms = 0;
    while (call->held) {
        struct sim_delivery *delivery = call->held;
        call->held = delivery->next;
        delivery->next = NULL;
        dispatch(delivery, delay_ms);
        delay_ms += REORDER_STEP_MS;
    }
}

/* ---- dropping ---- */

void sim_deliver_drop_held(struct sim_call *call)
{
    while (call->held) {
        struct sim_delivery *delivery = call->held;
        call->held = delivery->next;
        free(delivery);
    }
}

/* What is out cannot be called back while there is a client: it loses its call and is freed when its reply
 * comes. */
static void drop_out(struct sim *sim)
{
    for (struct sim_delivery *delivery = sim->out.first, *next; delivery; delivery = next) {
        next = delivery->next;
        delivery->call = NULL;
        if (!sim->client)
            free(delivery);
    }
    if (!sim->client)
        sim->out = (struct sim_deliveries){0};
}

static void drop_list(struct sim *sim, struct sim_deliveries *list)
{
    for (struct sim_delivery *delivery = list->first, *next; delivery; delivery = next) {
        next = delivery->next;
        sim_timer_stop(sim->timers, &delivery->timer);
        free(delivery);
    }
    *list = (struct sim_deliveries){0};
}

void sim_deliver_drop_all(struct sim *sim)
{
    drop_list(sim, &sim->waiting);
    drop_list(sim, &sim->queue);
    drop_out(sim);
}
