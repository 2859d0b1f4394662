/*
 * What Africa's Talking reports of a call.
 *
 * Recorded, a phone that was off:
 *   callSessionState=NotAnswered&hangupCause=SUBSCRIBER_ABSENT&direction=Outbound&durationInSeconds=0&amount=0
 *   &callerNumber=%2B256...&destinationNumber=%2B256...&status=NotAnswered&sessionId=ATVId_221c9e6c...
 *   &callStartTime=None&isActive=0&currencyCode=UGX
 * Recorded, the request for instructions of an answered call: callSessionState=Answered, isActive=1,
 * callStartTime=2021-10-13+19:10:16. callerNumber is the contact's phone, also of outbound calls.
 *
 * Sources: instedd/verboice issues 894 and 902, broker/src/africas_talking; the provider's documentation of
 * the call handler and its help centre's article 1163069 "What is an events URL?";
 * SamuelMwangiW/africastalking-laravel src/Enum/CallHangupCauses.php and
 * tests/Datasets/callback-requests.php.
 *
 * dialDurationInSeconds, dialStartTime and lastBridgeHangupCause are about the second leg of a <Dial>, never
 * about the contact, and are not read.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/url.h"
#include "common/model/cause.h"
#include "workers/providers/africastalking/africastalking.h"
#include "workers/providers/fields.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* What a report says; SPAN_NONE and -1 where it does not. */
struct africastalking_report {
    bool has_state; /* older integrations are sent no callSessionState at all */
    struct span state;
    struct span status;
    struct span cause;
    struct span started; /* as written, only where it is a time */
    bool has_digits;
    int64_t seconds;
};

struct span africastalking_said(struct span text)
{
    return text.n == 0 || span_is_any_case(text, "None") ? SPAN_NONE : text;
}

static struct span said(const struct form *form, const char *name)
{
    return africastalking_said(form_get(form, name));
}

/* ---- isActive=1: the call goes on ---- */

enum { START_CHARACTERS = 19 }; /* 2021-10-13+19:10:16 */

/*
 * callStartTime when it is one. The literal plus stands for a space, and a space may come as well. In which
 * time zone it is, nobody says: it proves that the call was answered and gives no instant, so evidence has no
 * time of the provider's.
 */
static struct span read_start(struct span text)
{
    char copy[START_CHARACTERS + 1];
    int64_t ignored_ms;
    if (text.n < START_CHARACTERS || (text.p[10] != '+' && text.p[10] != ' ' && text.p[10] != 'T'))
        return SPAN_NONE;
    memcpy(copy, text.p, START_CHARACTERS);
    copy[10] = 'T';
    copy[START_CHARACTERS] = 'Z';
    return clock_parse_rfc3339(span_of(copy, sizeof copy), &ignored_ms) ? text : SPAN_NONE;
}

static bool is_dialing(const struct africastalking_report *report)
{
    return span_is_any_case(report->state, "Ringing") || span_is_any_case(report->state, "Dialing");
}

/* A published event has Active without a start time: the word alone does not prove an answer. */
static bool is_answered(const struct africastalking_report *report)
{
    return !report->has_state || span_is_any_case(report->state, "Answered") ||
           (span_is_any_case(report->state, "Active") && report->started.n > 0) || report->has_digits;
}

/* "Answered, callStartTime 2021-10-13+19:10:16", in the provider's words. */
static void set_answer_detail(struct evidence *ev, const struct africastalking_report *report)
{
    struct buf text;
    buf_init(&text, EVIDENCE_DETAIL_MAX * 4);
    buf_addspan(&text, report->state);
    if (report->started.n > 0) {
        buf_adds(&text, text.n > 0 ? ", callStartTime " : "callStartTime ");
        buf_addspan(&text, report->started);
    }
    evidence_set_hop_detail(ev, buf_span(&text));
    buf_done(&text);
}

static void apply_active(struct evidence *ev, const struct africastalking_report *report)
{
    if (is_dialing(report)) {
        ev->hops = HOP_BIT(HOP_DIALING);
    } else if (is_answered(report)) {
        ev->status = STATUS_COMPLETED;
        ev->hops = HOP_BIT(HOP_CONNECTED);
        set_answer_detail(ev, report);
    }
}

/* ---- isActive=0: the call is over ---- */

/* Talk time says so, whatever the cause is. A call of less than a second has none: then all of the rest must
 * agree. */
static bool was_answered(const struct africastalking_report *report)
{
    if (report->seconds > 0)
        return true;
    return span_is_any_case(report->state, "Completed") && span_is_any_case(report->status, "Success") &&
           report->started.n > 0 &&
           (report->cause.n == 0 || span_is_any_case(report->cause, "NORMAL_CLEARING"));
}

/* The words that are left, as the detail of the reason: "NotAnswered" or "Completed, Aborted". */
static void add_words(struct buf *text, struct span first, struct span second)
{
    buf_addspan(text, first);
    if (second.n == 0 || span_eq(first, second))
        return;
    if (first.n > 0)
        buf_adds(text, ", ");
    buf_addspan(text, second);
}

static void set_reason(struct evidence *ev, const struct africastalking_report *report)
{
    struct buf words;
    buf_init(&words, EVIDENCE_DETAIL_MAX * 8);
    add_words(&words, report->state, report->status);
    if (report->cause.n > 0)
        evidence_set_reason(ev, REASON_NAMED, report->cause, buf_span(&words));
    else if (report->status.n > 0)
        evidence_set_reason(ev, REASON_TEXT, report->status, report->state);
    else if (report->state.n > 0)
        evidence_set_reason(ev, REASON_TEXT, report->state, SPAN_LIT("neither hangupCause nor status"));
    else
        evidence_set_reason(ev, REASON_TEXT, SPAN_LIT("(empty)"),
                            SPAN_LIT("no hangupCause, status or callSessionState"));
    buf_done(&words);
}

static enum call_status status_without_cause(const struct africastalking_report *report)
{
    return span_is_any_case(report->status, "NotAnswered") ||
                   (report->status.n == 0 && span_is_any_case(report->state, "NotAnswered"))
               ? STATUS_NO_ANSWER
               : STATUS_FAILED_UNKNOWN_REASON;
}

/*
 * Its causes have FreeSWITCH's names, and mean what they mean elsewhere. Two are ambiguous: FreeSWITCH reads
 * SIP 401, 402, 403, 407, 603 and 608 all as CALL_REJECTED, and both 408 and 504 as RECOVERY_ON_TIMER_EXPIRE.
 */
static void apply_unanswered(struct evidence *ev, const struct africastalking_report *report)
{
    const struct cause *cause = cause_by_name(report->cause);
    if (cause) {
        ev->status = cause->status;
        ev->permanent = cause->permanent;
    } else {
        ev->status = report->cause.n > 0 ? STATUS_FAILED_UNKNOWN_REASON : status_without_cause(report);
    }
    set_reason(ev, report);
}

static void apply_final(struct evidence *ev, const struct africastalking_report *report)
{
    struct buf words;
    ev->terminal = true;
    ev->hops = HOP_BIT(HOP_TERMINATE) | HOP_BIT(HOP_SESSION_COMPLETED);
    if (was_answered(report)) {
        ev->status = STATUS_COMPLETED;
        ev->talk_seconds = (int32_t)report->seconds;
    } else {
        apply_unanswered(ev, report);
    }
    buf_init(&words, EVIDENCE_DETAIL_MAX * 8);
    add_words(&words, report->cause, report->cause.n > 0 ? SPAN_NONE : report->status);
    evidence_set_hop_detail(ev, words.n > 0 ? buf_span(&words) : report->state);
    buf_done(&words);
}

/* ---- the form ---- */

static void read_report(const struct form *form, struct africastalking_report *report)
{
    *report = (struct africastalking_report){
        .has_state = form_get(form, "callSessionState").p != NULL,
        .state = said(form, "callSessionState"),
        .status = said(form, "status"),
        .cause = said(form, "hangupCause"),
        .started = read_start(form_get(form, "callStartTime")),
        .has_digits = said(form, "dtmfDigits").n > 0,
        .seconds = fields_number(form_get(form, "durationInSeconds")),
    };
}

/* 1 and 0, and as other parts of the provider write it. */
static bool is_yes(struct span active)
{
    return span_is(active, "1") || span_is_any_case(active, "true");
}

static bool is_no(struct span active)
{
    return span_is(active, "0") || span_is_any_case(active, "false");
}

static int check_form(const struct form *form, struct err *err)
{
    static const char *const needed[] = {"isActive", "sessionId", NULL};
    struct span active = said(form, "isActive");
    int code = fields_need(form, needed, err);
    if (code == 0 && active.n > 0 && !is_yes(active) && !is_no(active))
        return err_set(err, ERR_INVALID, "isActive: is neither 1 nor 0, neither true nor false");
    return code;
}

/* isActive decides, not callSessionState, which comes with every kind of request. */
static void apply_form(const struct form *form, struct evidence *ev)
{
    struct africastalking_report report;
    struct span active = form_get(form, "isActive");
    evidence_set_provider_call_id(ev, said(form, "sessionId"));
    read_report(form, &report);
    if (is_yes(active)) {
        apply_active(ev, &report);
    } else if (is_no(active)) {
        apply_final(ev, &report);
        evidence_set_cost(ev, said(form, "amount"), said(form, "currencyCode"));
    }
}

static bool is_africastalking(const struct form *form)
{
    static const char *const known[] = {"sessionId", "isActive", "callSessionState", "clientRequestId"};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (form_get(form, known[i]).p)
            return true;
    }
    return false;
}

int africastalking_callback(const struct callback *callback, struct evidence *ev, struct err *err)
{
    struct form form;
    evidence_init(ev);
    int code = fields_read_form(&form, callback, err);
    if (code == 0 && !is_africastalking(&form))
        code = err_set(
            err, ERR_INVALID,
            "none of an Africa's Talking callback's fields is there, expected sessionId and isActive");
    if (code == 0)
        code = check_form(&form, err);
    if (code == 0)
        apply_form(&form, ev);
    form_done(&form);
    return code;
}

bool africastalking_callback_id(const struct callback *callback, struct buf *id)
{
    struct form form;
    bool found = fields_read_form(&form, callback, NULL) == 0 && check_form(&form, NULL) == 0 &&
                 fields_add_id(id, said(&form, "sessionId"));
    form_done(&form);
    return found;
}

bool africastalking_callback_ref(const struct callback *callback, struct buf *ref)
{
    struct form form;
    struct span tag = SPAN_NONE;
    if (fields_read_form(&form, callback, NULL) == 0)
        tag = said(&form, "clientRequestId");
    buf_addspan(ref, tag);
    form_done(&form);
    return tag.n > 0;
}

bool africastalking_callback_asks(const struct callback *callback)
{
    struct form form;
    bool asks = fields_read_form(&form, callback, NULL) == 0 && is_yes(form_get(&form, "isActive"));
    form_done(&form);
    return asks;
}
