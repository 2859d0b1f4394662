/*
 * What Vonage sends: events to event_url, and the request for an NCCO to answer_url. A recorded event:
 *
 *     {"headers":{},"from":"14845552121","to":"16105553939","uuid":"0A0000000123ABCD1","conversation_uuid":
 *      "CON-2541d01c-...","status":"failed","detail":"cannot_route","direction":"outbound",
 *      "timestamp":"2020-07-01T20:45:34.796Z"}
 *
 * What recordings and its libraries disagree about differs from call to call: numbers as strings or as
 * numbers, whether there are `headers` and a `sip_code`, and whether a `completed` follows the event of a
 * call that was not answered.
 */
#include "tests/simulator/vonage.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "tests/simulator/ident.h"

/* Which of the forms a call's events have: bits of one die of the call. */
enum { QUOTED = 1, WITH_SIP = 2, WITH_HEADERS = 4, CLOSED = 8, SHORT_OF_DETAIL = 16, BY_CARRIER = 32 };

static bool has_form(const struct sim_call *call, uint64_t bit)
{
    return sim_mix(call->fate.dice, 40) & bit;
}

bool sim_vonage_quotes_numbers(const struct sim_call *call)
{
    return has_form(call, QUOTED);
}

/* ---- ids and numbers ---- */

void sim_vonage_uuid(char out[VONAGE_ID_LEN], const uint64_t bits[2])
{
    char hex[SIM_HEX_LEN];
    sim_hex_write(hex, bits);
    for (size_t i = 0, at = 0; i < VONAGE_ID_LEN; i++) {
        out[i] = '-';
        if (i != 8 && i != 13 && i != 18 && i != 23)
            out[i] = hex[at++];
    }
}

void sim_vonage_id(const struct sim_call *call, char out[SIM_ID_MAX])
{
    uint64_t bits[2];
    sim_call_bits(call, bits);
    sim_vonage_uuid(out, bits);
    out[VONAGE_ID_LEN] = '\0';
}

void sim_vonage_conversation(const struct sim_call *call, char out[SIM_ID_MAX])
{
    uint64_t bits[2];
    sim_call_bits(call, bits);
    bits[0] = sim_mix(bits[0], 41);
    bits[1] = sim_mix(bits[1], 41);
    memcpy(out, "CON-", 4);
    sim_vonage_uuid(out + 4, bits);
    out[4 + VONAGE_ID_LEN] = '\0';
}

struct span sim_vonage_digits(struct span number)
{
    return number.n ? span_of(number.p + 1, number.n - 1) : number;
}

/* By the second, at the rate that stands beside it. */
void sim_vonage_price(const struct sim_call *call, char out[16])
{
    snprintf(out, 16, "%.8f", 0.014 * (double)sim_talk_s(call) / 60);
}

/* ---- how it ended ---- */

static struct vonage_ending ending_of_failure(int sip)
{
    switch (sip) {
    case 0:
        return (struct vonage_ending){"failed", NULL, false};
    case 403:
        return (struct vonage_ending){"rejected", "restricted", true};
    case 484:
        return (struct vonage_ending){"rejected", "invalid_number", true};
    case 404:
    case 410:
    case 604:
        return (struct vonage_ending){"failed", "number_out_of_service", true};
    case 503:
        return (struct vonage_ending){"failed", "cannot_route", true};
    default:
        return (struct vonage_ending){"failed", "internal_error", true};
    }
}

/* In newer events the SIP code alone may have to do for the detail. */
static const char *detail(const struct sim_call *call, const char *word)
{
    return has_form(call, WITH_SIP) && has_form(call, SHORT_OF_DETAIL) ? NULL : word;
}

struct vonage_ending sim_vonage_ending(const struct sim_call *call)
{
    switch (call->fate.outcome) {
    case SIM_COMPLETED:
        return (struct vonage_ending){"completed", NULL, true};
    case SIM_NO_ANSWER:
        return has_form(call, BY_CARRIER) ? (struct vonage_ending){"unanswered", "timeout", true}
                                          : (struct vonage_ending){"timeout", NULL, false};
    case SIM_BUSY:
        return call->fate.sip == 603 ? (struct vonage_ending){"rejected", detail(call, "declined"), true}
                                     : (struct vonage_ending){"busy", NULL, true};
    case SIM_ABSENT:
        return (struct vonage_ending){"unanswered", detail(call, "unavailable"), true};
    case SIM_CANCELED:
        return (struct vonage_ending){"cancelled", NULL, false};
    default:
        return ending_of_failure(call->fate.sip);
    }
}

bool sim_vonage_closes(const struct sim_call *call)
{
    return call->answered_wall_ms == 0 && has_form(call, CLOSED);
}

/* ---- the fields of an event ---- */

enum { MAX_FIELDS = 24, MAX_TEXTS = 12 };

enum kind { TEXT, NUMBER, NONE, OBJECT };

struct field {
    const char *name;
    struct span value;
    enum kind kind;
};

/* Written as JSON or as a query. Values that are made here stand in `texts`. */
struct fields {
    struct field list[MAX_FIELDS];
    size_t n;
    char texts[MAX_TEXTS][SIM_ID_MAX];
    size_t texts_n;
    bool quoted;
};

static void add(struct fields *fields, const char *name, struct span value, enum kind kind)
{
    fields->list[fields->n++] = (struct field){name, value, kind};
}

static char *room(struct fields *fields)
{
    return fields->texts[fields->texts_n++];
}

static void add_text(struct fields *fields, const char *name, const char *value)
{
    add(fields, name, span_str(value), TEXT);
}

/* In quotes or without. */
static void add_number(struct fields *fields, const char *name, const char *digits)
{
    add(fields, name, span_str(digits), fields->quoted ? TEXT : NUMBER);
}

static void add_time(struct fields *fields, const char *name, int64_t wall_ms)
{
    char *text = room(fields);
    clock_rfc3339(wall_ms, text);
    add_text(fields, name, text);
}

/* Times of a call are whole seconds in events, their own is not. */
static void add_second(struct fields *fields, const char *name, int64_t wall_ms)
{
    add_time(fields, name, wall_ms - wall_ms % 1000);
}

static void add_summary(struct fields *fields, const struct sim_call *call)
{
    char *duration = room(fields), *price = room(fields);
    snprintf(duration, SIM_ID_MAX, "%lld", (long long)sim_talk_s(call));
    sim_vonage_price(call, price);
    add_number(fields, "duration", duration);
    add_number(fields, "rate", SIM_VONAGE_RATE);
    add_number(fields, "price", price);
    if (call->answered_wall_ms == 0)
        return;
    add_second(fields, "start_time", call->answered_wall_ms);
    add_second(fields, "end_time", call->ended_wall_ms);
    add_text(fields, "network", "63902");
    add_text(fields, "disconnected_by", call->hung_up ? "platform" : "user");
}

static void add_ending(struct fields *fields, const struct sim_delivery *delivery)
{
    const struct sim_call *call = delivery->call;
    struct vonage_ending ending = sim_vonage_ending(call);
    add_text(fields, "status", delivery->unknown ? "evaporated" : ending.status);
    if (ending.detail)
        add_text(fields, "detail", ending.detail);
    if (call->answered_wall_ms)
        add_summary(fields, call);
    if (ending.sip && call->fate.sip && has_form(call, WITH_SIP)) {
        char *code = room(fields);
        snprintf(code, SIM_ID_MAX, "%d", call->fate.sip);
        add(fields, "sip_code", span_str(code), NUMBER);
    }
}

static void add_status(struct fields *fields, const struct sim_delivery *delivery)
{
    switch (delivery->event) {
    case SIM_EVENT_INITIATED:
        add_text(fields, "status", "started");
        break;
    case SIM_EVENT_RINGING:
        add_text(fields, "status", delivery->unknown ? "evaporated" : "ringing");
        break;
    case SIM_EVENT_ANSWERED:
        add_text(fields, "status", "answered");
        add_second(fields, "start_time", delivery->call->answered_wall_ms);
        add_number(fields, "rate", SIM_VONAGE_RATE);
        add(fields, "network", SPAN_NONE, NONE);
        break;
    case SIM_EVENT_CLOSED:
        add_text(fields, "status", "completed");
        add_summary(fields, delivery->call);
        break;
    default:
        add_ending(fields, delivery);
    }
}

static void fill(struct fields *fields, const struct sim_delivery *delivery)
{
    const struct sim_call *call = delivery->call;
    char *id = room(fields), *conversation = room(fields);
    sim_vonage_id(call, id);
    sim_vonage_conversation(call, conversation);
    if (has_form(call, WITH_HEADERS))
        add(fields, "headers", SPAN_LIT("{}"), OBJECT);
    add(fields, "from", sim_vonage_digits(call->order.from), TEXT);
    add(fields, "to", sim_vonage_digits(call->order.to), TEXT);
    add_text(fields, "uuid", id);
    add_text(fields, "conversation_uuid", conversation);
    if (delivery->event > SIM_EVENT_CLOSED)
        return;
    add_status(fields, delivery);
    add_text(fields, "direction", "outbound");
    add_time(fields, "timestamp", delivery->at_wall_ms);
}

/* ---- the request ---- */

static void write_json(struct buf *out, const struct fields *fields)
{
    buf_addc(out, '{');
    for (size_t i = 0; i < fields->n; i++) {
        const struct field *field = &fields->list[i];
        if (field->kind == TEXT)
            json_kstr(out, field->name, field->value);
        else if (field->kind == NONE)
            json_knull(out, field->name);
        else
            json_kraw(out, field->name, field->value);
    }
    buf_addc(out, '}');
}

static void write_query(struct buf *url, const struct fields *fields)
{
    char mark = memchr(url->p, '?', url->n) ? '&' : '?';
    for (size_t i = 0; i < fields->n; i++) {
        const struct field *field = &fields->list[i];
        if (field->kind == NONE || field->kind == OBJECT)
            continue;
        buf_addc(url, mark);
        buf_adds(url, field->name);
        buf_addc(url, '=');
        form_add_encoded(url, field->value);
        mark = '&';
    }
}

void sim_vonage_report(const struct sim_delivery *delivery, struct http_request *request)
{
    const struct sim_order *order = &delivery->call->order;
    struct fields fields = {.quoted = sim_vonage_quotes_numbers(delivery->call)};
    bool get = delivery->event == SIM_EVENT_INSTRUCTIONS ? order->instructions_get : order->callback_get;
    fill(&fields, delivery);
    request->method = get ? "GET" : "POST";
    buf_adds(&request->headers, "User-Agent: ivr-simulator\n");
    if (get) {
        write_query(&request->url, &fields);
    } else {
        buf_adds(&request->headers, "Content-Type: application/json\n");
        write_json(&request->body, &fields);
    }
    sim_vonage_sign(delivery->sim, &request->headers, buf_span(&request->body));
}

struct span sim_vonage_target(const struct sim_delivery *delivery)
{
    const struct sim_order *order = &delivery->call->order;
    return delivery->event == SIM_EVENT_INSTRUCTIONS ? order->instructions : order->callback;
}

/* 3 s to connect, 5 s to answer, two repeats: written down for answer URLs, and taken to hold for events, of
 * which an older page says that a 5xx is repeated. */
struct sim_retry_rule sim_vonage_retry(struct span fragment)
{
    (void)fragment;
    return (struct sim_retry_rule){.connect_ms = 3000,
                                   .read_ms = 5000,
                                   .total_ms = 30000,
                                   .retries = 2,
                                   .on = SIM_RETRY_CT | SIM_RETRY_RT | SIM_RETRY_5XX};
}
