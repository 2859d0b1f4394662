/*
 * What Twilio reports of a call: status callbacks and the call object of a look-up.
 *
 * A callback, as recorded (busy, Zambia):
 *   ...&SipResponseCode=486&SequenceNumber=2&CallSid=CA35c0...&CallStatus=busy&Duration=0&CallDuration=0...
 * Sources: twilio/twilio-oai spec/json/twilio_api_v2010.json, Twilio's article "Track outbound calls";
 * signalwire/docs (SipResultCode); somleng/somleng app/serializers/twilio_api/webhook.
 */
#include <string.h>

#include "common/json/json.h"
#include "common/model/cause.h"
#include "workers/providers/fields.h"
#include "workers/providers/twilio/twilio.h"
#include "workers/providers/twilio/twilio_text.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/*
 * CallStatus, in callbacks and look-ups (SID "Call resource", "status"). The event "completed" is sent at the
 * end whatever the outcome: its CallStatus is one of the last five. That Completed implies connected is the
 * merge's business: this report has the time of the end, not of the answer.
 */
enum sip_use { SIP_IGNORED, SIP_480_IS_ABSENT, SIP_DECIDES };

struct call_word {
    const char *word;
    enum call_status status;
    unsigned hops;
    bool terminal;
    enum sip_use sip;
};

#define ENDED (HOP_BIT(HOP_TERMINATE) | HOP_BIT(HOP_SESSION_COMPLETED))

static const struct call_word call_words[] = {
    {"queued", STATUS_NONE, 0, false, SIP_IGNORED},
    {"initiated", STATUS_NONE, HOP_BIT(HOP_DIALING), false, SIP_IGNORED},
    {"ringing", STATUS_NONE, HOP_BIT(HOP_DIALING), false, SIP_IGNORED},
    {"in-progress", STATUS_COMPLETED, HOP_BIT(HOP_CONNECTED), false, SIP_IGNORED},
    {"answered", STATUS_COMPLETED, HOP_BIT(HOP_CONNECTED), false, SIP_IGNORED}, /* as some clones write it */
    {"completed", STATUS_COMPLETED, ENDED, true, SIP_IGNORED},
    {"busy", STATUS_USER_BUSY, ENDED, true, SIP_IGNORED},
    /* Twilio has no word for an absent subscriber. 480 stands for Q.850 19 too: the phone may have rung
     * out. */
    {"no-answer", STATUS_NO_ANSWER, ENDED, true, SIP_480_IS_ABSENT},
    {"failed", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, SIP_DECIDES},
    {"canceled", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, SIP_IGNORED},
};

static const struct call_word *find_word(struct span word)
{
    for (size_t i = 0; i < COUNT(call_words); i++) {
        if (span_is(word, call_words[i].word))
            return &call_words[i];
    }
    return NULL;
}

bool twilio_is_status(struct span word)
{
    return find_word(word) != NULL;
}

/* What a report says, wherever it stands; SPAN_NONE and -1 where it does not. */
struct twilio_report {
    struct span word;
    int64_t sip_code;
    struct span sip_phrase;
    struct span error_code;
    struct span error_message;
    struct span answered_by;
    int64_t talk_seconds;
};

static bool refused_by_sip(const struct twilio_report *report)
{
    return report->sip_code >= 300 && report->sip_code <= 699;
}

static void apply_status(struct evidence *ev, const struct call_word *row, const struct twilio_report *report)
{
    ev->status = row->status;
    ev->hops = row->hops;
    ev->terminal = row->terminal;
    if (row->sip == SIP_IGNORED || (row->sip == SIP_480_IS_ABSENT && report->sip_code != 480))
        return;
    const struct cause *cause = cause_by_sip((int)report->sip_code);
    if (!cause)
        return;
    ev->status = cause->status;
    ev->permanent = cause->permanent;
}

/*
 * The reason of a leg that was not answered, as a reader of `by_reason` would count it: Twilio's error code
 * where there is one, else the SIP code, which says more than CallStatus does ("failed" has many), else
 * CallStatus. What was not chosen is the detail.
 */
static void apply_reason(struct evidence *ev, const struct twilio_report *report)
{
    struct buf text;
    if (ev->status == STATUS_NONE || ev->status == STATUS_COMPLETED)
        return;
    if (fields_number(report->error_code) > 0) {
        struct span detail = report->error_message.n ? report->error_message : report->word;
        evidence_set_reason(ev, REASON_NAMED, report->error_code, detail);
        return;
    }
    if (!refused_by_sip(report)) {
        evidence_set_reason(ev, REASON_TEXT, report->word, SPAN_NONE);
        return;
    }
    buf_init(&text, EVIDENCE_DETAIL_MAX * 2);
    buf_addint(&text, report->sip_code);
    size_t code_n = text.n;
    buf_addspan(&text, report->word);
    if (report->sip_phrase.n > 0 && report->sip_phrase.n < EVIDENCE_DETAIL_MAX) {
        buf_adds(&text, ", ");
        buf_addspan(&text, report->sip_phrase);
    }
    evidence_set_reason(ev, REASON_SIP, span_of(text.p, code_n), span_of(text.p + code_n, text.n - code_n));
    buf_done(&text);
}

/* The raw cause beside the hops: "busy, SIP 486", "completed, SIP 200, answered by machine_start". Dialing
 * has none. */
static void apply_hop_detail(struct evidence *ev, const struct twilio_report *report)
{
    struct buf text;
    if ((ev->hops & ~HOP_BIT(HOP_DIALING)) == 0)
        return;
    buf_init(&text, EVIDENCE_DETAIL_MAX * 4);
    buf_addspan(&text, report->word);
    if (report->sip_code > 0) {
        buf_adds(&text, ", SIP ");
        buf_addint(&text, report->sip_code);
    }
    if (report->answered_by.n > 0) {
        buf_adds(&text, ", answered by ");
        buf_addspan(&text, report->answered_by);
    }
    evidence_set_hop_detail(ev, buf_span(&text));
    buf_done(&text);
}

static void apply_report(struct evidence *ev, const struct call_word *row, const struct twilio_report *report)
{
    apply_status(ev, row, report);
    apply_reason(ev, report);
    apply_hop_detail(ev, report);
    if (row->terminal && row->status == STATUS_COMPLETED)
        ev->talk_seconds = (int32_t)report->talk_seconds;
}

/* An unexpected word is kept, and ends nothing: it must not make us redial somebody who is talking. */
static void apply_unknown_word(struct evidence *ev, struct span word)
{
    ev->status = STATUS_FAILED_UNKNOWN_REASON;
    if (word.n > 0)
        evidence_set_reason(ev, REASON_TEXT, word, SPAN_LIT("an unexpected CallStatus"));
    else
        evidence_set_reason(ev, REASON_TEXT, SPAN_LIT("(empty)"), SPAN_LIT("CallStatus is empty"));
}

/* Any of these makes it a request of Twilio's: callbacks of recordings and machine detection have no
 * CallStatus. */
static bool is_twilio(const struct twilio_text *text)
{
    static const enum twilio_name known[] = {TWILIO_CALL_SID, TWILIO_CALL_STATUS, TWILIO_RECORDING_SID,
                                             TWILIO_ANSWERED_BY, TWILIO_ACCOUNT_SID};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (text->values[known[i]].p)
            return true;
    }
    return false;
}

static void read_report(const struct twilio_text *text, struct twilio_report *report)
{
    const struct span *values = text->values;
    struct span sip = values[TWILIO_SIP_RESPONSE_CODE];
    *report = (struct twilio_report){
        .word = values[TWILIO_CALL_STATUS],
        .sip_code = fields_number(sip.n ? sip : values[TWILIO_SIP_RESULT_CODE]), /* SignalWire's name */
        .sip_phrase = values[TWILIO_SIP_PHRASE],
        .error_code = values[TWILIO_ERROR_CODE],
        .error_message = values[TWILIO_ERROR_MESSAGE],
        .answered_by = values[TWILIO_ANSWERED_BY],
        .talk_seconds = fields_number(values[TWILIO_CALL_DURATION]),
    };
}

static void read_callback(const struct twilio_text *text, struct evidence *ev)
{
    struct twilio_report report;
    read_report(text, &report);
    evidence_set_provider_call_id(ev, text->values[TWILIO_CALL_SID]);
    if (!report.word.p)
        return; /* another kind of callback */
    ev->at_ms = twilio_time(text->values[TWILIO_TIMESTAMP]);
    evidence_set_cost(ev, text->values[TWILIO_PRICE], text->values[TWILIO_PRICE_UNIT]);
    const struct call_word *row = find_word(report.word);
    if (row)
        apply_report(ev, row, &report);
    else
        apply_unknown_word(ev, report.word);
}

/* What the report is about, and what it says. */
static int need(const struct twilio_text *text, struct err *err)
{
    int code = fields_need_value("CallSid", text->values[TWILIO_CALL_SID], err);
    return code != 0 ? code : fields_need_value("CallStatus", text->values[TWILIO_CALL_STATUS], err);
}

int twilio_callback(const struct callback *callback, struct evidence *ev, struct err *err)
{
    struct twilio_text text;
    evidence_init(ev);
    int code = twilio_text_read(&text, callback, err);
    if (code == 0 && !is_twilio(&text))
        code = err_set(err, ERR_INVALID,
                       "none of a Twilio callback's fields is there, expected CallSid and CallStatus");
    if (code == 0)
        code = need(&text, err);
    if (code == 0)
        read_callback(&text, ev);
    twilio_text_done(&text);
    return code;
}

bool twilio_callback_id(const struct callback *callback, struct buf *id)
{
    struct twilio_text text;
    bool found = twilio_text_read(&text, callback, NULL) == 0 && need(&text, NULL) == 0 &&
                 fields_add_id(id, text.values[TWILIO_CALL_SID]);
    twilio_text_done(&text);
    return found;
}

/* The call object has no SIP code. A word that we do not know proves nothing here: it can be asked again. */
static void read_object(const json_t *object, struct evidence *ev)
{
    struct twilio_report report = {.word = json_get_span(object, "status"),
                                   .sip_code = -1,
                                   .answered_by = json_get_span(object, "answered_by"),
                                   .talk_seconds = fields_json_number(object, "duration")};
    const struct call_word *row = find_word(report.word);
    if (!row)
        return;
    evidence_set_provider_call_id(ev, json_get_span(object, "sid"));
    evidence_set_cost(ev, json_get_span(object, "price"), json_get_span(object, "price_unit"));
    ev->at_ms = row->terminal ? twilio_time(json_get_span(object, "end_time")) : 0;
    apply_report(ev, row, &report);
}

void twilio_looked_up(const struct channel *channel, int status, struct span body, struct evidence *ev)
{
    (void)channel;
    evidence_init(ev);
    json_t *object = status == 200 ? json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL) : NULL;
    read_object(object, ev);
    json_decref(object);
}

/* date_created is when Twilio took the request, to the second. */
static bool fits(const json_t *object, const struct doubt *doubt)
{
    int64_t created_ms = twilio_time(json_get_span(object, "date_created"));
    return span_eq(json_get_span(object, "to"), doubt->to) &&
           span_eq(json_get_span(object, "from"), doubt->from) &&
           span_is(json_get_span(object, "direction"), "outbound-api") && created_ms >= doubt->from_ms &&
           created_ms <= doubt->to_ms;
}

void twilio_found(const struct channel *channel, const struct doubt *doubt, int status, struct span body,
                  struct evidence *ev)
{
    (void)channel;
    evidence_init(ev);
    json_t *page = status == 200 ? json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL) : NULL;
    const json_t *calls = json_object_get(page, "calls"), *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(calls); i++) {
        if (!fits(json_array_get(calls, i), doubt))
            continue;
        found = json_array_get(calls, i);
        n++;
    }
    if (n == 1)
        read_object(found, ev);
    json_decref(page);
}
