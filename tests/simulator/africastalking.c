/*
 * Africa's Talking's Voice API: POST /call, as a form or as JSON. There is nothing else for outbound calls:
 * no look-up and no hang-up. What it posts by itself is in africastalking_report.c.
 *
 * The replies are those that its libraries' tests and users' recordings show. Nobody has written down what it
 * says with 429 and 5xx: 503 has its form of a refusal here, the other texts are the usual ones of the server
 * software that its 400 and 401 come from.
 */
#include "tests/simulator/africastalking.h"

#include <string.h>
#include <strings.h>

#include "common/base/url.h"
#include "common/json/json.h"
#include "tests/simulator/ident.h"
#include "tests/simulator/text.h"

static const char no_key[] = "The supplied authentication is invalid";

void sim_africastalking_id(const struct sim_call *call, char out[SIM_ID_MAX])
{
    uint64_t bits[2];
    sim_call_bits(call, bits);
    memcpy(out, "ATVId_", 6);
    sim_hex_write(out + 6, bits);
    out[AFRICASTALKING_ID_LEN] = '\0';
}

/* ---- replies ---- */

static void reply_text(struct httpd_request *req, int status, const char *text)
{
    httpd_reply(req, status, "text/plain; charset=UTF-8", span_str(text), NULL);
}

static void reply_json(struct sim *sim, struct httpd_request *req, int status)
{
    httpd_reply(req, status, "application/json; charset=UTF-8", buf_span(&sim->body),
                "X-Current-Queue-Size: 1\r\n");
}

static void add_entry(struct buf *out, struct span to, const char *status, const char *session)
{
    json_key(out, "entries");
    buf_adds(out, "[{");
    json_kstr(out, "phoneNumber", to);
    json_kstrz(out, "status", status);
    if (session)
        json_kstrz(out, "sessionId", session);
    buf_adds(out, "}]");
}

/* That nothing is wrong is told by the word "None". */
static void reply_entry(struct sim *sim, struct httpd_request *req, struct span to, const char *status,
                        const char *session, uint64_t dice)
{
    struct buf *out = &sim->body;
    buf_clear(out);
    buf_addc(out, '{');
    if (dice & 1) /* the order of the keys varies */
        json_kstrz(out, "errorMessage", "None");
    add_entry(out, to, status, session);
    if (!(dice & 1))
        json_kstrz(out, "errorMessage", "None");
    buf_addc(out, '}');
    reply_json(sim, req, dice & 2 ? 201 : 200);
}

/* The whole request is refused. */
static void reply_refusal(struct sim *sim, struct httpd_request *req, int status, struct span message)
{
    buf_clear(&sim->body);
    buf_adds(&sim->body, "{\"entries\":[]");
    json_kstr(&sim->body, "errorMessage", message);
    buf_addc(&sim->body, '}');
    reply_json(sim, req, status);
}

static void answer_placement(const struct sim_call *call, enum sim_fault fault, struct httpd_request *req)
{
    static const struct {
        int status;
        const char *text;
    } errors[SIM_FAULTS] = {
        [SIM_500] = {500, "There was an internal server error."},
        [SIM_429] = {429, "Too Many Requests"},
        [SIM_401] = {401, no_key},
    };
    uint64_t dice = sim_mix(call->fate.dice, 30);
    struct span to = call->order.to;
    char id[SIM_ID_MAX];
    sim_africastalking_id(call, id);
    if (fault == SIM_FAULTS)
        reply_entry(call->sim, req, to, "Queued", id, dice);
    else if (fault == SIM_REFUSED)
        reply_entry(call->sim, req, to, "InvalidPhoneNumber", dice & 4 ? "None" : NULL, dice);
    else if (fault == SIM_LIMIT)
        reply_entry(call->sim, req, to, "InsufficientCredit", dice & 4 ? "None" : NULL, dice);
    else if (fault == SIM_FAILED_REPLY)
        reply_entry(call->sim, req, to, "Failed", NULL, dice);
    else if (fault == SIM_503)
        reply_refusal(call->sim, req, 503, SPAN_LIT("Service is unavailable, please try again"));
    else if (fault == SIM_GARBAGE)
        httpd_reply(req, 200, "text/html", SPAN_LIT("<html><body>Welcome to nginx!</body></html>\n"), NULL);
    else
        reply_text(req, errors[fault].status, errors[fault].text);
}

/* ---- what was asked for ---- */

struct at_call {
    struct form form; /* owns the values, of a form */
    json_t *json;     /* or of JSON; NULL */
    struct span username, from, to, client_request_id;
};

static bool is_json(struct httpd_request *req)
{
    static const char json[] = "application/json";
    struct span type = httpd_header(req, "Content-Type");
    return type.n >= sizeof json - 1 && strncasecmp(type.p, json, sizeof json - 1) == 0;
}

/* In JSON, `to` is a list; the simulator takes lists of one. */
static struct span only_member(const json_t *list)
{
    const json_t *first = json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;
    return json_is_string(first) ? span_of(json_string_value(first), json_string_length(first)) : SPAN_NONE;
}

/* What it cannot read it leaves out: the missing field is then what is complained of. */
static void read_call(struct at_call *call, struct httpd_request *req)
{
    enum { MOST = 64 * 1024 };
    *call = (struct at_call){0};
    buf_init(&call->form.text, 1);
    if (is_json(req)) {
        call->json = json_parse(httpd_body(req), MOST, NULL);
        call->username = json_get_span(call->json, "username");
        call->from = json_get_span(call->json, "from");
        call->to = json_is_string(json_object_get(call->json, "to"))
                       ? json_get_span(call->json, "to")
                       : only_member(json_object_get(call->json, "to"));
        call->client_request_id = json_get_span(call->json, "clientRequestId");
    } else if (form_parse(&call->form, httpd_body(req), NULL) == 0) {
        call->username = form_get(&call->form, "username");
        call->from = form_get(&call->form, "from");
        call->to = form_get(&call->form, "to");
        call->client_request_id = form_get(&call->form, "clientRequestId");
    }
}

static void call_done(struct at_call *call)
{
    form_done(&call->form);
    json_decref(call->json);
}

/* ---- placing ---- */

/* False when the number is not ours. */
static bool find_registered(const struct sim_africastalking_config *config, struct span from,
                            struct span *callback)
{
    for (size_t i = 0; i < config->numbers_n; i++) {
        if (span_is(from, config->numbers[i].from)) {
            *callback = span_str(config->numbers[i].url);
            return true;
        }
    }
    *callback = span_str(config->callback_url);
    return config->callback_url || config->numbers_n == 0;
}

static bool is_number(struct span to)
{
    if (to.n > 4 && memcmp(to.p, "sip:", 4) == 0)
        return true;
    if (to.n < 8 || to.n > 16 || to.p[0] != '+' || to.p[1] == '0')
        return memmem(to.p, to.n, ".sip.africastalking.com", 23) != NULL;
    for (size_t i = 1; i < to.n; i++) {
        if (to.p[i] < '0' || to.p[i] > '9')
            return false;
    }
    return true;
}

static void refuse_whole(struct sim *sim, struct httpd_request *req, const char *what, struct span from)
{
    struct buf text;
    sim->stats.refused_requests++;
    buf_init(&text, 1024);
    buf_addf(&text, "%s: %.*s", what, SPAN_ARG(from));
    reply_refusal(sim, req, 200, buf_span(&text));
    buf_done(&text);
}

static void order_call(struct sim *sim, struct httpd_request *req, const struct at_call *call)
{
    const struct sim_africastalking_config *config = &sim->config.africastalking;
    struct sim_order order = {.to = call->to,
                              .from = call->from,
                              .identity = call->client_request_id,
                              .reference = call->client_request_id,
                              .wants = 1U << SIM_EVENT_ANSWERED | 1U << SIM_EVENT_FINAL};
    if (config->events_url)
        order.wants |= 1U << SIM_EVENT_INITIATED | 1U << SIM_EVENT_RINGING;
    if (!find_registered(config, call->from, &order.callback)) {
        refuse_whole(sim, req, "Invalid callerId", call->from);
    } else if (!is_number(call->to)) {
        sim->stats.refused_requests++;
        reply_entry(sim, req, call->to, "InvalidPhoneNumber", "None", 0);
    } else {
        sim_place(sim, &sim_africastalking, &order, req);
    }
}

static void refuse(struct sim *sim, struct httpd_request *req, int status, const char *text)
{
    sim->stats.refused_requests++;
    reply_text(req, status, text);
}

static const char *missing_from(const struct at_call *call)
{
    if (call->username.n == 0)
        return "Request is missing required form field 'username'";
    if (call->from.n == 0)
        return "Request is missing required form field 'from'";
    return call->to.n == 0 ? "Request is missing required form field 'to'" : NULL;
}

static void on_request(struct sim *sim, struct httpd_request *req)
{
    const struct sim_africastalking_config *config = &sim->config.africastalking;
    struct at_call call;
    if (strcmp(httpd_method(req), "POST") != 0) {
        refuse(sim, req, 405, "HTTP method not allowed, supported methods: POST");
        return;
    }
    read_call(&call, req);
    const char *missing = missing_from(&call);
    if (missing)
        refuse(sim, req, 400, missing);
    else if (!span_is(httpd_header(req, "apiKey"), config->api_key) ||
             !span_is(call.username, config->username))
        refuse(sim, req, 401, no_key);
    else
        order_call(sim, req, &call);
    call_done(&call);
}

static bool owns(struct span path)
{
    return span_is(path, "/call");
}

const struct sim_speech sim_africastalking = {
    .name = "africastalking",
    .owns = owns,
    .request = on_request,
    .answer = answer_placement,
    .target = sim_africastalking_target,
    .retry = sim_africastalking_retry,
    .report = sim_africastalking_report,
    .understood = sim_xml_understood,
    .answer_asks = true,
    .id = sim_africastalking_id,
};
