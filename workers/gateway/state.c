#include "workers/gateway/state.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "workers/calls/record.h"
#include "workers/calls/summary.h"
#include "workers/gateway/lookup.h"
#include "workers/gateway/respond.h"

enum { JSON_MAX = 4 * 1024 * 1024 };

/* Somebody who wants to see a call or a campaign. */
struct state {
    struct lookup lookup; /* first: lookup.h frees through it */
    struct buf text;      /* the names, as summary_key and id point to them */
    struct span id;       /* "tenant/call_id" */
    struct summary_key key;
};

static struct state *state_of(struct lookup *lookup)
{
    return (struct state *)(void *)lookup;
}

static void state_free(struct lookup *lookup)
{
    struct state *state = state_of(lookup);
    buf_done(&state->text);
    free(state);
}

static void give_up(struct lookup *lookup)
{
    respond_unavailable(lookup->g, lookup->req, "Redis does not answer");
}

static void give_json(struct state *state, struct buf *json)
{
    if (buf_ok(json))
        respond_json(state->lookup.g, state->lookup.req, 200, buf_span(json));
    else
        respond_error(state->lookup.g, state->lookup.req, 500, "the answer is too large");
    buf_done(json);
}

/* `names` become "first/second" in the state's own text. */
static struct state *state_new(struct gateway *g, struct httpd_request *req, void (*ask)(struct lookup *),
                               struct span first, struct span second)
{
    struct state *state = mem_calloc(1, sizeof(*state));
    state->lookup = (struct lookup){.g = g, .req = req, .ask = ask, .give_up = give_up, .free = state_free};
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
    if (!lookup_answered(&state->lookup) || lookup_unreadable(&state->lookup, status) || status != STORE_OK)
        return;
    if (record == NULL) {
        respond_error(state->lookup.g, state->lookup.req, 404, "no such call");
    } else {
        buf_init(&json, JSON_MAX);
        record_add_json(&json, record);
        give_json(state, &json);
    }
    lookup_end(&state->lookup);
}

static void ask_call(struct lookup *lookup)
{
    record_read(lookup->g->worker.store, state_of(lookup)->id, on_record, lookup);
}

void state_call(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    lookup_start(&state_new(g, req, ask_call, route->tenant, route->call_id)->lookup);
}

/* ---- a campaign ---- */

static void on_summary(enum store_status status, const struct summary *summary, void *arg)
{
    struct state *state = arg;
    struct buf json;
    if (!lookup_answered(&state->lookup) || status != STORE_OK)
        return;
    if (summary == NULL) {
        respond_error(state->lookup.g, state->lookup.req, 404, "no such campaign");
    } else {
        buf_init(&json, JSON_MAX);
        summary_add_json(&json, &state->key, summary, 0, loop_wall_ms(state->lookup.g->worker.loop));
        give_json(state, &json);
    }
    lookup_end(&state->lookup);
}

static void ask_campaign(struct lookup *lookup)
{
    summary_read(lookup->g->worker.store, &state_of(lookup)->key, on_summary, lookup);
}

void state_campaign(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    lookup_start(&state_new(g, req, ask_campaign, route->tenant, route->campaign)->lookup);
}
