#include "tests/simulator/simulator.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/http/jwt.h"
#include "common/run/log.h"

enum {
    MAX_BODY = 64 * 1024,
    MAX_KEY = 16 * 1024,
    MAX_CONNECTIONS = 20000,
    IDLE_MS = 60000,
    FIRST_CALLS = 1024
};

static const struct sim_speech *const sim_speeches[] = {&sim_twilio, &sim_africastalking, &sim_vonage};

/* ---- the store of calls ---- */

struct sim_call *sim_numbered(const struct sim *sim, uint64_t number)
{
    if (number < sim->first_number || number >= sim->next_number)
        return NULL;
    return sim->calls[number & (sim->calls_cap - 1)];
}

void sim_call_bits(const struct sim_call *call, uint64_t bits[2])
{
    const struct sim *sim = call->sim;
    bits[0] = sim_mix(sim->instance[0], call->number);
    bits[1] = sim->instance[1] ^ call->number;
}

struct sim_call *sim_find(struct sim *sim, const uint64_t bits[2])
{
    uint64_t number = bits[1] ^ sim->instance[1];
    struct sim_call *call = sim_numbered(sim, number);
    return call && call->fate.exists && sim_mix(sim->instance[0], number) == bits[0] ? call : NULL;
}

static struct sim_call *existing_from(struct sim *sim, uint64_t number)
{
    struct sim_call *call = sim_numbered(sim, number);
    while (call && !call->fate.exists)
        call = sim_numbered(sim, call->previous_to);
    return call;
}

struct sim_call *sim_find_to(struct sim *sim, struct span to)
{
    struct sim_tally_row *row = sim_tally_find(&sim->by_to, sim_hash(0, to));
    return row ? existing_from(sim, row->last) : NULL;
}

struct sim_call *sim_find_previous(struct sim *sim, const struct sim_call *call)
{
    return existing_from(sim, call->previous_to);
}

static void call_free(struct sim_call *call)
{
    sim_timer_stop(call->sim->timers, &call->life);
    sim_timer_stop(call->sim->timers, &call->reply);
    sim_deliver_drop_held(call);
    free(call);
}

/* The oldest calls go first, and only those that nothing waits for. */
static void forget_old(struct sim *sim)
{
    while (sim->next_number - sim->first_number > (uint64_t)sim->config.keep) {
        struct sim_call *oldest = sim_numbered(sim, sim->first_number);
        bool over = oldest->phase == SIM_PHASE_REFUSED || oldest->phase == SIM_PHASE_ENDED;
        if (!over || oldest->deliveries || oldest->req)
            return;
        sim->first_number++;
        call_free(oldest);
    }
}

static void store(struct sim *sim, struct sim_call *call)
{
    forget_old(sim);
    uint64_t n = sim->next_number - sim->first_number;
    if (n == sim->calls_cap) {
        size_t cap = sim->calls_cap ? sim->calls_cap * 2 : FIRST_CALLS;
        struct sim_call **calls = mem_alloc(cap * sizeof(struct sim_call *));
        for (uint64_t i = sim->first_number; i < sim->next_number; i++)
            calls[i & (cap - 1)] = sim->calls[i & (sim->calls_cap - 1)];
        free(sim->calls);
        sim->calls = calls;
        sim->calls_cap = cap;
    }
    call->number = sim->next_number++;
    sim->calls[call->number & (sim->calls_cap - 1)] = call;
}

/* ---- placing ---- */

struct span sim_without_fragment(struct span url)
{
    const char *mark = url.n ? memchr(url.p, '#', url.n) : NULL;
    return mark ? span_of(url.p, (size_t)(mark - url.p)) : url;
}

static struct span keep_text(char **at, struct span text)
{
    if (text.n == 0)
        return SPAN_NONE;
    memcpy(*at, text.p, text.n);
    struct span kept = span_of(*at, text.n);
    *at += text.n;
    return kept;
}

static struct sim_call *call_new(struct sim *sim, const struct sim_speech *speech,
                                 const struct sim_order *order)
{
    size_t n = order->to.n + order->from.n + order->callback.n + order->instructions.n + order->fallback.n +
               order->document.n + order->reference.n;
    struct sim_call *call = mem_alloc(sizeof *call + n);
    *call = (struct sim_call){.sim = sim, .speech = speech, .order = *order};
    char *at = call->text;
    call->order.to = keep_text(&at, order->to);
    call->order.from = keep_text(&at, order->from);
    call->order.callback = keep_text(&at, order->callback);
    call->order.instructions = keep_text(&at, order->instructions);
    call->order.fallback = keep_text(&at, order->fallback);
    call->order.document = keep_text(&at, order->document);
    call->order.reference = keep_text(&at, order->reference);
    call->order.identity = SPAN_NONE; /* used up by decide() */
    return call;
}

/* Decides what becomes of it, from what was counted before it, and counts it. */
static void decide(struct sim_call *call, struct span identity)
{
    struct sim *sim = call->sim;
    struct sim_stats *stats = &sim->stats;
    struct sim_tally_row *to = sim_tally_at(&sim->by_to, sim_hash(0, call->order.to));
    struct sim_tally_row *attempt = sim_tally_at(&sim->by_attempt, sim_hash(0, identity));
    const struct sim_asked asked = {sim->config.seed, call->order.to, identity, to->asked, attempt->asked};
    call->fate = sim_decide(&sim->switches, &asked);
    enum sim_fault fault = sim_reply_fault(&call->fate);
    bool open = fault == SIM_FAULTS || sim_faults[fault].exists == SIM_EXISTS_MAYBE;
    stats->placements++;
    stats->risked_again_by_attempt += attempt->open > 0;
    for (uint32_t left = call->fate.faults; left; left &= left - 1)
        stats->faults[__builtin_ctz(left)]++;
    to->asked++;
    attempt->asked++;
    attempt->open += open;
    call->previous_to = to->last;
    to->last = sim->next_number;
    if (!call->fate.exists)
        return;
    stats->dialled++;
    stats->dialled_again_by_to += to->dialled++ > 0;
    stats->dialled_again_by_attempt += attempt->dialled++ > 0;
}

/* Appended before anything is answered, with one write a line, so that a reader never sees a call that it
 * cannot find. */
static void log_placement(struct sim *sim, const struct sim_call *call)
{
    if (sim->log_fd < 0)
        return;
    buf_clear(&sim->line);
    sim_add_placement(&sim->line, call);
    ssize_t wrote = write(sim->log_fd, sim->line.p, sim->line.n);
    if (wrote != (ssize_t)sim->line.n)
        LOG_LIMITED(LOG_LEVEL_ERROR, "placement log is incomplete", LOG_STR("error", strerror(errno)));
}

static struct sim_call *call_of_reply(struct sim_timer *timer)
{
    return (struct sim_call *)((char *)timer - offsetof(struct sim_call, reply));
}

/* Nobody waits for ever: the connection of a placement that is never answered is closed in the end. */
static void hang_is_over(struct sim_timer *timer)
{
    struct sim_call *call = call_of_reply(timer);
    struct httpd_request *req = call->req;
    call->req = NULL;
    httpd_drop(req, false);
}

static void give_reply(struct sim_call *call, enum sim_fault fault)
{
    struct httpd_request *req = call->req;
    call->req = NULL;
    if (fault == SIM_RESET || fault == SIM_CLOSE)
        httpd_drop(req, fault == SIM_RESET);
    else
        call->speech->answer(call, fault, req);
}

/* The response is due: it leaves, or what the fault puts in its place happens; and the call's life begins. */
static void respond(struct sim_call *call)
{
    struct sim *sim = call->sim;
    enum sim_fault fault = sim_reply_fault(&call->fate);
    if (fault == SIM_TIMEOUT)
        sim_timer_set(sim->timers, &call->reply, clock_mono_us() + sim->config.hang_ms * 1000, hang_is_over);
    else
        give_reply(call, fault);
    if (call->fate.exists && call->phase == SIM_PHASE_REFUSED)
        sim_life_begin(call);
}

static void reply_is_due(struct sim_timer *timer)
{
    respond(call_of_reply(timer));
}

void sim_first_heard(struct sim_call *call)
{
    if (call->heard)
        return;
    call->heard = true;
    if (call->req && sim_has(&call->fate, SIM_EARLY) && !sim_timer_is_set(&call->reply))
        respond(call);
}

static bool reports_anything(const struct sim_call *call)
{
    return call->sim->switches.callbacks && call->order.callback.n && call->order.wants &&
           !sim_has(&call->fate, SIM_NEVER) && !sim_has(&call->fate, SIM_REORDER);
}

void sim_place(struct sim *sim, const struct sim_speech *speech, const struct sim_order *order,
               struct httpd_request *req)
{
    int64_t now_us = clock_mono_us();
    struct sim_call *call = call_new(sim, speech, order);
    /* Whoever gives nothing to be known by is known by the number called. */
    decide(call, order->identity.n ? order->identity : order->to);
    store(sim, call);
    call->req = req;
    call->placed_wall_ms = httpd_received_wall_ms(req);
    call->placed_mono_us = now_us;
    sim_window_add(&sim->window, now_us);
    sim_rates_add(&sim->rates, speech->name, call->order.from, now_us);
    log_placement(sim, call);
    if (sim_has(&call->fate, SIM_EARLY) && reports_anything(call))
        sim_life_begin(call);
    else if (call->fate.latency_ms == 0)
        respond(call);
    else
        sim_timer_set(sim->timers, &call->reply, now_us + call->fate.latency_ms * 1000, reply_is_due);
}

/* ---- start, reset, stop ---- */

static void on_request(struct httpd_request *req, void *arg)
{
    struct sim *sim = arg;
    struct span path = httpd_path(req);
    for (size_t i = 0; i < sizeof sim_speeches / sizeof sim_speeches[0]; i++) {
        if (sim_speeches[i]->owns(path)) {
            sim_speeches[i]->request(sim, req);
            return;
        }
    }
    if (!sim_control(sim, req))
        httpd_reply(req, 404, "text/plain", SPAN_LIT("no such path; ivr-simulator --help lists them\n"),
                    NULL);
}

static void forget_all(struct sim *sim)
{
    sim_deliver_drop_all(sim);
    for (; sim->first_number < sim->next_number; sim->first_number++) {
        struct sim_call *call = sim_numbered(sim, sim->first_number);
        struct httpd_request *req = call->req;
        if (req && sim->httpd)
            httpd_drop(req, false);
        call_free(call);
    }
    sim_tally_done(&sim->by_to);
    sim_tally_done(&sim->by_attempt);
    sim_window_done(&sim->window);
    sim_rates_done(&sim->rates);
}

void sim_reset(struct sim *sim)
{
    uint64_t out = sim->stats.out;
    forget_all(sim);
    sim->stats = (struct sim_stats){.out = out};
    sim->switches = sim->config.switches;
}

static int open_log(int *fd, const char *path, struct err *err)
{
    *fd = -1;
    if (!path)
        return 0;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (*fd >= 0)
        return 0;
    return err_set(err, ERR_CONFIG, "cannot append to %s: %s", path, strerror(errno));
}

static int open_logs(struct sim *sim, struct err *err)
{
    int rc = open_log(&sim->log_fd, sim->config.log_path, err);
    int rc_callbacks = open_log(&sim->callback_log_fd, sim->config.callback_log_path, err);
    return rc ? rc : rc_callbacks;
}

static int open_vonage_key(struct sim *sim, struct err *err)
{
    char pem[MAX_KEY];
    const char *path = sim->config.vonage.public_key_path;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (!path)
        return 0;
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot read %s: %s", path, strerror(errno));
    ssize_t n = read(fd, pem, sizeof pem);
    close(fd);
    struct span text = span_of(pem, n > 0 ? (size_t)n : 0);
    /* The private key has the public one in it, and is what whoever writes a channel has at hand. */
    if (jwt_key_new(&sim->vonage_key, text, NULL) && jwt_public_key_new(&sim->vonage_key, text, err)) {
        err->code = ERR_CONFIG;
        return err_prefix(err, "%s", path);
    }
    return 0;
}

static int open_parts(struct sim *sim, struct err *err)
{
    const struct http_client_options client = {.max_transfers = sim->config.transfers,
                                               .user_agent = "TwilioProxy/1.1"};
    const struct httpd_options server = {.listen = sim->config.listen,
                                         .max_body = MAX_BODY,
                                         .max_connections = MAX_CONNECTIONS,
                                         .idle_timeout_ms = IDLE_MS,
                                         .handler = on_request,
                                         .arg = sim};
    int rc = open_logs(sim, err);
    if (rc == 0)
        rc = open_vonage_key(sim, err);
    if (rc == 0)
        rc = sim_timers_new(&sim->timers, sim->loop, err);
    if (rc == 0)
        rc = http_client_new(&sim->client, sim->loop, &client, err);
    if (rc == 0)
        rc = httpd_start(&sim->httpd, sim->loop, &server, err);
    return rc;
}

int sim_start(struct sim *sim, struct loop *loop, const struct sim_config *config, struct err *err)
{
    *sim = (struct sim){.config = *config, .switches = config->switches, .loop = loop};
    sim->first_number = sim->next_number = 1;
    crypto_random(sim->instance, sizeof sim->instance);
    buf_init(&sim->line, 256 * 1024);
    buf_init(&sim->body, 256 * 1024);
    http_request_init(&sim->request);
    int rc = open_parts(sim, err);
    if (rc) {
        sim_stop(sim);
        return rc;
    }
    LOG_INFO("simulator is ready", LOG_STR("simulator_listen", httpd_address(sim->httpd)));
    return 0;
}

void sim_stop(struct sim *sim)
{
    httpd_stop(&sim->httpd); /* unanswered placements end with it */
    http_client_free(&sim->client);
    if (sim->timers)
        forget_all(sim);
    sim_timers_free(&sim->timers);
    http_request_done(&sim->request);
    buf_done(&sim->line);
    buf_done(&sim->body);
    free(sim->calls);
    jwt_key_free(&sim->vonage_key);
    if (sim->log_fd >= 0)
        close(sim->log_fd);
    if (sim->callback_log_fd >= 0)
        close(sim->callback_log_fd);
}
