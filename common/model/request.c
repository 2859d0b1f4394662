#include "common/model/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/model/metadata.h"
#include "common/phone.h"
#include "common/url.h"

enum {
    CALL_ID_MAX = 64,
    TENANT_MAX = 64,
    CAMPAIGN_MAX = 128,
    CHANNEL_MAX = 128, /* that there is no such channel is said by who has the channels file */
    LANGUAGE_MAX = 35,
    FIELD_MAX = 64,
    DELAY_MAX_S = 7 * 24 * 3600,
    SHOWN_MAX = 60, /* bytes of a bad value that a sentence quotes */
    ALL_DAYS = 0x7F,
};

/* Reading one request: what is found is borrowed from the JSON until own() copies it. */
struct reading {
    struct request *request;
    struct err *err;
    char *field;
    struct buf metadata;
    char unknown[REQUEST_MAX_UNKNOWN][FIELD_MAX];
};

/* ---- ids ---- */

static bool valid_id(struct span id, size_t max, const char *besides)
{
    if (id.n == 0 || id.n > max || span_is(id, ".") || span_is(id, ".."))
        return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(besides, c)))
            return false;
    }
    return true;
}

bool request_valid_call_id(struct span id)
{
    return valid_id(id, CALL_ID_MAX, "._:-");
}

bool request_valid_tenant(struct span tenant)
{
    return valid_id(tenant, TENANT_MAX, "._-");
}

bool request_valid_campaign(struct span campaign)
{
    return valid_id(campaign, CAMPAIGN_MAX, "._-");
}

/* ---- saying what is wrong ---- */

static struct span text_of(const json_t *value)
{
    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value)) : SPAN_NONE;
}

/* At most SHOWN_MAX bytes, cut at a character. */
static struct span start_of(struct span text)
{
    size_t n = 0, step;
    while (n < text.n && (step = span_utf8_char(span_of(text.p + n, text.n - n))) > 0 &&
           n + step <= SHOWN_MAX)
        n += step;
    return span_of(text.p, n);
}

static void add_text(struct buf *b, struct span text, bool phone)
{
    struct span start = start_of(text);
    buf_addc(b, '"');
    if (phone)
        phone_add_shown(b, start, PHONE_MASK, SPAN_NONE);
    else
        phone_add_masked_text(b, start, PHONE_MASK, SPAN_NONE);
    buf_adds(b, start.n < text.n ? "...\"" : "\"");
}

static void add_shown(struct buf *b, const json_t *value, bool phone)
{
    char number[48];
    if (json_is_string(value)) {
        add_text(b, text_of(value), phone);
        return;
    }
    if (json_is_number(value)) { /* which may be a phone number as well */
        if (json_is_integer(value))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        else
            snprintf(number, sizeof number, "%.15g", json_real_value(value));
        phone_add_masked_text(b, span_str(number), PHONE_MASK, SPAN_NONE);
        return;
    }
    buf_adds(b, json_is_object(value)  ? "an object"
                : json_is_array(value) ? "an array"
                : json_is_true(value)  ? "true"
                : json_is_false(value) ? "false"
                                       : "null");
}

/* "to: "0722", expected ...": the field, what it held, what was expected. A NULL value: it is missing. */
static int refuse(struct reading *in, const char *field, const json_t *value, const char *expected)
{
    struct buf shown;
    bool phone = strcmp(field, "to") == 0 || strcmp(field, "from") == 0;
    snprintf(in->field, FIELD_MAX, "%s", field);
    if (!*field)
        field = "the request";
    if (!value)
        return err_set(in->err, ERR_INVALID, "%s: is missing, expected %s", field, expected);
    buf_init(&shown, 512);
    add_shown(&shown, value, phone);
    err_set(in->err, ERR_INVALID, "%s: %s, expected %s", field, shown.p, expected);
    buf_done(&shown);
    return ERR_INVALID;
}

static void add_unknown(struct reading *in, const char *object, const char *name)
{
    struct request *request = in->request;
    if (request->unknown_n == REQUEST_MAX_UNKNOWN)
        return;
    char *text = in->unknown[request->unknown_n];
    int n = snprintf(text, FIELD_MAX, "%s%s%s", object, *object ? "." : "", name);
    struct span shown = span_of(text, n < FIELD_MAX ? (size_t)n : FIELD_MAX - 1);
    while (!span_utf8(shown)) /* cut inside a character */
        shown.n--;
    request->unknown[request->unknown_n++] = shown;
}

/* ---- fields ---- */

/* Reads one field; `value` is NULL where it is absent. */
typedef int (*read_fn)(struct reading *in, const json_t *value);

static int read_whole(struct reading *in, const char *field, const json_t *value, int min, int max, int *out)
{
    char expected[64];
    if (!value)
        return 0;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= min && number <= max) {
        *out = (int)number;
        return 0;
    }
    snprintf(expected, sizeof expected, "a whole number from %d to %d", min, max);
    return refuse(in, field, value, expected);
}

static int read_call_id(struct reading *in, const json_t *value)
{
    in->request->call_id = text_of(value);
    if (request_valid_call_id(in->request->call_id))
        return 0;
    return refuse(in, "call_id", value, "1 to 64 of A-Z a-z 0-9 . _ : - (and neither . nor ..)");
}

static int read_tenant(struct reading *in, const json_t *value)
{
    in->request->tenant = text_of(value);
    if (request_valid_tenant(in->request->tenant))
        return 0;
    return refuse(in, "tenant", value, "1 to 64 of A-Z a-z 0-9 . _ - (and neither . nor ..)");
}

static int read_campaign(struct reading *in, const json_t *value)
{
    in->request->campaign = text_of(value);
    if (request_valid_campaign(in->request->campaign))
        return 0;
    return refuse(in, "campaign", value, "1 to 128 of A-Z a-z 0-9 . _ - (and neither . nor ..)");
}

static int read_to(struct reading *in, const json_t *value)
{
    in->request->to = text_of(value);
    if (phone_valid(in->request->to))
        return 0;
    return refuse(in, "to", value, "a number in E.164, + and 7 to 15 digits");
}

static int read_channel(struct reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->channel = text_of(value);
    if (in->request->channel.n > 0 && in->request->channel.n <= CHANNEL_MAX)
        return 0;
    return refuse(in, "channel", value, "the name of a channel");
}

static int read_from(struct reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->from = text_of(value);
    if (phone_valid(in->request->from))
        return 0;
    return refuse(in, "from", value, "a number in E.164, + and 7 to 15 digits");
}

static size_t characters(struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static bool valid_url(struct span url)
{
    struct url_parts parts;
    return url.n > 0 && url.n <= REQUEST_MAX_URL && url_split(url, &parts, NULL) == 0 && parts.host.n > 0 &&
           (span_is(parts.scheme, "https") || span_is(parts.scheme, "http"));
}

static bool valid_language(struct span language)
{
    return language.p[0] != '-' && valid_id(language, LANGUAGE_MAX, "-");
}

static int read_language(struct reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->language = text_of(value);
    if (in->request->language.n > 0 && valid_language(in->request->language))
        return 0;
    return refuse(in, "message.language", value, "a language tag like \"sw-KE\"");
}

static int read_message_text(struct reading *in, const char *field, const json_t *value)
{
    struct request *request = in->request;
    request->message = text_of(value);
    if (request->message_kind != MESSAGE_SAY)
        return valid_url(request->message)
                   ? 0
                   : refuse(in, field, value, "an http or https URL of at most 2000 bytes");
    if (request->message.n > 0 && characters(request->message) <= REQUEST_MAX_SAY)
        return 0;
    return refuse(in, field, value, "a text of 1 to 4000 characters");
}

/* jansson's iterators want what is not const; nothing is changed through it. */
static json_t *mutable_json(const json_t *value)
{
    union {
        const json_t *given;
        json_t *wanted;
    } same = {.given = value};
    return same.wanted;
}

static int read_message(struct reading *in, const json_t *object)
{
    static const char *const expected = "exactly one of play, say and answer_url";
    static const struct {
        const char *name, *field;
        enum message_kind kind;
    } kinds[] = {{"play", "message.play", MESSAGE_PLAY},
                 {"say", "message.say", MESSAGE_SAY},
                 {"answer_url", "message.answer_url", MESSAGE_ANSWER_URL}};
    const json_t *text = NULL, *language = NULL;
    const char *name, *field = "message";
    json_t *value;
    if (!json_is_object(object))
        return refuse(in, field, object, "an object with exactly one of play, say and answer_url");
    json_object_foreach(mutable_json(object), name, value)
    {
        size_t i = 0;
        while (i < 3 && strcmp(name, kinds[i].name) != 0)
            i++;
        if (i == 3 && strcmp(name, "language") == 0)
            language = json_is_null(value) ? NULL : value;
        else if (i == 3)
            add_unknown(in, "message", name);
        else if (!json_is_null(value) && text)
            return refuse(in, "message", object, expected);
        else if (!json_is_null(value)) {
            text = value;
            field = kinds[i].field;
            in->request->message_kind = kinds[i].kind;
        }
    }
    if (!text)
        return refuse(in, "message", object, expected);
    if (language && in->request->message_kind != MESSAGE_SAY)
        add_unknown(in, "message", "language");
    int rc = read_message_text(in, field, text);
    return rc || in->request->message_kind != MESSAGE_SAY ? rc : read_language(in, language);
}

static int read_ring_timeout(struct reading *in, const json_t *value)
{
    return read_whole(in, "ring_timeout", value, 5, 600, &in->request->ring_timeout_s);
}

static int read_time_limit(struct reading *in, const json_t *value)
{
    return read_whole(in, "time_limit", value, 1, 86400, &in->request->time_limit_s);
}

/* 0 means "none" in the struct, so that a time before 1970 becomes the first one after: as long past. */
static int read_instant(struct reading *in, const char *field, const json_t *value, int64_t *ms)
{
    if (!value)
        return 0;
    if (!json_is_string(value) || !clock_parse_rfc3339(text_of(value), ms))
        return refuse(in, field, value, "a time like \"2026-11-22T18:50:50Z\" (RFC 3339)");
    if (*ms <= 0)
        *ms = 1;
    return 0;
}

static int read_not_before(struct reading *in, const json_t *value)
{
    return read_instant(in, "not_before", value, &in->request->not_before_ms);
}

static int read_expires_at(struct reading *in, const json_t *value)
{
    struct request *request = in->request;
    int rc = read_instant(in, "expires_at", value, &request->expires_at_ms);
    if (rc == 0 && request->expires_at_ms && request->expires_at_ms <= request->not_before_ms)
        return refuse(in, "expires_at", value, "a time after not_before");
    return rc;
}

/* IANA's syntax: parts of letters, digits, _ + -, with slashes between. That such a zone exists is known
 * later. */
static bool valid_timezone(struct span name)
{
    bool letter_wanted = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inside = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (c == '/' ? letter_wanted : !letter && (letter_wanted || !inside))
            return false;
        letter_wanted = c == '/';
    }
    return name.n < sizeof((struct calling_hours *)0)->timezone && !letter_wanted;
}

static int read_timezone(struct reading *in, const json_t *value)
{
    struct span name = text_of(value);
    if (!valid_timezone(name))
        return refuse(in, "calling_hours.timezone", value, "a name like \"Africa/Nairobi\"");
    memcpy(in->request->calling_hours.timezone, name.p, name.n);
    return 0;
}

static bool two_digits(const char *p, int below, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out < below;
}

static int read_minute(struct reading *in, const char *field, const json_t *value, int *out)
{
    struct span text = text_of(value);
    int hour, minute;
    if (text.n != 5 || text.p[2] != ':' || !two_digits(text.p, 24, &hour) ||
        !two_digits(text.p + 3, 60, &minute))
        return refuse(in, field, value, "a time of day from \"00:00\" to \"23:59\"");
    *out = hour * 60 + minute;
    return 0;
}

static int read_hours_from(struct reading *in, const json_t *value)
{
    return read_minute(in, "calling_hours.from", value, &in->request->calling_hours.from_min);
}

static int read_hours_to(struct reading *in, const json_t *value)
{
    struct calling_hours *hours = &in->request->calling_hours;
    int rc = read_minute(in, "calling_hours.to", value, &hours->to_min);
    if (rc == 0 && hours->to_min == hours->from_min)
        return refuse(in, "calling_hours.to", value,
                      "another time than calling_hours.from, the window would never open");
    return rc;
}

static int read_days(struct reading *in, const json_t *value)
{
    static const char *const expected = "a list of one or more of mon, tue, wed, thu, fri, sat, sun";
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    unsigned bits = 0;
    if (!value)
        return 0;
    if (json_array_size(value) == 0)
        return refuse(in, "calling_hours.days", value, expected);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *day = json_array_get(value, i);
        int d = 0;
        while (d < 7 && !span_is(text_of(day), days[d]))
            d++;
        if (d == 7)
            return refuse(in, "calling_hours.days", day, "one of mon, tue, wed, thu, fri, sat, sun");
        bits |= 1u << d;
    }
    in->request->calling_hours.days = bits;
    return 0;
}

static int read_max_attempts(struct reading *in, const json_t *value)
{
    return read_whole(in, "retry.max_attempts", value, 1, 20, &in->request->max_attempts);
}

static bool may_be_retried(enum call_status status)
{
    return status > STATUS_PENDING && status < STATUS_COMPLETED;
}

static int read_retry_on(struct reading *in, const json_t *value)
{
    static const char *const expected =
        "No_answer, User_busy, Subscriber_absent, Gateway_unavailable or Failed_unknown_reason";
    unsigned bits = 0;
    if (!value)
        return 0;
    if (!json_is_array(value))
        return refuse(in, "retry.on", value, "a list of statuses");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *name = json_array_get(value, i);
        enum call_status status = status_parse(text_of(name));
        if (!may_be_retried(status))
            return refuse(in, "retry.on", name, expected);
        bits |= 1u << status;
    }
    in->request->retry_on = bits;
    return 0;
}

static int read_delays(struct reading *in, const json_t *value)
{
    struct request *request = in->request;
    size_t n = json_array_size(value);
    if (!value)
        return 0;
    if (n == 0 || n > REQUEST_MAX_DELAYS)
        return refuse(in, "retry.delays", value, "a list of 1 to 16 delays in seconds");
    for (size_t i = 0; i < n; i++) {
        int rc =
            read_whole(in, "retry.delays", json_array_get(value, i), 0, DELAY_MAX_S, &request->delays_s[i]);
        if (rc)
            return rc;
    }
    request->delays_n = n;
    return 0;
}

static int read_redial_in_doubt(struct reading *in, const json_t *value)
{
    if (value && !json_is_boolean(value))
        return refuse(in, "redial_in_doubt", value, "true or false");
    in->request->redial_in_doubt = json_is_true(value);
    return 0;
}

static int read_priority(struct reading *in, const json_t *value)
{
    return read_whole(in, "priority", value, 0, 9, &in->request->priority);
}

static int read_metadata(struct reading *in, const json_t *value)
{
    if (!value)
        return 0;
    if (!json_is_object(value))
        return refuse(in, "metadata", value, "an object");
    if (json_object_size(value) == 0)
        return 0;
    metadata_add(&in->metadata, value);
    if (!buf_ok(&in->metadata))
        return refuse(in, "metadata", value, "at most 2048 bytes of JSON");
    in->request->metadata = buf_span(&in->metadata);
    return 0;
}

/* ---- objects as tables ---- */

struct field {
    const char *name;
    read_fn read;
};

enum { MAX_FIELDS = 20 };

/* Finds each known field in one walk over the object, then reads them in the table's order, so that the first
 * problem does not depend on the sender's. null is absent. */
static int read_object(struct reading *in, const char *object_name, const json_t *object,
                       const struct field *fields)
{
    const json_t *values[MAX_FIELDS] = {NULL};
    const char *name;
    json_t *value;
    json_object_foreach(mutable_json(object), name, value)
    {
        size_t i = 0;
        while (fields[i].name && strcmp(fields[i].name, name) != 0)
            i++;
        if (!fields[i].name)
            add_unknown(in, object_name, name);
        else if (!json_is_null(value))
            values[i] = value;
    }
    for (size_t i = 0; fields[i].name; i++) {
        int rc = fields[i].read(in, values[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_calling_hours(struct reading *in, const json_t *value)
{
    static const struct field fields[] = {{"timezone", read_timezone},
                                          {"from", read_hours_from},
                                          {"to", read_hours_to},
                                          {"days", read_days},
                                          {NULL, NULL}};
    if (!value)
        return 0;
    if (!json_is_object(value))
        return refuse(in, "calling_hours", value, "an object");
    in->request->calling_hours.set = true;
    return read_object(in, "calling_hours", value, fields);
}

static int read_retry(struct reading *in, const json_t *value)
{
    static const struct field fields[] = {
        {"max_attempts", read_max_attempts}, {"on", read_retry_on}, {"delays", read_delays}, {NULL, NULL}};
    if (!value)
        return 0;
    if (!json_is_object(value))
        return refuse(in, "retry", value, "an object");
    return read_object(in, "retry", value, fields);
}

static const struct field request_fields[] = {
    {"call_id", read_call_id},
    {"tenant", read_tenant},
    {"campaign", read_campaign},
    {"to", read_to},
    {"channel", read_channel},
    {"from", read_from},
    {"message", read_message},
    {"ring_timeout", read_ring_timeout},
    {"time_limit", read_time_limit},
    {"not_before", read_not_before},
    {"expires_at", read_expires_at},
    {"calling_hours", read_calling_hours},
    {"retry", read_retry},
    {"redial_in_doubt", read_redial_in_doubt},
    {"priority", read_priority},
    {"metadata", read_metadata},
    {NULL, NULL},
};

/* ---- the whole ---- */

static void set_defaults(struct request *request)
{
    *request = (struct request){
        .ring_timeout_s = 40,
        .time_limit_s = 3600,
        .calling_hours = {.days = ALL_DAYS},
        .max_attempts = 1,
        .retry_on = REQUEST_DEFAULT_RETRY_ON,
        .delays_s = {REQUEST_DEFAULT_DELAY_1_S, REQUEST_DEFAULT_DELAY_2_S},
        .delays_n = 2,
        .priority = 5,
    };
    buf_init(&request->text, 2 * REQUEST_MAX_BYTES);
}

static void move_in(struct buf *text, struct span *span)
{
    if (!span->p)
        return;
    size_t start = text->n;
    buf_addspan(text, *span);
    *span = span_of(text->p + start, span->n);
}

/* Copies what was borrowed. Room for all of it is made first, so that nothing moves afterwards. */
static int own(struct request *request, struct err *err)
{
    struct span *const spans[] = {&request->call_id, &request->tenant,   &request->campaign,
                                  &request->to,      &request->channel,  &request->from,
                                  &request->message, &request->language, &request->metadata};
    enum { SPANS = sizeof spans / sizeof spans[0] };
    size_t total = 0;
    for (size_t i = 0; i < SPANS; i++)
        total += spans[i]->n;
    for (size_t i = 0; i < request->unknown_n; i++)
        total += request->unknown[i].n;
    if (!buf_room(&request->text, total))
        return err_set(err, ERR_INVALID, "%zu bytes of text, expected at most %d", total, REQUEST_MAX_BYTES);
    for (size_t i = 0; i < SPANS; i++)
        move_in(&request->text, spans[i]);
    for (size_t i = 0; i < request->unknown_n; i++)
        move_in(&request->text, &request->unknown[i]);
    return 0;
}

/* Nothing may keep pointing into the JSON, which is gone soon. */
static void forget(struct request *request)
{
    request_done(request);
    set_defaults(request);
}

static void set_fingerprint(struct request *request)
{
    uint8_t hash[SHA256_LEN];
    struct buf canonical;
    buf_init(&canonical, 4 * REQUEST_MAX_BYTES);
    request_add_json(&canonical, request);
    crypto_sha256(buf_span(&canonical), hash);
    memcpy(request->fingerprint, hash, sizeof request->fingerprint);
    buf_done(&canonical);
}

int request_from_json(struct request *request, const void *json, struct err *err, char field[64])
{
    struct reading in = {.request = request, .err = err, .field = field};
    const json_t *object = json;
    set_defaults(request);
    field[0] = '\0';
    if (!json_is_object(object))
        return refuse(&in, "", object, "an object");
    buf_init(&in.metadata, REQUEST_MAX_METADATA);
    int rc = read_object(&in, "", object, request_fields);
    if (rc == 0)
        rc = own(request, err);
    buf_done(&in.metadata);
    if (rc)
        forget(request);
    else
        set_fingerprint(request);
    return rc;
}

int request_parse(struct request *request, struct span text, struct err *err, char field[64], bool *not_json)
{
    set_defaults(request);
    field[0] = '\0';
    *not_json = false;
    if (text.n > REQUEST_MAX_BYTES)
        return err_set(err, ERR_INVALID, "the request has %zu bytes, expected at most %d", text.n,
                       REQUEST_MAX_BYTES);
    json_t *root = json_parse(text, REQUEST_MAX_BYTES, err);
    if (!root) {
        *not_json = true;
        return err ? (int)(err->code = ERR_INVALID) : ERR_INVALID;
    }
    int rc = request_from_json(request, root, err, field);
    json_decref(root);
    return rc;
}

void request_done(struct request *request)
{
    buf_done(&request->text);
}
