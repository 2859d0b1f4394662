/*
 * What Africa's Talking posts. To the number's callback URL: the request for instructions of a call that is
 * answered (isActive=1), and the final one (isActive=0). To its events URL, where there is one: that the call
 * is set up and that it rings. A recorded final callback, shortened:
 *
 *     callSessionState=NotAnswered&hangupCause=SUBSCRIBER_ABSENT&direction=Outbound&durationInSeconds=0
 *     &callerNumber=%2B256...&destinationNumber=%2B256...&status=NotAnswered&sessionId=ATVId_221c...
 *     &callStartTime=None&isActive=0
 *
 * callerNumber is the contact's, also in outbound calls. What recordings disagree about differs from call to
 * call: the time's form, the country's, and whether there is a callSessionState.
 */
#include "tests/simulator/africastalking.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/url.h"

/* Which of the forms a call's callbacks have: bits of one die of the call. */
enum { SPACE_IN_TIME = 3, COUNTRY_AS_CODE = 4, OLD_FORM = 0xf00 };

static uint64_t forms_of(const struct sim_call *call)
{
    return sim_mix(call->fate.dice, 31);
}

/* One call in sixteen is reported as before 2021, when there was no callSessionState (and no events URL). */
static bool has_state(const struct sim_delivery *delivery)
{
    return delivery->event < SIM_EVENT_ANSWERED || (forms_of(delivery->call) & OLD_FORM) != 0;
}

/* ---- the words ---- */

static const char *state_of(const struct sim_delivery *delivery)
{
    if (delivery->unknown)
        return "Evaporated";
    switch (delivery->event) {
    case SIM_EVENT_INITIATED:
        return "Active";
    case SIM_EVENT_RINGING:
        return "Ringing";
    case SIM_EVENT_ANSWERED:
        return "Answered";
    default:
        return delivery->call->answered_wall_ms ? "Completed" : "NotAnswered";
    }
}

/* FreeSWITCH's names for what the SIP code says. A carrier's 403 would be CALL_REJECTED there; that is the
 * word for a person's refusal, too, and `failed` is to stay told apart from `busy`. */
static const char *cause_of_failure(int sip)
{
    switch (sip) {
    case 0:
        return NULL;
    case 404:
    case 410:
    case 604:
        return "UNALLOCATED_NUMBER";
    case 403:
        return "SERVICE_UNAVAILABLE";
    case 500:
    case 503:
        return "NORMAL_TEMPORARY_FAILURE";
    case 504:
        return "RECOVERY_ON_TIMER_EXPIRE";
    default:
        return "UNSPECIFIED";
    }
}

static const char *cause_of(const struct sim_delivery *delivery)
{
    const struct sim_fate *fate = &delivery->call->fate;
    if (delivery->unknown)
        return "EVAPORATED";
    switch (fate->outcome) {
    case SIM_COMPLETED:
        return "NORMAL_CLEARING";
    case SIM_NO_ANSWER:
        return "NO_ANSWER";
    case SIM_BUSY:
        return fate->sip == 603 ? "CALL_REJECTED" : "USER_BUSY";
    case SIM_ABSENT:
        return "SUBSCRIBER_ABSENT";
    case SIM_CANCELED:
        return "ORIGINATOR_CANCEL";
    default:
        return cause_of_failure(fate->sip);
    }
}

static const char *status_of(const struct sim_delivery *delivery)
{
    const struct sim_call *call = delivery->call;
    if (delivery->unknown)
        return "Evaporated";
    if (call->answered_wall_ms)
        return "Success";
    return cause_of(delivery) ? "NotAnswered" : "Aborted";
}

static struct span carrier_of(const struct sim_call *call)
{
    static const char *const names[] = {"Safaricom", "Airtel", "MTN", "Telkom"};
    return span_str(names[sim_mix(call->fate.dice, 32) % 4]);
}

struct country {
    const char *code, *iso, *currency;
};

static const struct country *country_of(struct span number)
{
    static const struct country known[] = {{"254", "KE", "KES"}, {"255", "TZ", "TZS"}, {"256", "UG", "UGX"},
                                           {"234", "NG", "NGN"}, {"250", "RW", "RWF"}, {"260", "ZM", "ZMW"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].code);
        if (number.n > n && memcmp(number.p + 1, known[i].code, n) == 0)
            return &known[i];
    }
    return &known[0];
}

/* ---- the form ---- */

static void add_text(struct buf *out, const char *name, const char *value)
{
    form_add(out, name, span_str(value));
}

/* "2021-10-13+19:10:16", of which the plus is no space: it stands there after decoding. Or with a space.
 * "None" of a call without an answer. */
static void add_start(struct buf *out, const struct sim_call *call)
{
    char text[32];
    struct tm parts;
    time_t second = (time_t)(call->answered_wall_ms / 1000);
    if (call->answered_wall_ms == 0) {
        add_text(out, "callStartTime", "None");
        return;
    }
    gmtime_r(&second, &parts);
    bool space = (forms_of(call) & SPACE_IN_TIME) == 0;
    size_t n = strftime(text, sizeof text, space ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d+%H:%M:%S", &parts);
    form_add(out, "callStartTime", span_of(text, n));
}

/* What only the final request has. A minute costs four units of the country's money; begun seconds count. */
static void add_result(struct buf *out, const struct sim_delivery *delivery)
{
    const struct sim_call *call = delivery->call;
    const char *cause = cause_of(delivery);
    int64_t talk_s = sim_talk_s(call);
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)talk_s);
    add_text(out, "durationInSeconds", text);
    if (talk_s)
        snprintf(text, sizeof text, "%.4f", (double)talk_s * 4 / 60);
    add_text(out, "amount", text);
    add_text(out, "currencyCode", country_of(call->order.to)->currency);
    add_text(out, "recordingUrl", "");
    add_text(out, "status", status_of(delivery));
    if (cause)
        add_text(out, "hangupCause", cause);
}

static bool echoes(const struct sim_delivery *delivery)
{
    enum sim_echo echo = delivery->sim->switches.echo;
    return delivery->call->order.reference.n && !sim_has(&delivery->call->fate, SIM_SHORT_URL) &&
           (echo == SIM_ECHO_ALL || (echo == SIM_ECHO_FINAL && delivery->event == SIM_EVENT_FINAL));
}

void sim_africastalking_report(const struct sim_delivery *delivery, struct http_request *request)
{
    const struct sim_call *call = delivery->call;
    const struct country *country = country_of(call->order.to);
    struct buf *body = &request->body;
    char id[SIM_ID_MAX];
    bool final = delivery->event == SIM_EVENT_FINAL;
    sim_africastalking_id(call, id);
    request->method = "POST";
    buf_adds(&request->headers,
             "Content-Type: application/x-www-form-urlencoded\nUser-Agent: ivr-simulator\n");
    add_text(body, "sessionId", id);
    add_text(body, "isActive", final ? "0" : "1");
    if (has_state(delivery))
        add_text(body, "callSessionState", state_of(delivery));
    add_text(body, "direction", "Outbound");
    form_add(body, "callerNumber", call->order.to);
    form_add(body, "destinationNumber", call->order.from);
    add_text(body, "callerCountryCode", forms_of(call) & COUNTRY_AS_CODE ? country->code : country->iso);
    form_add(body, "callerCarrierName", carrier_of(call));
    add_start(body, call);
    if (echoes(delivery))
        form_add(body, "clientRequestId", call->order.reference);
    if (final)
        add_result(body, delivery);
}

/* ---- where to, and how often ---- */

struct span sim_africastalking_target(const struct sim_delivery *delivery)
{
    if (delivery->event < SIM_EVENT_ANSWERED)
        return span_str(delivery->sim->config.africastalking.events_url);
    return delivery->call->order.callback;
}

/* A call that the receiver failed to handle was seen to be delivered six times; nothing else is known. So:
 * five more tries after whatever was no 2xx, and time-outs of our own choice. */
struct sim_retry_rule sim_africastalking_retry(struct span fragment)
{
    (void)fragment;
    return (struct sim_retry_rule){
        .connect_ms = 5000, .read_ms = 10000, .total_ms = 60000, .retries = 5, .on = SIM_RETRY_ALL};
}
