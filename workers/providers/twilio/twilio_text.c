#include "workers/providers/twilio/twilio_text.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/url.h"
#include "workers/providers/fields.h"
#include "workers/providers/twilio/twilio.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

enum { TEXT_MAX = 128 * 1024, TIME_MAX = 40, TIME_MIN = 19, SID_HEX = 32, UUID_LEN = 36, CURRENCY_LEN = 3 };

/* ---- values, by kind: how many bytes of the text behind its name are it ---- */

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool begins_with(struct span text, const char *what)
{
    size_t n = strlen(what);
    return text.n >= n && memcmp(text.p, what, n) == 0;
}

static struct span from(struct span text, size_t at)
{
    return span_of(text.p + at, text.n - at);
}

/*
 * The documented names behind those whose values may hold capital letters [Twilio: "Call resource", TwiML
 * voice request parameters]. From and To are words of sentences, too: they count before what a number begins
 * with.
 */
static const char *const next_names[] = {
    "ApiVersion",    "CallSid",       "CallStatus",      "CallToken",     "CallbackSource", "Called",
    "Caller",        "Direction",     "Duration",        "ErrorCode",     "ErrorMessage",   "ErrorUrl",
    "FromCity",      "FromCountry",   "FromState",       "FromZip",       "From+",          "From0",
    "ForwardedFrom", "ParentCallSid", "PriceUnit",       "RecordingSid",  "SequenceNumber", "SipCallId",
    "SipDomain",     "SipHeader_",    "SipResponseCode", "SipResultCode", "StirStatus",     "StirVerstat",
    "Timestamp",     "ToCity",        "ToCountry",       "ToState",       "ToZip",          "To+",
};

static size_t to_next_name(struct span text)
{
    for (size_t at = 0; at < text.n; at++) {
        for (size_t i = 0; is_capital(text.p[at]) && i < COUNT(next_names); i++) {
            if (begins_with(from(text, at), next_names[i]))
                return at;
        }
    }
    return text.n;
}

static size_t to_capital(struct span text)
{
    size_t n = 0;
    while (n < text.n && !is_capital(text.p[n]))
        n++;
    return n;
}

static size_t word(struct span text)
{
    return text.n > 0 && is_capital(text.p[0]) ? to_next_name(text) : to_capital(text);
}

static bool is_uuid(struct span text)
{
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (text.n < UUID_LEN || (dash ? text.p[i] != '-' : number_hex_digit(text.p[i]) < 0))
            return false;
    }
    return true;
}

/* CA and 32 hex digits of Twilio's, whose case its documents leave open; a UUID of its copies'; or what looks
 * like neither. */
static size_t call_id(struct span text)
{
    if (is_uuid(text))
        return UUID_LEN;
    if (!begins_with(text, "CA"))
        return word(text);
    struct span digits = from(text, 2);
    size_t n = to_capital(digits), hex = 0;
    while (hex < digits.n && hex < SID_HEX && number_hex_digit(digits.p[hex]) >= 0)
        hex++;
    return 2 + (hex == SID_HEX && n < hex ? hex : n);
}

static size_t currency(struct span text)
{
    size_t n = 0;
    while (n < text.n && n < CURRENCY_LEN && is_capital(text.p[n]))
        n++;
    return n == CURRENCY_LEN ? n : word(text);
}

int64_t twilio_time(struct span text)
{
    int64_t wall_ms;
    char copy[TIME_MAX];
    if (clock_parse_rfc2822(text, &wall_ms))
        return wall_ms;
    if (text.n < 11 || text.n > sizeof copy)
        return 0;
    memcpy(copy, text.p, text.n);
    if (copy[10] == ' ')
        copy[10] = 'T';
    return clock_parse_rfc3339(span_of(copy, text.n), &wall_ms) ? wall_ms : 0;
}

/* The longest that can be read. */
static size_t instant(struct span text)
{
    for (size_t n = text.n < TIME_MAX ? text.n : TIME_MAX; n >= TIME_MIN; n--) {
        if (twilio_time(span_of(text.p, n)) != 0)
            return n;
    }
    return word(text);
}

/* The field behind may be one that nobody knows, whose name begins with a small letter: a documented status
 * and a number end before it. No status begins another one. */
static size_t status(struct span text)
{
    size_t n = word(text);
    for (size_t i = 1; i < n; i++) {
        if (twilio_is_status(span_of(text.p, i)) && text.p[i] != '-' && text.p[i] != '_')
            return i;
    }
    return n;
}

static size_t whole(struct span text)
{
    size_t n = word(text), digits = 0;
    while (digits < n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    return digits > 0 && digits < n && text.p[digits] != '.' ? digits : n;
}

/* ---- names ---- */

static const struct name {
    const char *name;
    size_t (*value)(struct span text);
    bool last; /* of several places the last one, else the first */
} names[] = {
    [TWILIO_ACCOUNT_SID] = {"AccountSid", to_next_name, false},
    [TWILIO_ANSWERED_BY] = {"AnsweredBy", word, false},
    [TWILIO_CALL_DURATION] = {"CallDuration", whole, false},
    [TWILIO_CALL_SID] = {"CallSid", call_id, false},
    [TWILIO_CALL_STATUS] = {"CallStatus", status, false},
    [TWILIO_ERROR_CODE] = {"ErrorCode", whole, false},
    [TWILIO_ERROR_MESSAGE] = {"ErrorMessage", to_next_name, false},
    [TWILIO_PRICE] = {"Price", word, true},
    [TWILIO_PRICE_UNIT] = {"PriceUnit", currency, true},
    [TWILIO_RECORDING_SID] = {"RecordingSid", word, true},
    [TWILIO_SIP_PHRASE] = {"SipInviteResultPhrase", to_next_name, true},
    [TWILIO_SIP_RESPONSE_CODE] = {"SipResponseCode", whole, true},
    [TWILIO_SIP_RESULT_CODE] = {"SipResultCode", whole, true},
    [TWILIO_TIMESTAMP] = {"Timestamp", instant, true},
};

/* What other names add before one of ours [TwiML: <Dial>, <Refer>, <Record>, <Conference>, <Stream>]. */
static const char *const prefixes[] = {"Conference", "Dial", "Parent", "Recording", "Refer", "Stream"};

static bool is_end_of_another(struct span text, size_t at)
{
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (at >= n && memcmp(text.p + at - n, prefixes[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_begin_of_another(struct span rest, enum twilio_name name)
{
    return name == TWILIO_PRICE && begins_with(rest, names[TWILIO_PRICE_UNIT].name);
}

static bool holds(struct span text, const char *what, size_t *at)
{
    const char *found = text.n > *at ? memmem(text.p + *at, text.n - *at, what, strlen(what)) : NULL;
    *at = found ? (size_t)(found - text.p) : text.n;
    return found != NULL;
}

static struct span find_value(struct span text, enum twilio_name name)
{
    struct span found = SPAN_NONE;
    for (size_t at = 0; holds(text, names[name].name, &at); at++) {
        if (is_end_of_another(text, at) || is_begin_of_another(from(text, at), name))
            continue;
        struct span rest = from(text, at + strlen(names[name].name));
        found = span_of(rest.p, names[name].value(rest));
        if (!names[name].last)
            break;
    }
    return found;
}

/* ---- reading ---- */

/* Decoded: a signature is tried over several spellings of the query. */
static bool hides_a_name(struct span query)
{
    struct buf text;
    bool hides = false;
    buf_init(&text, query.n + 1);
    url_decode(&text, query, true);
    for (int i = 0; i < TWILIO_NAMES; i++) {
        size_t at = 0;
        hides = hides || holds(buf_span(&text), names[i].name, &at);
    }
    buf_done(&text);
    return hides;
}

/* A name that nobody needs may begin with what no URL of ours holds: it was not moved from there. */
static bool begins_a_name(char c)
{
    return is_capital(c) || c == '%' || (unsigned char)c <= ' ' || (unsigned char)c >= 0x7F;
}

static int check(struct span text, const struct callback *callback, bool get, struct err *err)
{
    if (text.n == 0 || !begins_a_name(text.p[0]))
        return err_set(err, ERR_INVALID,
                       "none of a Twilio callback's fields is there, expected CallSid and CallStatus");
    if (!get && callback->query.n > 0 && hides_a_name(callback->query))
        return err_set(err, ERR_INVALID,
                       "the URL's query has the name of a field, expected fields in the body alone");
    return 0;
}

int twilio_text_read(struct twilio_text *text, const struct callback *callback, struct err *err)
{
    struct form form;
    bool get = callback->method && strcmp(callback->method, "GET") == 0 && callback->query.n > 0;
    *text = (struct twilio_text){.values = {SPAN_NONE}};
    buf_init(&text->text, TEXT_MAX);
    int code = fields_read_form(&form, callback, err);
    if (code == 0) {
        twilio_add_signed_fields(&text->text, get ? callback->query : callback->body);
        code = check(buf_span(&text->text), callback, get, err);
    }
    for (int i = 0; code == 0 && i < TWILIO_NAMES; i++)
        text->values[i] = find_value(buf_span(&text->text), (enum twilio_name)i);
    form_done(&form);
    return code;
}

void twilio_text_done(struct twilio_text *text)
{
    buf_done(&text->text);
}
