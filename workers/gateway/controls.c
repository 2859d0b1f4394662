#include "workers/gateway/controls.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "workers/contact/contact.h"
#include "workers/contact/dnc.h"
#include "workers/gateway/lookup.h"
#include "workers/gateway/respond.h"

enum { TEXT_MAX = 1024, JSON_MAX = 4096 };

/* Somebody who says something. */
struct saying {
    struct lookup lookup; /* first: lookup.h frees through it */
    struct buf text;      /* what the spans point to */
    struct control control;
    struct span tenant, number; /* of a do-not-call list */
};

static struct saying *saying_of(struct lookup *lookup)
{
    return (struct saying *)(void *)lookup;
}

static void saying_free(struct lookup *lookup)
{
    struct saying *saying = saying_of(lookup);
    buf_done(&saying->text);
    free(saying);
}

static void give_up(struct lookup *lookup)
{
    respond_unavailable(lookup->g, lookup->req,
                        "Redis does not answer: it may hold for a part of the calls, say it again");
}

static struct saying *saying_new(struct gateway *g, struct httpd_request *req, void (*ask)(struct lookup *),
                                 struct span first, struct span second)
{
    struct saying *saying = mem_calloc(1, sizeof(*saying));
    saying->lookup = (struct lookup){.g = g, .req = req, .ask = ask, .give_up = give_up, .free = saying_free};
    buf_init(&saying->text, TEXT_MAX);
    buf_addspan(&saying->text, first);
    if (second.n > 0)
        buf_addc(&saying->text, '/');
    buf_addspan(&saying->text, second);
    return saying;
}

/* ---- pause, resume, cancel ---- */

static void give_state(const struct saying *saying, enum control_state state)
{
    const struct control *control = &saying->control;
    struct buf json;
    buf_init(&json, JSON_MAX);
    buf_addc(&json, '{');
    json_kstrz(&json, "kind", control_kind_name(control->kind));
    json_kstr(&json, "name", control->name);
    json_kstrz(&json, "state", control_state_name(state));
    buf_addc(&json, '}');
    respond_json(saying->lookup.g, saying->lookup.req, 200, buf_span(&json));
    buf_done(&json);
}

static void answer(const struct saying *saying, enum control_state state)
{
    const struct control *control = &saying->control;
    struct gateway *g = saying->lookup.g;
    struct httpd_request *req = saying->lookup.req;
    if (state == CONTROL_UNKNOWN)
        respond_error(g, req, 404, control->kind == CONTROL_CALL ? "no such call" : "no such campaign");
    else if (state == CONTROL_NOT_WAITING)
        respond_error(g, req, 409, "the call is on its way: only one that waits can be paused");
    else if (state == CONTROL_FINAL)
        respond_error(g, req, 409, "the call is over");
    else if (state == CONTROL_CANCELLED && control->what != CONTROL_CANCEL)
        respond_error(g, req, 409, "it is cancelled");
    else
        give_state(saying, state);
}

static void on_set(enum store_status status, enum control_state state, void *arg)
{
    struct saying *saying = arg;
    if (!lookup_answered(&saying->lookup) || lookup_unreadable(&saying->lookup, status) || status != STORE_OK)
        return;
    answer(saying, state);
    lookup_end(&saying->lookup);
}

static void ask_control(struct lookup *lookup)
{
    control_set(lookup->g->worker.store, &saying_of(lookup)->control, on_set, lookup);
}

void controls_say(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    bool channel = route->control_kind == CONTROL_CHANNEL;
    if (channel && route->control_what != CONTROL_RESUME &&
        channels_find(g->worker.channels, route->channel) == NULL) {
        respond_error(g, req, 404, "no such channel");
        return;
    }
    struct span second = route->control_kind == CONTROL_CAMPAIGN ? route->campaign : route->call_id;
    struct saying *saying = saying_new(g, req, ask_control, channel ? route->channel : route->tenant, second);
    saying->control = (struct control){.what = route->control_what,
                                       .kind = route->control_kind,
                                       .name = buf_span(&saying->text),
                                       .ahead = span_is(httpd_query(req), "ahead=true")};
    lookup_start(&saying->lookup);
}

/* ---- do-not-call lists ---- */

static void give_listed(struct saying *saying, bool listed)
{
    struct buf json;
    buf_init(&json, JSON_MAX);
    buf_addc(&json, '{');
    json_kstr(&json, "list", saying->tenant);
    json_kbool(&json, "listed", listed);
    buf_addc(&json, '}');
    respond_json(saying->lookup.g, saying->lookup.req, 200, buf_span(&json));
    buf_done(&json);
    lookup_end(&saying->lookup);
}

static void on_looked(enum store_status status, enum contact_what what, void *arg)
{
    struct saying *saying = arg;
    if (lookup_answered(&saying->lookup) && status == STORE_OK)
        give_listed(saying, what == CONTACT_LISTED);
}

static void on_added(enum store_status status, bool changed, void *arg)
{
    struct saying *saying = arg;
    (void)changed;
    if (lookup_answered(&saying->lookup) && status == STORE_OK)
        give_listed(saying, true);
}

static void on_removed(enum store_status status, bool changed, void *arg)
{
    struct saying *saying = arg;
    (void)changed;
    if (lookup_answered(&saying->lookup) && status == STORE_OK)
        give_listed(saying, false);
}

static void ask_look(struct lookup *lookup)
{
    struct saying *saying = saying_of(lookup);
    const struct contact contact = {.tenant = saying->tenant, .number = saying->number};
    contact_ask(lookup->g->worker.store, &contact, on_looked, saying);
}

static void ask_add(struct lookup *lookup)
{
    struct saying *saying = saying_of(lookup);
    dnc_add(lookup->g->worker.store, saying->tenant, saying->number, on_added, saying);
}

static void ask_remove(struct lookup *lookup)
{
    struct saying *saying = saying_of(lookup);
    dnc_remove(lookup->g->worker.store, saying->tenant, saying->number, on_removed, saying);
}

void controls_dnc(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    const char *method = httpd_method(req);
    void (*ask)(struct lookup *) = strcmp(method, "PUT") == 0      ? ask_add
                                   : strcmp(method, "DELETE") == 0 ? ask_remove
                                                                   : ask_look;
    struct saying *saying = saying_new(g, req, ask, route->tenant, route->number);
    saying->tenant = span_of(saying->text.p, route->tenant.n);
    saying->number = span_of(saying->text.p + route->tenant.n + 1, route->number.n);
    lookup_start(&saying->lookup);
}
