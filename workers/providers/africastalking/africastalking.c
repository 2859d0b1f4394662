/*
 * Africa's Talking Voice: placing, the first response, instructions. Reports: africastalking_report.c.
 *
 * The first response, as recorded: {"entries": [{"phoneNumber": "+254720123123", "status": "Queued",
 * "sessionId": "ATVId_b1ad0dc21e85d5afdd33aeb4e8b87b17"}], "errorMessage": "None"}. The word None stands for
 * nothing.
 *
 * Sources: AfricasTalkingLtd/africastalking-node.js lib/voice.js and test/voice.js, -python
 * africastalking/Voice.py, -php src/Voice.php, africastalking.Net (the sandbox's host, clientRequestId);
 * SamuelMwangiW/africastalking-laravel tests/Fixtures/Saloon/voice (replies of the live service);
 * beamkenya/africastalking-elixir test/at_ex/gateway/Voice (plain text with a 400). None of these clients
 * knows a way to ask for a call's state, or to hang up: a call that is cancelled once it is placed goes on to
 * its end.
 */
#include "workers/providers/africastalking/africastalking.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/url.h"
#include "common/base/xml.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"
#include "workers/providers/fields.h"
#include "workers/providers/reply.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

enum credential { USERNAME, API_KEY };

static const struct provider_setting settings[] = {
    [USERNAME] = {.name = "username", .required = true},
    [API_KEY] = {.name = "api_key", .required = true, .secret = true},
    {.name = NULL},
};

/* The key stands in a header line: a line break in it would start another one. */
static int check(struct channel *channel, struct err *err)
{
    for (const char *p = channel->credentials[API_KEY]; *p; p++) {
        if (*p <= ' ' || *p > '~')
            return err_set(err, ERR_CONFIG,
                           "credentials.api_key: has a space, a line break or another character "
                           "that no key has, expected the key alone");
    }
    return 0;
}

/* ---- instructions ---- */

/* Its Say knows a voice and no language. */
static void add_verb(struct buf *b, const struct request *request)
{
    switch (request->message_kind) {
    case MESSAGE_PLAY:
        buf_adds(b, "<Play url=\"");
        xml_add_text(b, request->message);
        buf_adds(b, "\"/>");
        return;
    case MESSAGE_SAY:
        buf_adds(b, "<Say>");
        xml_add_text(b, request->message);
        buf_adds(b, "</Say>");
        return;
    case MESSAGE_ANSWER_URL:
        buf_adds(b, "<Redirect>");
        xml_add_text(b, request->message);
        buf_adds(b, "</Redirect>");
        return;
    case MESSAGE_NONE:
        return;
    }
}

/* The end of the document is the end of the call. */
static void answer(const struct request *request, struct buf *out, const char **content_type)
{
    *content_type = "application/xml";
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if (!request) {
        buf_adds(out, "<Response/>");
        return;
    }
    buf_adds(out, "<Response>");
    add_verb(out, request);
    buf_adds(out, "</Response>");
}

/* ---- placing ---- */

static void add_reference(struct buf *body, const struct placement *placement)
{
    struct buf reference;
    buf_init(&reference, 256); /* two ids of 64 and a number */
    buf_addspan(&reference, placement->request->tenant);
    buf_addc(&reference, '/');
    buf_addspan(&reference, placement->request->call_id);
    buf_addc(&reference, '/');
    buf_addint(&reference, placement->attempt);
    form_add(body, "clientRequestId", buf_span(&reference));
    buf_done(&reference);
}

/* It takes neither a callback URL nor instructions, a ring time-out or a time limit: the instructions are
 * asked for at the URL registered for `from`. */
static int place(const struct placement *placement, struct http_request *http, struct err *err)
{
    const struct channel *channel = placement->channel;
    if (placement->from.n == 0)
        return err_set(
            err, ERR_INVALID,
            "from: Africa's Talking needs one, and neither the request nor the channel \"%s\" has it",
            channel->name);
    http->method = "POST";
    http->once = true;
    buf_adds(&http->url, channel->base_url);
    buf_adds(&http->url, "/call");
    buf_adds(&http->headers, "apiKey: ");
    buf_adds(&http->headers, channel->credentials[API_KEY]);
    buf_adds(&http->headers, "\nAccept: application/json\nContent-Type: " FIELDS_FORM_TYPE "\n");
    form_add(&http->body, "username", span_str(channel->credentials[USERNAME]));
    form_add(&http->body, "from", placement->from);
    form_add(&http->body, "to", placement->request->to);
    add_reference(&http->body, placement);
    return 0;
}

/* ---- the first response ---- */

/* An entry's status. Other words are refusals that we do not know, unless a session id says otherwise. */
struct entry_word {
    const char *word;
    enum placed_kind kind;
};

static const struct entry_word entry_words[] = {
    {"Queued", PLACED_ACCEPTED},
    {"InvalidPhoneNumber", PLACED_REFUSED},
    {"DestinationNotSupported", PLACED_REFUSED},
    {"InsufficientCredit", PLACED_CHANNEL},
};

/*
 * What an error message is about, by a part of it. The callback URL belongs to the number in `from`, just as
 * the right to call from it does: a request that brought its own `from` has that trouble alone.
 */
struct message_part {
    const char *part;
    bool caller_id;
};

static const struct message_part channel_parts[] = {
    {"Invalid callerId", true}, {"Invalid callbackUrl", true}, {"credit", false},
    {"balance", false},         {"authentication", false},
};

static bool contains(struct span text, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= text.n; i++) {
        if (strncasecmp(text.p + i, part, n) == 0)
            return true;
    }
    return false;
}

static const struct message_part *find_part(struct span message)
{
    for (size_t i = 0; i < COUNT(channel_parts); i++) {
        if (contains(message, channel_parts[i].part))
            return &channel_parts[i];
    }
    return NULL;
}

/* Of the one number that we sent; NULL where there is none. Entries that cannot be read may name a call: then
 * they are the entry, which says nothing. */
static const json_t *first_entry(const json_t *object)
{
    const json_t *entries = json_object_get(object, "entries");
    return json_is_array(entries) ? json_array_get(entries, 0) : json_is_null(entries) ? NULL : entries;
}

/* Whether it says, or may say, that there is a session, also where its id cannot be read. */
static bool names_session(const json_t *entry)
{
    const json_t *id = json_object_get(entry, "sessionId");
    if (entry && (!json_is_object(entry) || json_odd(entry) != JSON_PLAIN))
        return true;
    return json_is_string(id) ? africastalking_said(json_text(id)).n > 0 : id && !json_is_null(id);
}

static enum placed_kind entry_kind(struct span word, bool names_one, bool has_id)
{
    for (size_t i = 0; i < COUNT(entry_words); i++) {
        if (!span_is_any_case(word, entry_words[i].word))
            continue;
        return entry_words[i].kind == PLACED_ACCEPTED && !has_id ? PLACED_IN_DOUBT : entry_words[i].kind;
    }
    if (names_one)
        return has_id ? PLACED_ACCEPTED : PLACED_IN_DOUBT;
    return word.n > 0 ? PLACED_REFUSED_FOR_NOW : PLACED_IN_DOUBT;
}

/* The one entry of the one number that we sent. */
static void read_entry(int status, const json_t *entry, struct span message, struct placed *out)
{
    struct span word = json_get_span(entry, "status");
    struct span id = africastalking_said(json_get_span(entry, "sessionId"));
    bool has_id = evidence_set_provider_call_id(&out->evidence, id);
    enum placed_kind kind = entry_kind(word, names_session(entry), has_id);
    if (kind == PLACED_IN_DOUBT)
        reply_http_reason(out, status, "the response carries no session id");
    else if (!span_is_any_case(word, "Queued"))
        evidence_set_reason(&out->evidence, REASON_NAMED, word, message);
    reply_settle(out, kind);
}

/* The request was refused; `other` is what words mean that none of the parts is in. */
static void settle_by_words(struct placed *out, struct span words, enum placed_kind other)
{
    const struct message_part *part = find_part(words);
    out->caller_id = part && part->caller_id;
    reply_settle(out, part ? PLACED_CHANNEL : other);
}

/* Numbers are refused by their entry; without one the sender is: its number, its balance, its set-up. */
static void read_success(int status, const json_t *object, struct placed *out)
{
    const json_t *entry = first_entry(object);
    struct span message = africastalking_said(json_get_span(object, "errorMessage"));
    if (entry) {
        read_entry(status, entry, message, out);
        return;
    }
    if (message.n == 0) {
        reply_in_doubt(out, status, "the response carries no entry");
        return;
    }
    evidence_set_reason(&out->evidence, REASON_TEXT, SPAN_LIT("errorMessage"), message);
    settle_by_words(out, message, PLACED_CHANNEL);
}

/* The words of a refusal: errorMessage, the status of a refused entry, or a sentence in plain text; SPAN_NONE
 * for a page of some proxy, and for what names a call after all. */
static struct span refusal_words(const json_t *object, struct span body)
{
    const json_t *entry = first_entry(object);
    struct span message = africastalking_said(json_get_span(object, "errorMessage"));
    if (!object)
        return body.n > 0 && !memchr(body.p, '<', body.n) ? fields_sentence(body) : SPAN_NONE;
    if (names_session(entry))
        return SPAN_NONE;
    return message.n > 0 ? message : json_get_span(entry, "status");
}

/* What a 4xx means whose words say nothing special. That 401 and 429 were not acted upon is what these two
 * mean, whoever sent them. */
static enum placed_kind refusal_kind(int status, bool provider_said)
{
    if (status == 429)
        return PLACED_NOT_NOW;
    if (status == 401)
        return PLACED_CHANNEL;
    if (!provider_said || status == 408)
        return PLACED_IN_DOUBT;
    return status == 402 || status == 403 || status == 404 ? PLACED_CHANNEL : PLACED_REFUSED;
}

static void set_http_reason(struct placed *out, int status, struct span words)
{
    char code[16];
    (void)snprintf(code, sizeof code, "HTTP %d", status);
    evidence_set_reason(&out->evidence, REASON_TEXT, span_str(code), words);
}

static void read_refusal(int status, const json_t *object, struct span body, struct placed *out)
{
    struct span words = refusal_words(object, body);
    enum placed_kind kind = refusal_kind(status, words.n > 0);
    set_http_reason(out, status, words);
    if (kind == PLACED_REFUSED || kind == PLACED_CHANNEL)
        settle_by_words(out, words, kind);
    else
        reply_settle(out, kind);
}

/* A 503 with the provider's own refusal was not acted upon; any other one may have been. */
static void read_unavailable(int status, const json_t *object, struct placed *out)
{
    struct span words = object ? refusal_words(object, SPAN_NONE) : SPAN_NONE;
    set_http_reason(out, status, words);
    reply_settle(out, words.n > 0 ? PLACED_NOT_NOW : PLACED_IN_DOUBT);
}

static void placed(const struct channel *channel, int status, struct span body, struct placed *out)
{
    (void)channel;
    reply_begin(out);
    json_t *object = json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL);
    if (status >= 200 && status < 300)
        read_success(status, object, out);
    else if (status >= 400 && status < 500)
        read_refusal(status, object, body, out);
    else if (status == 503)
        read_unavailable(status, object, out);
    else
        reply_in_doubt(out, status, "neither a call nor a refusal");
    json_decref(object);
}

const struct provider africastalking_provider = {
    .name = "africastalking",
    .default_base_url = "https://voice.africastalking.com",
    .settings = settings,
    .open = check,
    .place = place,
    .placed = placed,
    .callback = africastalking_callback,
    .callback_id = africastalking_callback_id,
    .callback_ref = africastalking_callback_ref,
    .callback_asks = africastalking_callback_asks,
    .answer = answer,
};
