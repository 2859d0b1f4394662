#include "common/model/request.h"

#include <string.h>

#include "common/base/crypto.h"
#include "common/base/phone.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "common/model/request_read.h"

enum {
    CALL_ID_MAX = 64,
    TENANT_MAX = 64,
    CAMPAIGN_MAX = 128,
    CHANNEL_MAX = 128, /* that there is no such channel is said by who has the channels file */
    LANGUAGE_MAX = 35,
    /* Texts, and the canonical form, whose escapes may be longer than the sender's. */
    TEXT_MAX = 2 * REQUEST_MAX_BYTES,
    CANONICAL_MAX = 4 * REQUEST_MAX_BYTES,
    STORED_MAX = CANONICAL_MAX,
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

/* ---- fields ---- */

static int read_call_id(struct request_reading *in, const json_t *value)
{
    in->request->call_id = request_text(value);
    if (request_valid_call_id(in->request->call_id))
        return 0;
    return request_refuse(in, "call_id", value, "1 to 64 of A-Z a-z 0-9 . _ : - (and neither . nor ..)");
}

static int read_tenant(struct request_reading *in, const json_t *value)
{
    in->request->tenant = request_text(value);
    if (request_valid_tenant(in->request->tenant))
        return 0;
    return request_refuse(in, "tenant", value, "1 to 64 of A-Z a-z 0-9 . _ - (and neither . nor ..)");
}

static int read_campaign(struct request_reading *in, const json_t *value)
{
    in->request->campaign = request_text(value);
    if (request_valid_campaign(in->request->campaign))
        return 0;
    return request_refuse(in, "campaign", value, "1 to 128 of A-Z a-z 0-9 . _ - (and neither . nor ..)");
}

static int read_to(struct request_reading *in, const json_t *value)
{
    in->request->to = request_text(value);
    if (phone_valid(in->request->to))
        return 0;
    return request_refuse(in, "to", value, "a number in E.164, + and 7 to 15 digits");
}

static int read_channel(struct request_reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->channel = request_text(value);
    if (in->request->channel.n > 0 && in->request->channel.n <= CHANNEL_MAX)
        return 0;
    return request_refuse(in, "channel", value, "the name of a channel");
}

static int read_from(struct request_reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->from = request_text(value);
    if (phone_valid(in->request->from))
        return 0;
    return request_refuse(in, "from", value, "a number in E.164, + and 7 to 15 digits");
}

static size_t characters(struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

/* A list of hosts is something that only Redis' URLs have. */
static bool valid_url(struct span url)
{
    struct url_parts parts;
    return url.n > 0 && url.n <= REQUEST_MAX_URL && url_split(url, &parts, NULL) == 0 && parts.host.n > 0 &&
           !memchr(parts.host.p, ',', parts.host.n) &&
           (span_is(parts.scheme, "https") || span_is(parts.scheme, "http"));
}

static bool valid_language(struct span language)
{
    return language.p[0] != '-' && valid_id(language, LANGUAGE_MAX, "-");
}

static int read_language(struct request_reading *in, const json_t *value)
{
    if (!value)
        return 0;
    in->request->language = request_text(value);
    if (in->request->language.n > 0 && valid_language(in->request->language))
        return 0;
    return request_refuse(in, "message.language", value, "a language tag like \"sw-KE\"");
}

static int read_message_text(struct request_reading *in, const char *field, const json_t *value)
{
    struct request *request = in->request;
    request->message = request_text(value);
    if (request->message_kind != MESSAGE_SAY)
        return valid_url(request->message)
                   ? 0
                   : request_refuse(in, field, value, "an http or https URL of at most 2000 bytes");
    if (request->message.n > 0 && characters(request->message) <= REQUEST_MAX_SAY)
        return 0;
    return request_refuse(in, field, value, "a text of 1 to 4000 characters");
}

static int read_message(struct request_reading *in, const json_t *object)
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
    if (!request_is_object(object))
        return request_refuse(in, field, object, "an object with exactly one of play, say and answer_url");
    json_object_foreach(request_mutable(object), name, value)
    {
        size_t i = 0;
        while (i < 3 && strcmp(name, kinds[i].name) != 0)
            i++;
        if (i == 3 && strcmp(name, "language") == 0)
            language = json_is_null(value) ? NULL : value;
        else if (i == 3)
            request_note_unknown(in, "message", name);
        else if (json_odd(value) == JSON_DOUBLED)
            return request_check_single(in, "message", name, value);
        else if (!json_is_null(value) && text)
            return request_refuse(in, "message", object, expected);
        else if (!json_is_null(value)) {
            text = value;
            field = kinds[i].field;
            in->request->message_kind = kinds[i].kind;
        }
    }
    if (!text)
        return request_refuse(in, "message", object, expected);
    if (language && in->request->message_kind != MESSAGE_SAY)
        request_note_unknown(in, "message", "language");
    int rc = read_message_text(in, field, text);
    if (rc == 0 && in->request->message_kind == MESSAGE_SAY)
        rc = request_check_single(in, "message", "language", language);
    return rc || in->request->message_kind != MESSAGE_SAY ? rc : read_language(in, language);
}

static int read_ring_timeout(struct request_reading *in, const json_t *value)
{
    return request_read_whole(in, "ring_timeout", value, 5, 600, &in->request->ring_timeout_s);
}

static int read_time_limit(struct request_reading *in, const json_t *value)
{
    return request_read_whole(in, "time_limit", value, 1, 86400, &in->request->time_limit_s);
}

static int read_redial_in_doubt(struct request_reading *in, const json_t *value)
{
    if (value && !json_is_boolean(value))
        return request_refuse(in, "redial_in_doubt", value, "true or false");
    in->request->redial_in_doubt = json_is_true(value);
    return 0;
}

static int read_priority(struct request_reading *in, const json_t *value)
{
    return request_read_whole(in, "priority", value, 0, 9, &in->request->priority);
}

static int read_metadata(struct request_reading *in, const json_t *value)
{
    if (!value)
        return 0;
    if (!request_is_object(value))
        return request_refuse(in, "metadata", value, "an object");
    if (json_object_size(value) == 0)
        return 0;
    if (!json_value(&in->metadata, value, JSON_SORTED))
        return request_refuse(in, "metadata", value, "at most 256 levels of JSON");
    if (!buf_ok(&in->metadata))
        return request_refuse(in, "metadata", value, "at most 2048 bytes of JSON");
    in->request->metadata = buf_span(&in->metadata);
    return 0;
}

static const struct request_field request_fields[] = {
    {"call_id", read_call_id},
    {"tenant", read_tenant},
    {"campaign", read_campaign},
    {"to", read_to},
    {"channel", read_channel},
    {"from", read_from},
    {"message", read_message},
    {"ring_timeout", read_ring_timeout},
    {"time_limit", read_time_limit},
    {"not_before", request_read_not_before},
    {"expires_at", request_read_expires_at},
    {"calling_hours", request_read_calling_hours},
    {"retry", request_read_retry},
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
        .calling_hours = {.days = HOURS_ALL_DAYS},
        .max_attempts = 1,
        .retry_on = REQUEST_DEFAULT_RETRY_ON,
        .delays_s = {REQUEST_DEFAULT_DELAY_1_S, REQUEST_DEFAULT_DELAY_2_S},
        .delays_n = 2,
        .priority = 5,
    };
    buf_init(&request->text, TEXT_MAX);
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
    struct span *const spans[] = {
        &request->call_id, &request->tenant,  &request->campaign, &request->to,       &request->channel,
        &request->from,    &request->message, &request->language, &request->metadata, &request->lost_zone};
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
    buf_init(&canonical, CANONICAL_MAX);
    request_add_json(&canonical, request);
    crypto_sha256(buf_span(&canonical), hash);
    memcpy(request->fingerprint, hash, sizeof request->fingerprint);
    buf_done(&canonical);
}

/* `object` into in->request, which has its defaults. */
static int read_fields(struct request_reading *in, const struct request_field *fields, const json_t *object)
{
    in->field[0] = '\0';
    if (!request_is_object(object))
        return request_refuse(in, "", object, "an object");
    buf_init(&in->metadata, REQUEST_MAX_METADATA);
    int rc = request_read_object(in, "", object, fields);
    if (rc == 0)
        rc = own(in->request, in->err);
    buf_done(&in->metadata);
    if (rc)
        forget(in->request);
    return rc;
}

int request_from_json(struct request *request, const void *json, struct err *err, char field[64])
{
    struct request_reading in = {.request = request, .err = err, .field = field};
    set_defaults(request);
    int rc = read_fields(&in, request_fields, json);
    if (rc == 0)
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
    json_t *root = json_read(text, REQUEST_MAX_BYTES, JSON_READ_LENIENT, err);
    *not_json = !root;
    if (!root)
        return ERR_INVALID;
    struct request_reading in = {.request = request, .err = err, .field = field};
    int rc = read_fields(&in, request_fields, root);
    json_decref(root);
    if (rc == 0)
        set_fingerprint(request);
    *not_json = in.unreadable && !span_utf8(text);
    return rc;
}

/* The calls that wait were given to us by versions that knew other fields and bounds. */
int request_read_stored(struct request *request, enum request_part part, struct span stored, struct err *err)
{
    static const struct request_field message[] = {{"message", read_message}, {NULL, NULL}};
    static const struct request_field numbers[] = {{"to", read_to}, {"from", read_from}, {NULL, NULL}};
    const struct request_field *fields = part == REQUEST_MESSAGE   ? message
                                         : part == REQUEST_NUMBERS ? numbers
                                                                   : request_fields;
    char field[REQUEST_FIELD_MAX];
    struct request_reading in = {.request = request, .err = err, .field = field, .stored = true};
    set_defaults(request);
    json_t *root = json_read(stored, STORED_MAX, JSON_READ_LENIENT, err);
    int rc = root ? read_fields(&in, fields, root) : ERR_INVALID;
    json_decref(root);
    if (rc == 0 && part == REQUEST_WHOLE)
        set_fingerprint(request);
    return rc;
}

void request_done(struct request *request)
{
    buf_done(&request->text);
}
