/*
 * The simulator's own HTTP interface (simulator.h lists it).
 *
 * GET /_sim/stats: placements, dialled, refused_requests, dialled_again_by_attempt, dialled_again_by_to,
 * risked_again_by_attempt, in_progress, in_progress_peak, lookups, hangups, max_placements_in_a_second,
 * unanswered (placements), ended {outcome: n}, faults {name: n}, callbacks {events, requests, acknowledged,
 * given_up}, channels {"PROVIDER FROM": {placements, max_placements_in_a_second}}, instructions {requests,
 * understood, failed}, deliveries {waiting for a transfer, their peak, out}.
 */
#include "tests/simulator/simulator.h"

#include <string.h>

#include "common/json/json.h"

enum { MAX_ANSWER = 512 * 1024 * 1024 };

static void add_counters(struct buf *out, const struct sim *sim)
{
    const struct sim_stats *s = &sim->stats;
    json_kint(out, "placements", (int64_t)s->placements);
    json_kint(out, "dialled", (int64_t)s->dialled);
    json_kint(out, "refused_requests", (int64_t)s->refused_requests);
    json_kint(out, "dialled_again_by_attempt", (int64_t)s->dialled_again_by_attempt);
    json_kint(out, "dialled_again_by_to", (int64_t)s->dialled_again_by_to);
    json_kint(out, "risked_again_by_attempt", (int64_t)s->risked_again_by_attempt);
    json_kint(out, "in_progress", (int64_t)s->in_progress);
    json_kint(out, "in_progress_peak", (int64_t)s->in_progress_peak);
    json_kint(out, "lookups", (int64_t)s->lookups);
    json_kint(out, "hangups", (int64_t)s->hangups);
    json_kint(out, "max_placements_in_a_second", (int64_t)sim->window.most);
    json_kint(out, "unanswered", (int64_t)httpd_open_requests(sim->httpd) - 1); /* all but the one for this */
}

static void add_named(struct buf *out, const struct sim *sim)
{
    json_key(out, "ended");
    buf_addc(out, '{');
    for (int i = 0; i < SIM_OUTCOMES; i++)
        json_kint(out, sim_outcome_names[i], (int64_t)sim->stats.ended[i]);
    buf_addc(out, '}');
    json_key(out, "faults");
    buf_addc(out, '{');
    for (int i = 0; i < SIM_FAULTS; i++)
        json_kint(out, sim_faults[i].name, (int64_t)sim->stats.faults[i]);
    buf_addc(out, '}');
}

static void add_requests(struct buf *out, const struct sim_stats *s)
{
    json_key(out, "callbacks");
    buf_addc(out, '{');
    json_kint(out, "events", (int64_t)s->callbacks);
    json_kint(out, "requests", (int64_t)s->callback_requests);
    json_kint(out, "acknowledged", (int64_t)s->callbacks_acknowledged);
    json_kint(out, "given_up", (int64_t)s->callbacks_given_up);
    buf_addc(out, '}');
    json_key(out, "instructions");
    buf_addc(out, '{');
    json_kint(out, "requests", (int64_t)s->instructions);
    json_kint(out, "understood", (int64_t)s->instructions_understood);
    json_kint(out, "failed", (int64_t)s->instructions_failed);
    buf_addc(out, '}');
    json_key(out, "deliveries");
    buf_addc(out, '{');
    json_kint(out, "waiting", (int64_t)s->queued);
    json_kint(out, "waiting_peak", (int64_t)s->queued_peak);
    json_kint(out, "out", (int64_t)s->out);
    buf_addc(out, '}');
}

static void show_stats(struct sim *sim, struct httpd_request *req)
{
    struct buf *out = &sim->body;
    buf_clear(out);
    buf_addc(out, '{');
    add_counters(out, sim);
    add_named(out, sim);
    sim_rates_show(&sim->rates, out);
    add_requests(out, &sim->stats);
    buf_adds(out, "}\n");
    httpd_reply(req, 200, "application/json", buf_span(out), NULL);
}

static void show_placements(struct sim *sim, struct httpd_request *req)
{
    struct buf out;
    buf_init(&out, MAX_ANSWER);
    for (uint64_t number = sim->first_number; number < sim->next_number; number++)
        sim_add_placement(&out, sim_numbered(sim, number));
    if (buf_ok(&out))
        httpd_reply(req, 200, "application/x-ndjson", buf_span(&out), NULL);
    else
        httpd_reply(req, 500, "text/plain", SPAN_LIT("too many placements for one answer; use --log\n"),
                    NULL);
    buf_done(&out);
}

static void show_faults(struct sim *sim, struct httpd_request *req)
{
    buf_clear(&sim->body);
    sim_switches_show(&sim->switches, &sim->body);
    buf_addc(&sim->body, '\n');
    httpd_reply(req, 200, "application/json", buf_span(&sim->body), NULL);
}

static void change_faults(struct sim *sim, struct httpd_request *req)
{
    struct err err = ERR_INIT;
    if (sim_switches_apply(&sim->switches, httpd_body(req), &err) == 0) {
        show_faults(sim, req);
        return;
    }
    buf_clear(&sim->body);
    buf_addc(&sim->body, '{');
    json_kstrz(&sim->body, "error", err.text);
    buf_adds(&sim->body, "}\n");
    httpd_reply(req, 400, "application/json", buf_span(&sim->body), NULL);
}

static void reset(struct sim *sim, struct httpd_request *req)
{
    sim_reset(sim);
    httpd_reply(req, 200, "application/json", SPAN_LIT("{}\n"), NULL);
}

bool sim_control(struct sim *sim, struct httpd_request *req)
{
    static const struct {
        const char *method, *path;
        void (*fn)(struct sim *, struct httpd_request *);
    } table[] = {
        {"GET", "/_sim/stats", show_stats},   {"GET", "/_sim/placements", show_placements},
        {"GET", "/_sim/faults", show_faults}, {"PUT", "/_sim/faults", change_faults},
        {"POST", "/_sim/reset", reset},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (span_is(httpd_path(req), table[i].path) && strcmp(httpd_method(req), table[i].method) == 0) {
            table[i].fn(sim, req);
            return true;
        }
    }
    return false;
}
