/*
 * Vonage's Voice API, as far as outbound calls go:
 *
 *     POST /v1/calls           place
 *     GET  /v1/calls/{uuid}    look up
 *     PUT  /v1/calls/{uuid}    hang up: {"action": "hangup"}
 *
 * What it posts by itself is in vonage_report.c.
 */
#include "tests/simulator/vonage.h"

#include <string.h>
#include <time.h>

#include "common/json/json.h"
#include "tests/simulator/ident.h"
#include "tests/simulator/text.h"

#define VONAGE_PATH "/v1/calls"

enum { MOST = 64 * 1024, LONGEST_RING_S = 120, LONGEST_CALL_S = 86400 };

/* ---- errors ---- */

struct vonage_error {
    int status;
    const char *kind; /* the end of its type */
    const char *title, *detail;
};

static const struct vonage_error no_credentials = {401, "unauthorized", "Unauthorized",
                                                   "You did not provide correct credentials."};
static const struct vonage_error no_resource = {404, "not-found", "Not found.",
                                                "Call does not exist, or you do not have access"};
static const struct vonage_error no_method = {405, "method-not-allowed", "Method Not Allowed", "See the API"};
static const struct vonage_error is_over = {400, "bad-request", "Bad Request", "The call is over already"};

static const struct vonage_error fault_errors[SIM_FAULTS] = {
    [SIM_500] = {500, "server-error", "Internal Server Error", "The server has had an error"},
    [SIM_429] = {429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request"},
    [SIM_503] = {503, "unavailable", "Service Unavailable", "Please try again"},
    [SIM_401] = {401, "unauthorized", "Unauthorized", "You did not provide correct credentials."},
    [SIM_LIMIT] = {429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request"},
};

static void reply_error(struct sim *sim, struct httpd_request *req, const struct vonage_error *error)
{
    struct buf *body = &sim->body;
    buf_clear(body);
    buf_addf(body, "{\"type\":\"https://developer.vonage.com/api-errors#%s\"", error->kind);
    json_kstrz(body, "title", error->title);
    json_kstrz(body, "detail", error->detail);
    json_kstrz(body, "instance", "bf0ca0bf927b3b52e3cb03217e1a1ddf");
    buf_addc(body, '}');
    httpd_reply(req, error->status, "application/json", buf_span(body), NULL);
}

static void refuse(struct sim *sim, struct httpd_request *req, const struct vonage_error *error)
{
    sim->stats.refused_requests++;
    reply_error(sim, req, error);
}

struct invalid {
    const char *name, *reason;
};

static const struct invalid bad_number = {"number", "can contain up to 15 digits prefixed with +"};

static void reply_invalid(struct sim *sim, struct httpd_request *req, const struct invalid *invalid)
{
    struct buf *body = &sim->body;
    buf_clear(body);
    buf_adds(body, "{\"type\":400,\"title\":\"Bad Request\",\"invalid_parameters\":[{");
    json_kstrz(body, "reason", invalid->reason);
    json_kstrz(body, "name", invalid->name);
    buf_adds(body, "}]}");
    httpd_reply(req, 400, "application/json", buf_span(body), NULL);
}

/* ---- placing ---- */

static void answer_placement(const struct sim_call *call, enum sim_fault fault, struct httpd_request *req)
{
    struct buf *body = &call->sim->body;
    char text[SIM_ID_MAX];
    if (fault == SIM_GARBAGE) {
        httpd_reply(req, 200, "text/html", SPAN_LIT("<html><body>Welcome to nginx!</body></html>\n"), NULL);
        return;
    }
    if (fault == SIM_REFUSED) {
        reply_invalid(call->sim, req, &bad_number);
        return;
    }
    if (fault != SIM_FAULTS && fault != SIM_FAILED_REPLY) {
        reply_error(call->sim, req, &fault_errors[fault]);
        return;
    }
    buf_clear(body);
    buf_addc(body, '{');
    sim_vonage_id(call, text);
    json_kstrz(body, "uuid", text);
    json_kstrz(body, "status", fault == SIM_FAILED_REPLY ? "failed" : "started");
    json_kstrz(body, "direction", "outbound");
    sim_vonage_conversation(call, text);
    json_kstrz(body, "conversation_uuid", text);
    buf_addc(body, '}');
    httpd_reply(req, 201, "application/json", buf_span(body), NULL);
}

/* A list of actions; an empty one ends the call. */
static bool is_ncco(const json_t *ncco)
{
    size_t i;
    json_t *action;
    if (!json_is_array(ncco))
        return false;
    json_array_foreach(ncco, i, action)
    {
        if (json_get_span(action, "action").n == 0)
            return false;
    }
    return true;
}

static bool understood(struct span document)
{
    json_t *ncco = json_parse(document, MOST, NULL);
    bool fits = is_ncco(ncco);
    json_decref(ncco);
    return fits;
}

enum { NUMBER_ROOM = 17 };

/* "+" and the digits of {"type": "phone", "number": "447700900000"} into `out`; false when it is no such
 * thing. */
static bool read_phone(const json_t *endpoint, char out[NUMBER_ROOM], struct span *number)
{
    struct span digits = json_get_span(endpoint, "number");
    if (!span_is(json_get_span(endpoint, "type"), "phone") || digits.n < 7 || digits.n > 15)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    }
    out[0] = '+';
    memcpy(out + 1, digits.p, digits.n);
    *number = span_of(out, digits.n + 1);
    return true;
}

/* The only member of a list of URLs; false when there is something else under that name. */
static bool read_url(const json_t *call, const char *name, struct span *url)
{
    const json_t *list = json_object_get(call, name), *first = json_array_get(list, 0);
    *url = SPAN_NONE;
    if (!list)
        return true;
    if (json_array_size(list) != 1 || !json_is_string(first) ||
        strncmp(json_string_value(first), "http", 4) != 0)
        return false;
    *url = span_of(json_string_value(first), json_string_length(first));
    return true;
}

static bool read_seconds(const json_t *call, const char *name, int most, int *seconds)
{
    const json_t *value = json_object_get(call, name);
    if (!value)
        return true;
    *seconds = (int)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= most;
}

static bool read_method(const json_t *call, const char *name, bool *get)
{
    struct span method = json_get_span(call, name);
    if (json_object_get(call, name))
        *get = span_is(method, "GET");
    return !json_object_get(call, name) || *get || span_is(method, "POST");
}

/* Inline instructions are looked at here and not kept. */
static const struct invalid *read_instructions(const json_t *call, struct sim_order *order)
{
    static const struct invalid neither = {"ncco", "either ncco or answer_url is required"},
                                both = {"ncco", "not together with answer_url"},
                                bad_ncco = {"ncco", "must be a list of actions"},
                                bad_url = {"answer_url", "must be a list of one URL"},
                                bad_method = {"answer_method", "must be GET or POST"};
    const json_t *ncco = json_object_get(call, "ncco");
    order->instructions_get = true;
    if (!read_url(call, "answer_url", &order->instructions))
        return &bad_url;
    if (!ncco && order->instructions.n == 0)
        return &neither;
    if (ncco && order->instructions.n)
        return &both;
    if (ncco && !is_ncco(ncco))
        return &bad_ncco;
    return read_method(call, "answer_method", &order->instructions_get) ? NULL : &bad_method;
}

static const struct invalid *read_callbacks(const json_t *call, struct sim_order *order)
{
    static const struct invalid bad_url = {"event_url", "must be a list of one URL"},
                                bad_method = {"event_method", "must be GET or POST"};
    if (!read_url(call, "event_url", &order->callback))
        return &bad_url;
    order->identity = sim_without_fragment(order->callback);
    order->wants = 1U << SIM_EVENT_INITIATED | 1U << SIM_EVENT_RINGING | 1U << SIM_EVENT_ANSWERED |
                   1U << SIM_EVENT_FINAL | 1U << SIM_EVENT_CLOSED;
    return read_method(call, "event_method", &order->callback_get) ? NULL : &bad_method;
}

static const struct invalid *read_call(const json_t *call, struct sim_order *order,
                                       char numbers[2][NUMBER_ROOM])
{
    static const struct invalid bad_to = {"to", "must be a list of one endpoint"},
                                bad_ring = {"ringing_timer", "must be from 1 to 120"},
                                bad_length = {"length_timer", "must be from 1 to 86400"};
    const json_t *to = json_object_get(call, "to"), *from = json_object_get(call, "from");
    if (json_array_size(to) != 1)
        return &bad_to;
    if (!read_phone(json_array_get(to, 0), numbers[0], &order->to))
        return &bad_number;
    if (!json_is_true(json_object_get(call, "random_from_number")) &&
        !read_phone(from, numbers[1], &order->from))
        return &bad_number;
    if (!read_seconds(call, "ringing_timer", LONGEST_RING_S, &order->ring_timeout_s))
        return &bad_ring;
    if (!read_seconds(call, "length_timer", LONGEST_CALL_S, &order->time_limit_s))
        return &bad_length;
    const struct invalid *invalid = read_instructions(call, order);
    return invalid ? invalid : read_callbacks(call, order);
}

static void place(struct sim *sim, struct httpd_request *req)
{
    static const struct invalid no_json = {"body", "must be a JSON object"};
    char numbers[2][NUMBER_ROOM];
    struct sim_order order = {0};
    json_t *call = json_parse(httpd_body(req), MOST, NULL);
    const struct invalid *invalid = json_is_object(call) ? read_call(call, &order, numbers) : &no_json;
    if (invalid) {
        sim->stats.refused_requests++;
        reply_invalid(sim, req, invalid);
    } else {
        sim_place(sim, &sim_vonage, &order, req);
    }
    json_decref(call);
}

/* ---- looking up and hanging up ---- */

static struct sim_call *find_id(struct sim *sim, struct span id)
{
    char hex[SIM_HEX_LEN];
    size_t n = 0;
    uint64_t bits[2];
    if (id.n != VONAGE_ID_LEN)
        return NULL;
    for (size_t i = 0; i < id.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (id.p[i] == '-'))
            return NULL;
        if (!dash)
            hex[n++] = id.p[i];
    }
    struct sim_call *call = sim_hex_read(span_of(hex, n), bits) ? sim_find(sim, bits) : NULL;
    return call && call->speech == &sim_vonage ? call : NULL;
}

static const char *looked_up_word(const struct sim_call *call)
{
    switch (call->phase) {
    case SIM_PHASE_RINGING:
        return "ringing";
    case SIM_PHASE_ANSWERED:
        return "answered";
    case SIM_PHASE_ENDED:
        return sim_vonage_ending(call).status;
    default:
        return "started";
    }
}

static void add_phone(struct buf *out, const char *key, struct span number)
{
    json_key(out, key);
    buf_addc(out, '{');
    json_kstrz(out, "type", "phone");
    json_kstr(out, "number", sim_vonage_digits(number));
    buf_addc(out, '}');
}

static void add_time(struct buf *out, const char *key, int64_t wall_ms)
{
    char text[32];
    struct tm parts;
    time_t second = (time_t)(wall_ms / 1000);
    gmtime_r(&second, &parts);
    size_t n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    json_kstr(out, key, span_of(text, n));
}

/* Only of a call that was answered and is over. */
static void add_summary(struct buf *out, const struct sim_call *call)
{
    char price[16];
    int64_t talk_s = sim_talk_s(call);
    sim_vonage_price(call, price);
    json_kstrz(out, "rate", SIM_VONAGE_RATE);
    json_kstrz(out, "price", price);
    json_key(out, "duration");
    buf_addf(out, "\"%lld\"", (long long)talk_s);
    add_time(out, "start_time", call->answered_wall_ms);
    add_time(out, "end_time", call->ended_wall_ms);
    json_kstrz(out, "network", "63902");
}

static void look_up(struct sim *sim, struct httpd_request *req, const struct sim_call *call)
{
    struct buf *body = &sim->body;
    char text[SIM_ID_MAX];
    buf_clear(body);
    buf_addc(body, '{');
    sim_vonage_id(call, text);
    json_kstrz(body, "uuid", text);
    json_kstrz(body, "status", looked_up_word(call));
    json_kstrz(body, "direction", "outbound");
    sim_vonage_conversation(call, text);
    json_kstrz(body, "conversation_uuid", text);
    add_phone(body, "to", call->order.to);
    add_phone(body, "from", call->order.from);
    if (call->phase == SIM_PHASE_ENDED && call->answered_wall_ms)
        add_summary(body, call);
    buf_addc(body, '}');
    httpd_reply(req, 200, "application/json", buf_span(body), NULL);
}

static void change(struct sim *sim, struct httpd_request *req, struct sim_call *call)
{
    static const struct invalid bad_action = {"action", "the simulator knows hangup only"};
    json_t *body = json_parse(httpd_body(req), MOST, NULL);
    bool hang_up = span_is(json_get_span(body, "action"), "hangup");
    json_decref(body);
    if (!hang_up) {
        sim->stats.refused_requests++;
        reply_invalid(sim, req, &bad_action);
    } else if (!sim_hang_up(call)) {
        refuse(sim, req, &is_over);
    } else {
        sim->stats.hangups++;
        httpd_reply(req, 204, NULL, SPAN_NONE, NULL);
    }
}

/* ---- requests ---- */

static void on_one(struct sim *sim, struct httpd_request *req, struct span id)
{
    bool get = strcmp(httpd_method(req), "GET") == 0, put = strcmp(httpd_method(req), "PUT") == 0;
    struct sim_call *call = find_id(sim, id);
    sim->stats.lookups += get;
    if (!get && !put)
        refuse(sim, req, &no_method);
    else if (!call)
        refuse(sim, req, &no_resource);
    else if (get)
        look_up(sim, req, call);
    else
        change(sim, req, call);
}

static void on_request(struct sim *sim, struct httpd_request *req)
{
    struct span rest = httpd_path(req);
    rest = span_of(rest.p + sizeof VONAGE_PATH - 1, rest.n - (sizeof VONAGE_PATH - 1));
    if (!sim_vonage_authentic(sim, httpd_header(req, "Authorization")))
        refuse(sim, req, &no_credentials);
    else if (rest.n > 1 && rest.p[0] == '/')
        on_one(sim, req, span_of(rest.p + 1, rest.n - 1));
    else if (strcmp(httpd_method(req), "POST") == 0)
        place(sim, req);
    else
        refuse(sim, req, &no_method);
}

static bool owns(struct span path)
{
    size_t n = sizeof VONAGE_PATH - 1;
    return path.n >= n && memcmp(path.p, VONAGE_PATH, n) == 0 && (path.n == n || path.p[n] == '/');
}

const struct sim_speech sim_vonage = {
    .name = "vonage",
    .owns = owns,
    .request = on_request,
    .answer = answer_placement,
    .target = sim_vonage_target,
    .retry = sim_vonage_retry,
    .report = sim_vonage_report,
    .understood = understood,
    .closes = sim_vonage_closes,
    .id = sim_vonage_id,
};
