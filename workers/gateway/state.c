#include "workers/gateway/state.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "workers/calls/record.h"
#include "workers/calls/summary.h"
#include "workers/gateway/deferred.h"
#include "workers/gateway/respond.h"

enum { JSON_MAX = 4 * 1024 * 1024 };

/* Somebody who wants to see a call or a campaign. */
struct state {
    struct deferred deferred; /* first: deferred.h frees through it */
    struct buf text;          /* the names, as summary_key and id point to them */
    struct span id;           /* "tenant/call_id" */
    struct summary_key key;
};

static struct state *state_of(struct deferred *deferred)
{
    return (struct state *)(void *)deferred;
}

static void state_free(struct deferred *deferred)
{
    struct state *state = state_of(deferred);
    buf_done(&state->text);
    free(state);
}

static void give_up(struct deferred *deferred)
{
    respond_unavailable(deferred->g, deferred->req, "Redis does not answer");
}

static void give_json(struct state *state, struct buf *json)
{
    if (buf_ok(json))
        respond_json(state->deferred.g, state->deferred.req, 200, buf_span(json));
    else
        respond_error(state->deferred.g, state->deferred.req, 500, "the answer is too large");
    buf_done(json);
}

/* `names` become "first/second" in the state's own text. */
static struct state *state_new(struct gateway *g, struct httpd_request *req, void (*ask)(struct deferred *),
                               struct span first, struct span second)
{
    struct state *state = mem_calloc(1, sizeof(*state));
    state->deferred =
        (struct deferred){.g = g, .req = req, .ask = ask, .give_up = give_up, .free = state_free};
    buf_init(&state->text, 256);
    buf_addspan(&state->text, first);
    buf_addc(&state->text, '/');
    buf_addspan(&state->text, second);
    state->id = buf_span(&state->text);
    state->key.tenant = span_of(state->id.p, first.n);
    state->key.campaign = span_of(state->id.p + first.n + 1, second.n);
    return state;
}

/* ---- a call ---- */

static void on_record(enum store_status status, const struct record *record, void *arg)
{
    struct state *state = arg;
    struct buf json;
    if (!deferred_answered(&state->deferred) || deferred_unreadable(&state->deferred, status) ||
        status != STORE_OK)
        return;
    if (record == NULL) {
        respond_error(state->deferred.g, state->deferred.req, 404, "no such call");
    } else {
        buf_init(&json, JSON_MAX);
        record_add_json(&json, record);
        give_json(state, &json);
    }
    deferred_end(&state->deferred);
}

static void ask_call(struct deferred *deferred)
{
    record_read(deferred->g->worker.store, state_of(deferred)->id, on_record, deferred);
}

void state_call(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    deferred_start(&state_new(g, req, ask_call, route->tenant, route->call_id)->deferred);
}

/* ---- a campaign ---- */

static void on_summary(enum store_status status, const struct summary *summary, void *arg)
{
    struct state *state = arg;
    struct buf json;
    if (!deferred_answered(&state->deferred) || status != STORE_OK)
        return;
    if (summary == NULL) {
        respond_error(state->deferred.g, state->deferred.req, 404, "no such campaign");
    } else {
        buf_init(&json, JSON_MAX);
        summary_add_json(&json, &state->key, summary, 0, loop_wall_ms(state->deferred.g->worker.loop));
        give_json(state, &json);
    }
    deferred_end(&state->deferred);
}

static void ask_campaign(struct deferred *deferred)
{
    summary_read(deferred->g->worker.store, &state_of(deferred)->key, on_summary, deferred);
}

void state_campaign(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    deferred_start(&state_new(g, req, ask_campaign, route->tenant, route->campaign)->deferred);
}
