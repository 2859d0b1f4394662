#include "workers/gateway/controls.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "workers/calls/audit.h"
#include "workers/contact/contact.h"
#include "workers/contact/dnc.h"
#include "workers/gateway/deferred.h"
#include "workers/gateway/respond.h"

enum { TEXT_MAX = 1024, JSON_MAX = 4096, BODY_MAX = 64 * 1024 };

/* A request that says or asks something of calls or of a do-not-call list. */
struct control_request {
    struct deferred deferred; /* first: deferred.h frees through it */
    struct buf text;          /* what the spans point to */
    struct buf audit;         /* what ivr.audit is to say */
    struct buf reason;        /* of the body */
    struct control control;
    struct span tenant, number; /* of a do-not-call list */
};

static struct control_request *control_request_of(struct deferred *deferred)
{
    return (struct control_request *)(void *)deferred;
}

static void control_request_free(struct deferred *deferred)
{
    struct control_request *request = control_request_of(deferred);
    buf_done(&request->text);
    buf_done(&request->audit);
    buf_done(&request->reason);
    free(request);
}

static void give_up(struct deferred *deferred)
{
    respond_unavailable(deferred->g, deferred->req,
                        "Redis does not answer: it may hold for a part of the calls, say it again");
}

static struct control_request *control_request_new(struct gateway *g, struct httpd_request *req,
                                                   void (*ask)(struct deferred *), struct span first,
                                                   struct span second)
{
    struct control_request *request = mem_calloc(1, sizeof(*request));
    request->deferred =
        (struct deferred){.g = g, .req = req, .ask = ask, .give_up = give_up, .free = control_request_free};
    buf_init(&request->text, TEXT_MAX);
    buf_init(&request->audit, 2 * AUDIT_MAX);
    buf_init(&request->reason, BODY_MAX);
    buf_addspan(&request->text, first);
    if (second.n > 0)
        buf_addc(&request->text, '/');
    buf_addspan(&request->text, second);
    return request;
}

/* ---- pause, resume, cancel ---- */

static void give_state(const struct control_request *request, const struct control_result *result)
{
    const struct control *control = &request->control;
    struct buf json;
    buf_init(&json, JSON_MAX);
    buf_addc(&json, '{');
    json_kstrz(&json, "kind", control_kind_name(control->kind));
    json_kstr(&json, "name", control->name);
    json_kstrz(&json, "state", control_state_name(result->state));
    json_kint(&json, "affected", control->affected);
    buf_addc(&json, '}');
    respond_json(request->deferred.g, request->deferred.req, 200, buf_span(&json));
    buf_done(&json);
}

static void answer(const struct control_request *request, const struct control_result *result)
{
    enum control_state state = result->state;
    const struct control *control = &request->control;
    struct gateway *g = request->deferred.g;
    struct httpd_request *req = request->deferred.req;
    if (state == CONTROL_UNKNOWN)
        respond_error(g, req, 404, control->kind == CONTROL_CALL ? "no such call" : "no such campaign");
    else if (state == CONTROL_NOT_WAITING)
        respond_error(g, req, 409, "the call is on its way: only one that waits can be paused");
    else if (state == CONTROL_FINAL)
        respond_error(g, req, 409, "the call is over");
    else if (state == CONTROL_CANCELLED && control->what != CONTROL_CANCEL)
        respond_error(g, req, 409, "it is cancelled");
    else
        give_state(request, result);
}

static void on_set(enum store_status status, const struct control_result *result, void *arg)
{
    struct control_request *request = arg;
    if (!deferred_answered(&request->deferred) || deferred_unreadable(&request->deferred, status) ||
        status != STORE_OK)
        return;
    answer(request, result);
    deferred_end(&request->deferred);
}

static void ask_control(struct deferred *deferred)
{
    control_set(deferred->g->worker.store, &control_request_of(deferred)->control, on_set, deferred);
}

/* {"reason": TEXT}, or nothing. False when it is something else: answered with 400. */
static bool read_reason(struct gateway *g, struct httpd_request *req, struct control_request *request)
{
    struct span body = httpd_body(req);
    struct err err = ERR_INIT;
    if (body.n == 0)
        return true;
    json_t *json = json_parse(body, BODY_MAX, &err);
    const json_t *reason = json_object_get(json, "reason");
    bool good = json_is_object(json) && (reason == NULL || json_is_string(reason));
    if (good && reason != NULL)
        buf_add(&request->reason, json_string_value(reason), json_string_length(reason));
    json_decref(json);
    if (!good)
        respond_error(g, req, 400, "the body is optional: {\"reason\": \"a text\"}");
    return good;
}

/* Who has the token is all that is known of who says it. */
static void add_audit(struct control_request *request, const char *action, struct span tenant,
                      struct span target, struct span number)
{
    audit_begin(&request->audit, &(struct audit){.actor_kind = "token",
                                                 .actor = SPAN_LIT("api-token"),
                                                 .from = "http",
                                                 .action = action,
                                                 .tenant = tenant,
                                                 .target = target,
                                                 .number = number,
                                                 .reason = buf_span(&request->reason)});
}

static void audit_control(struct control_request *request, const struct route *route)
{
    static const char *const actions[] = {
        [CONTROL_PAUSE] = "pause", [CONTROL_RESUME] = "resume", [CONTROL_CANCEL] = "cancel"};
    struct control *control = &request->control;
    struct buf target;
    buf_init(&target, AUDIT_MAX);
    buf_addf(&target, "%s:%.*s", control_kind_name(control->kind), SPAN_ARG(control->name));
    add_audit(request, actions[control->what], control->kind == CONTROL_CHANNEL ? SPAN_NONE : route->tenant,
              buf_span(&target), SPAN_NONE);
    control->audit = buf_span(&request->audit);
    buf_done(&target);
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
    struct control_request *request =
        control_request_new(g, req, ask_control, channel ? route->channel : route->tenant, second);
    request->control = (struct control){.what = route->control_what,
                                        .kind = route->control_kind,
                                        .name = buf_span(&request->text),
                                        .ahead = span_is(httpd_query(req), "ahead=true")};
    if (!read_reason(g, req, request)) {
        control_request_free(&request->deferred);
        return;
    }
    audit_control(request, route);
    deferred_start(&request->deferred);
}

/* ---- do-not-call lists ---- */

static void give_listed(struct control_request *request, bool listed)
{
    struct buf json;
    buf_init(&json, JSON_MAX);
    buf_addc(&json, '{');
    json_kstr(&json, "list", request->tenant);
    json_kbool(&json, "listed", listed);
    buf_addc(&json, '}');
    respond_json(request->deferred.g, request->deferred.req, 200, buf_span(&json));
    buf_done(&json);
    deferred_end(&request->deferred);
}

static void on_listed(enum store_status status, enum contact_what what, void *arg)
{
    struct control_request *request = arg;
    if (deferred_answered(&request->deferred) && status == STORE_OK)
        give_listed(request, what == CONTACT_LISTED);
}

static void on_added(enum store_status status, bool changed, void *arg)
{
    struct control_request *request = arg;
    (void)changed;
    if (deferred_answered(&request->deferred) && status == STORE_OK)
        give_listed(request, true);
}

static void on_removed(enum store_status status, bool changed, void *arg)
{
    struct control_request *request = arg;
    (void)changed;
    if (deferred_answered(&request->deferred) && status == STORE_OK)
        give_listed(request, false);
}

static void ask_look(struct deferred *deferred)
{
    struct control_request *request = control_request_of(deferred);
    const struct contact contact = {.tenant = request->tenant, .number = request->number};
    contact_ask(deferred->g->worker.store, &contact, on_listed, request);
}

static void ask_add(struct deferred *deferred)
{
    struct control_request *request = control_request_of(deferred);
    dnc_add(deferred->g->worker.store, request->tenant, request->number, buf_span(&request->audit), on_added,
            request);
}

static void ask_remove(struct deferred *deferred)
{
    struct control_request *request = control_request_of(deferred);
    dnc_remove(deferred->g->worker.store, request->tenant, request->number, buf_span(&request->audit),
               on_removed, request);
}

static void audit_edit(struct control_request *request, bool add)
{
    bool all = span_is(request->tenant, DNC_ALL);
    struct buf target;
    buf_init(&target, AUDIT_MAX);
    buf_addf(&target, "dnc:%.*s/", SPAN_ARG(request->tenant));
    phone_add_shown(&target, request->number, PHONE_MASK, SPAN_NONE);
    add_audit(request, add ? "dnc.add" : "dnc.remove", all ? SPAN_NONE : request->tenant, buf_span(&target),
              request->number);
    audit_add_affected(&request->audit, 1);
    buf_done(&target);
}

void controls_dnc(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    const char *method = httpd_method(req);
    void (*ask)(struct deferred *) = strcmp(method, "PUT") == 0      ? ask_add
                                     : strcmp(method, "DELETE") == 0 ? ask_remove
                                                                     : ask_look;
    struct control_request *request = control_request_new(g, req, ask, route->tenant, route->number);
    request->tenant = span_of(request->text.p, route->tenant.n);
    request->number = span_of(request->text.p + route->tenant.n + 1, route->number.n);
    if (ask != ask_look && !read_reason(g, req, request)) {
        control_request_free(&request->deferred);
        return;
    }
    if (ask != ask_look)
        audit_edit(request, ask == ask_add);
    deferred_start(&request->deferred);
}
