/*
 * What Vonage reports of a call: events at event_url and the call object of a look-up.
 *
 * Events as recorded (vonage-php-sdk-core, test/Voice/requests), shortened:
 *   {"end_time": "2020-07-01T20:45:42.000Z", "uuid": "0A0000000123ABCD1", "duration": "7",
 *    "start_time": "2020-07-01T20:45:35.000Z", "rate": "0.00450000", "price": "0.00052500", "status":
 * "completed", "direction": "outbound", "timestamp": "2020-07-01T20:45:41.712Z"}
 *   {"uuid": "0A0000000123ABCD1", "status": "failed", "detail": "cannot_route",
 *    "timestamp": "2020-07-01T20:45:34.796Z"}
 * Sources of the words: Nexmo/nexmo-developer voice-api/webhook-reference.md; CallStatus, CallStatusDetail
 * and EventWebhook of Vonage/vonage-java-sdk (sip_code, call_uuid, numbers that are no strings).
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/model/cause.h"
#include "workers/providers/fields.h"
#include "workers/providers/vonage/vonage.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- the words ---- */

/* What besides the word decides. */
enum refinement {
    AS_IT_STANDS,
    NEEDS_AN_ANSWER, /* completed: Completed where something shows that the call was answered */
    MAY_BE_ABSENT,   /* unanswered: the SIP code may say so */
    MAY_BE_DECLINED, /* rejected: the SIP code may say so where there is no detail */
    SIP_DECIDES,     /* failed: where there is no detail */
};

struct event_word {
    const char *word;
    enum call_status status;
    unsigned hops;
    bool terminal;
    enum refinement refinement;
};

#define CONNECTED HOP_BIT(HOP_CONNECTED)
#define ENDED     (HOP_BIT(HOP_TERMINATE) | HOP_BIT(HOP_SESSION_COMPLETED))

/*
 * `completed` may close calls that nobody answered, too. That Completed implies connected is the merge's
 * business: this report has the time of the end, not of the answer. `disconnected` is about WebSockets.
 */
static const struct event_word event_words[] = {
    {"started", STATUS_NONE, 0, false, AS_IT_STANDS},
    {"ringing", STATUS_NONE, HOP_BIT(HOP_DIALING), false, AS_IT_STANDS},
    {"answered", STATUS_COMPLETED, CONNECTED, false, AS_IT_STANDS},
    {"human", STATUS_COMPLETED, CONNECTED, false, AS_IT_STANDS},
    {"machine", STATUS_COMPLETED, CONNECTED, false, AS_IT_STANDS},
    {"completed", STATUS_COMPLETED, ENDED, true, NEEDS_AN_ANSWER},
    {"busy", STATUS_USER_BUSY, ENDED, true, AS_IT_STANDS},
    {"timeout", STATUS_NO_ANSWER, ENDED, true, AS_IT_STANDS},
    /* Unreachable or declined, by the provider's own words. */
    {"unanswered", STATUS_NO_ANSWER, ENDED, true, MAY_BE_ABSENT},
    {"rejected", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, MAY_BE_DECLINED},
    {"failed", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, SIP_DECIDES},
    {"cancelled", STATUS_FAILED_UNKNOWN_REASON, ENDED, true, AS_IT_STANDS},
    {"disconnected", STATUS_NONE, 0, false, AS_IT_STANDS},
};

/* Details that say more than their word; with any other the word stands as it is. */
struct event_detail {
    const char *word;
    const char *detail;
    enum call_status status;
    bool permanent; /* the number or the route is wrong (as Q.850 28, 2, 3 and 1 are) */
};

static const struct event_detail event_details[] = {
    {"unanswered", "unavailable", STATUS_SUBSCRIBER_ABSENT, false},
    {"rejected", "declined", STATUS_USER_BUSY, false},
    {"rejected", "invalid_number", STATUS_FAILED_UNKNOWN_REASON, true},
    {"failed", "cannot_route", STATUS_FAILED_UNKNOWN_REASON, true},
    {"failed", "number_out_of_service", STATUS_FAILED_UNKNOWN_REASON, true},
};

static const struct event_word *find_word(struct span word)
{
    for (size_t i = 0; i < COUNT(event_words); i++) {
        if (span_is(word, event_words[i].word))
            return &event_words[i];
    }
    return NULL;
}

static const struct event_detail *find_detail(const struct event_word *row, struct span detail)
{
    for (size_t i = 0; i < COUNT(event_details); i++) {
        if (strcmp(event_details[i].word, row->word) == 0 && span_is(detail, event_details[i].detail))
            return &event_details[i];
    }
    return NULL;
}

/* ---- what a report says ---- */

/* Wherever it stands; SPAN_NONE, -1 and 0 where it does not. */
struct vonage_report {
    struct span word;
    struct span id;
    struct span called;
    struct span detail;
    struct span sub_state;
    struct span disconnected_by;
    struct span price;
    int64_t sip_code;
    int64_t duration_s;
    int64_t at_ms, start_ms, end_ms; /* wall */
};

static bool is_answered(const struct vonage_report *report)
{
    return report->duration_s > 0 || report->start_ms > 0 || report->sip_code == 200;
}

/* The SIP code of a leg whose word leaves open what it was, and which has no detail. */
static void apply_sip(struct evidence *ev, const struct event_word *row, const struct vonage_report *report)
{
    const struct cause *cause = report->sip_code > 0 ? cause_by_sip((int)report->sip_code) : NULL;
    bool open = row->refinement == SIP_DECIDES || row->refinement == MAY_BE_DECLINED;
    if (!cause || !open || report->detail.n > 0)
        return;
    if (row->refinement == SIP_DECIDES || cause->status == STATUS_USER_BUSY)
        ev->status = cause->status;
    ev->permanent = cause->permanent;
}

static void apply_status(struct evidence *ev, const struct event_word *row,
                         const struct vonage_report *report)
{
    const struct event_detail *detail = find_detail(row, report->detail);
    ev->status = detail ? detail->status : row->status;
    ev->permanent = detail && detail->permanent;
    ev->hops = row->hops;
    ev->terminal = row->terminal;
    if (row->refinement == NEEDS_AN_ANSWER && !is_answered(report))
        ev->status = STATUS_FAILED_UNKNOWN_REASON;
    if (row->refinement == MAY_BE_ABSENT && (report->sip_code == 480 || report->sip_code == 408))
        ev->status = STATUS_SUBSCRIBER_ABSENT;
    apply_sip(ev, row, report);
}

/* "unanswered", "unanswered, SIP 480" */
static void add_word(struct buf *text, const struct vonage_report *report, bool with_sip)
{
    buf_addspan(text, report->word);
    if (!with_sip || report->sip_code <= 0)
        return;
    buf_adds(text, ", SIP ");
    buf_addint(text, report->sip_code);
}

/*
 * The reason of a leg that was not answered, as a reader of `by_reason` would count it: the detail where
 * there is one, else the SIP code, which says more than the word does, else the word. What was not chosen is
 * the reason's detail.
 */
static void apply_reason(struct evidence *ev, const struct vonage_report *report)
{
    struct buf text;
    if (ev->status == STATUS_NONE || ev->status == STATUS_COMPLETED)
        return;
    buf_init(&text, EVIDENCE_DETAIL_MAX);
    if (report->detail.n > 0) {
        add_word(&text, report, true);
        evidence_set_reason(ev, REASON_NAMED, report->detail, buf_span(&text));
    } else if (report->sip_code >= 300 && report->sip_code <= 699) {
        buf_addint(&text, report->sip_code);
        evidence_set_reason(ev, REASON_SIP, buf_span(&text), report->word);
    } else {
        evidence_set_reason(ev, REASON_TEXT, report->word, SPAN_NONE);
    }
    buf_done(&text);
}

static void add_part(struct buf *text, const char *what, struct span said)
{
    if (said.n == 0)
        return;
    buf_adds(text, ", ");
    buf_adds(text, what);
    buf_addspan(text, said);
}

/* The raw cause beside the hops: "unanswered, SIP 480, unavailable", "machine, beep_start". Dialing has
 * none. */
static void apply_hop_detail(struct evidence *ev, const struct vonage_report *report)
{
    struct buf text;
    if ((ev->hops & ~HOP_BIT(HOP_DIALING)) == 0)
        return;
    buf_init(&text, HTTP_MAX_REPLY);
    add_word(&text, report, true);
    add_part(&text, "", report->detail);
    add_part(&text, "", report->sub_state);
    add_part(&text, "disconnected by ", report->disconnected_by);
    evidence_set_hop_detail(ev, buf_span(&text));
    buf_done(&text);
}

static void apply_times(struct evidence *ev, const struct event_word *row, const struct vonage_report *report)
{
    bool answered = ev->status == STATUS_COMPLETED;
    ev->at_ms = report->at_ms;
    if (ev->at_ms == 0 && row->terminal)
        ev->at_ms = report->end_ms;
    else if (ev->at_ms == 0 && answered)
        ev->at_ms = report->start_ms;
    if (!answered)
        return;
    ev->answered_at_ms = report->start_ms;
    if (row->terminal)
        ev->talk_seconds = (int32_t)report->duration_s;
}

/* Whose it is. The number has no plus. */
static void apply_ids(struct evidence *ev, const struct vonage_report *report)
{
    struct buf number;
    buf_init(&number, HTTP_MAX_REPLY);
    buf_addc(&number, '+');
    buf_addspan(&number, report->called);
    evidence_set_provider_call_id(ev, report->id);
    evidence_set_called(ev, buf_span(&number));
    buf_done(&number);
}

static void apply_report(struct evidence *ev, const struct event_word *row,
                         const struct vonage_report *report)
{
    apply_ids(ev, report);
    evidence_set_cost(ev, report->price, SPAN_LIT("EUR"));
    apply_status(ev, row, report);
    apply_reason(ev, report);
    apply_hop_detail(ev, report);
    apply_times(ev, row, report);
}

/* An unexpected word is kept, and ends nothing: it must not make us redial somebody who is talking. */
static void apply_unknown_word(struct evidence *ev, const struct vonage_report *report)
{
    apply_ids(ev, report);
    ev->status = STATUS_FAILED_UNKNOWN_REASON;
    ev->at_ms = report->at_ms;
    if (report->word.n > 0)
        evidence_set_reason(ev, REASON_TEXT, report->word, SPAN_LIT("an unexpected status"));
    else
        evidence_set_reason(ev, REASON_TEXT, SPAN_LIT("(empty)"), SPAN_LIT("status is empty"));
}

/* ---- reading ---- */

/* A report's fields. */
struct source {
    json_t *object;
    char price[32]; /* of a JSON number, as text */
};

static struct span text_of(const struct source *source, const char *name)
{
    return json_get_span(source->object, name);
}

static int64_t number_of(const struct source *source, const char *name)
{
    double value = json_real_value(json_object_get(source->object, name));
    if (value > 0 && value < 1e9)
        return (int64_t)value; /* 7.0 */
    return fields_json_number(source->object, name);
}

/* A number has as many digits as the text would have had; evidence cuts at the sixth. */
static struct span price_of(struct source *source)
{
    struct buf text;
    const json_t *value = json_object_get(source->object, "price");
    if (json_odd(value) == JSON_BIG)
        return json_big_number(value);
    double price = json_number_value(value);
    if (!json_is_number(value) || price < 0 || price >= 1e9)
        return text_of(source, "price");
    buf_init(&text, sizeof source->price - 1);
    buf_addf(&text, "%.9f", price);
    memcpy(source->price, text.p, text.n + 1);
    buf_done(&text);
    return span_str(source->price);
}

enum { TIME_MAX = 40, TIME_PLAIN = sizeof "2026-11-22 18:50:50" - 1 };

/* RFC 3339 in events; "2020-07-01 20:45:35" in look-ups, which is UTC as everything of Vonage's is. 0:
 * none. */
static int64_t time_of(const struct source *source, const char *name)
{
    struct span text = text_of(source, name);
    char copy[TIME_MAX + 1];
    int64_t wall_ms;
    if (text.n < TIME_PLAIN || text.n > TIME_MAX)
        return 0;
    memcpy(copy, text.p, text.n);
    if (copy[10] == ' ')
        copy[10] = 'T';
    size_t n = text.n;
    if (n == TIME_PLAIN)
        copy[n++] = 'Z';
    return clock_parse_rfc3339(span_of(copy, n), &wall_ms) && wall_ms > 0 ? wall_ms : 0;
}

/* Machine detection has the call's id in call_uuid; where both are there, uuid is it. */
static struct span id_of(const struct source *source)
{
    struct span id = text_of(source, "uuid");
    return id.n > 0 ? id : text_of(source, "call_uuid");
}

/* The spans point into the source. */
static void read_report(struct source *source, struct vonage_report *report)
{
    *report = (struct vonage_report){
        .word = text_of(source, "status"),
        .id = id_of(source),
        .called = text_of(source, "to"),
        .detail = text_of(source, "detail"),
        .sub_state = text_of(source, "sub_state"),
        .disconnected_by = text_of(source, "disconnected_by"),
        .price = price_of(source),
        .sip_code = number_of(source, "sip_code"),
        .duration_s = number_of(source, "duration"),
        .at_ms = time_of(source, "timestamp"),
        .start_ms = time_of(source, "start_time"),
        .end_ms = time_of(source, "end_time"),
    };
}

static int open_source(struct source *source, const struct callback *callback, struct err *err)
{
    source->object = json_read(callback->body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, err);
    if (source->object)
        return 0;
    if (err)
        err->code = ERR_INVALID; /* too large is unreadable too */
    return ERR_INVALID;
}

static void close_source(struct source *source)
{
    json_decref(source->object);
}

/*
 * Any of these makes it an event of Vonage's; `status` alone does not, because others have one, too, and an
 * unknown word would count as a failure. Those without a status are about something else: a transfer, a
 * recording, input, a notify action (whose payload is ours), an error.
 */
static bool is_vonage(const struct source *source)
{
    static const char *const known[] = {
        "uuid", "call_uuid", "conversation_uuid", "conversation_uuid_from", "recording_url", "payload"};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (json_object_get(source->object, known[i]))
            return true;
    }
    return false;
}

static int check_source(const struct source *source, struct err *err)
{
    static const char *const needed[] = {"uuid", "call_uuid", "status", NULL};
    return fields_json_need(source->object, needed, err);
}

static void read_callback(struct source *source, struct evidence *ev)
{
    struct vonage_report report;
    read_report(source, &report);
    const struct event_word *row = find_word(report.word);
    if (row)
        apply_report(ev, row, &report);
    else if (report.word.p)
        apply_unknown_word(ev, &report);
    else
        apply_ids(ev, &report); /* another kind of event */
}

int vonage_callback(const struct callback *callback, struct evidence *ev, struct err *err)
{
    struct source source;
    evidence_init(ev);
    int code = open_source(&source, callback, err);
    if (code == 0)
        code = check_source(&source, err);
    if (code == 0 && !is_vonage(&source))
        code =
            err_set(err, ERR_INVALID, "none of a Vonage event's fields is there, expected uuid and status");
    if (code == 0)
        read_callback(&source, ev);
    close_source(&source);
    return code;
}

bool vonage_callback_id(const struct callback *callback, struct buf *id)
{
    struct source source;
    bool found = open_source(&source, callback, NULL) == 0 && check_source(&source, NULL) == 0 &&
                 fields_add_id(id, id_of(&source));
    close_source(&source);
    return found;
}

/*
 * The call object has neither detail nor SIP code, so `unanswered`, `rejected` and `failed` say the least
 * that they can mean, which an event with its detail outranks. A word that we do not know proves nothing
 * here: it can be asked again.
 */
void vonage_looked_up(const struct channel *channel, int status, struct span body, struct evidence *ev)
{
    (void)channel;
    struct source source = {.object = status == 200 ? json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL)
                                                    : NULL};
    struct vonage_report report;
    evidence_init(ev);
    if (!source.object)
        return;
    read_report(&source, &report);
    const struct event_word *row = find_word(report.word);
    if (row)
        apply_report(ev, row, &report);
    json_decref(source.object);
}
