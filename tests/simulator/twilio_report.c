/*
 * What Twilio sends: status callbacks and the request for instructions. A recorded final callback, shortened:
 *
 *     CallSid=CA35c0...&CallStatus=busy&SequenceNumber=2&SipResponseCode=486&CallDuration=0&Duration=0
 *     &CallbackSource=call-progress-events&Timestamp=Sat, 07 May 2022 14:30:14 +0000
 */
#include "tests/simulator/twilio.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/url.h"
#include "tests/simulator/twilio_sign.h"

enum { MAX_PARAMETERS = 40, NUMBER_LEN = 24 };

/* A form under construction. Values that are numbers stand in `digits`. */
struct parameters {
    struct form_field fields[MAX_PARAMETERS];
    size_t n;
    char digits[8][NUMBER_LEN];
    size_t digits_n;
};

static void add(struct parameters *form, const char *name, struct span value)
{
    form->fields[form->n++] = (struct form_field){span_str(name), value};
}

static void add_number(struct parameters *form, const char *name, int64_t value)
{
    char *text = form->digits[form->digits_n++];
    int n = snprintf(text, NUMBER_LEN, "%lld", (long long)value);
    add(form, name, span_of(text, (size_t)n));
}

static struct span country_of(struct span number)
{
    static const struct {
        const char *prefix, *country;
    } known[] = {{"+254", "KE"}, {"+255", "TZ"}, {"+256", "UG"}, {"+260", "ZM"}, {"+44", "GB"}, {"+1", "US"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].prefix);
        if (number.n > n && memcmp(number.p, known[i].prefix, n) == 0)
            return span_str(known[i].country);
    }
    return SPAN_NONE;
}

static struct span status_of(const struct sim_delivery *delivery)
{
    if (delivery->unknown)
        return SPAN_LIT("evaporated");
    switch (delivery->event) {
    case SIM_EVENT_INITIATED:
        return SPAN_LIT("initiated");
    case SIM_EVENT_RINGING:
        return SPAN_LIT("ringing");
    case SIM_EVENT_FINAL:
        return span_str(sim_twilio_final_word(delivery->call->fate.outcome));
    default:
        return SPAN_LIT("in-progress");
    }
}

/* In the order of the bytes of the names, which is the order that the signature wants. */
static void fill(struct parameters *form, const struct sim_delivery *delivery, const char *id,
                 struct span timestamp)
{
    const struct sim_call *call = delivery->call;
    struct span to = call->order.to, from = call->order.from;
    bool report = delivery->event <= SIM_EVENT_FINAL, final = delivery->event == SIM_EVENT_FINAL;
    add(form, "AccountSid", span_str(call->sim->config.account_sid));
    add(form, "ApiVersion", SPAN_LIT("2010-04-01"));
    if (final)
        add_number(form, "CallDuration", sim_talk_s(call));
    add(form, "CallSid", span_of(id, TWILIO_ID_LEN));
    add(form, "CallStatus", status_of(delivery));
    if (report)
        add(form, "CallbackSource", SPAN_LIT("call-progress-events"));
    add(form, "Called", to);
    add(form, "CalledCity", SPAN_NONE);
    add(form, "CalledCountry", country_of(to));
    add(form, "CalledState", SPAN_NONE);
    add(form, "CalledZip", SPAN_NONE);
    add(form, "Caller", from);
    add(form, "CallerCity", SPAN_NONE);
    add(form, "CallerCountry", country_of(from));
    add(form, "CallerState", SPAN_NONE);
    add(form, "CallerZip", SPAN_NONE);
    add(form, "Direction", SPAN_LIT("outbound-api"));
    if (final)
        add_number(form, "Duration", (sim_talk_s(call) + 59) / 60);
    add(form, "From", from);
    add(form, "FromCity", SPAN_NONE);
    add(form, "FromCountry", country_of(from));
    add(form, "FromState", SPAN_NONE);
    add(form, "FromZip", SPAN_NONE);
    if (report)
        add_number(form, "SequenceNumber", delivery->sequence);
    if (final && call->fate.sip)
        add_number(form, "SipResponseCode", call->fate.sip);
    if (report)
        add(form, "Timestamp", timestamp);
    add(form, "To", to);
    add(form, "ToCity", SPAN_NONE);
    add(form, "ToCountry", country_of(to));
    add(form, "ToState", SPAN_NONE);
    add(form, "ToZip", SPAN_NONE);
}

struct span sim_twilio_target(const struct sim_delivery *delivery)
{
    const struct sim_order *order = &delivery->call->order;
    if (delivery->event == SIM_EVENT_INSTRUCTIONS)
        return order->instructions;
    return delivery->event == SIM_EVENT_FALLBACK ? order->fallback : order->callback;
}

static bool is_get(const struct sim_delivery *delivery)
{
    const struct sim_order *order = &delivery->call->order;
    if (delivery->event == SIM_EVENT_INSTRUCTIONS)
        return order->instructions_get;
    return delivery->event == SIM_EVENT_FALLBACK ? order->fallback_get : order->callback_get;
}

static void add_form(struct buf *out, const struct parameters *form)
{
    for (size_t i = 0; i < form->n; i++) {
        if (i > 0)
            buf_addc(out, '&');
        buf_addspan(out, form->fields[i].name);
        buf_addc(out, '=');
        form_add_encoded(out, form->fields[i].value);
    }
}

/* The same over all tries of one event, so that a receiver may know a repeat by it. */
static void add_token(struct buf *out, const struct sim_delivery *delivery)
{
    uint64_t bits[2], at = (uint64_t)delivery->event << 32 | delivery->sequence;
    sim_call_bits(delivery->call, bits);
    buf_addf(out, "I-Twilio-Idempotency-Token: %016" PRIx64 "%016" PRIx64 "\n", sim_mix(bits[0], at),
             sim_mix(bits[1], at));
}

void sim_twilio_report(const struct sim_delivery *delivery, struct http_request *request)
{
    struct parameters form = {.n = 0};
    struct sim *sim = delivery->sim;
    char id[SIM_ID_MAX];
    struct buf timestamp;
    bool get = is_get(delivery);
    buf_init(&timestamp, 64);
    sim_add_rfc2822(&timestamp, delivery->at_wall_ms);
    sim_twilio_id(delivery->call, id);
    fill(&form, delivery, id, buf_span(&timestamp));
    request->method = get ? "GET" : "POST";
    if (get)
        buf_addc(&request->url, memchr(request->url.p, '?', request->url.n) ? '&' : '?');
    else
        buf_adds(&request->headers, "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n");
    add_form(get ? &request->url : &request->body, &form);
    add_token(&request->headers, delivery);
    buf_adds(&request->headers, "X-Twilio-Signature: ");
    sim_twilio_sign(&request->headers, span_str(sim->config.auth_token), buf_span(&request->url), form.fields,
                    get ? 0 : form.n, &sim->body);
    buf_addc(&request->headers, '\n');
    buf_done(&timestamp);
}
