/*
 * Vonage Voice API v1: placing, the first response, look-ups, NCCO. Events: vonage_report.c; signatures:
 * vonage_signature.c; tokens: vonage_token.c.
 *
 *   POST BASE/v1/calls
 *   {"to": [{"type": "phone", "number": "447700900000"}], "from": {"type": "phone", "number":
 * "442079460000"}, "ncco": [{"action": "talk", "text": "..."}], "ringing_timer": 40, "length_timer": 600,
 *    "event_url": ["https://..."], "event_method": "POST"}
 *   201 {"uuid": "63f61863-4a51-4f6b-86e1-46edebcf9356", "status": "started", "direction": "outbound",
 *        "conversation_uuid": "CON-f972836a-550f-45fa-956c-12a2ab5b7d22"}
 *
 * Sources: Nexmo/api-specification definitions/voice.yml (1.3.7), the NCCO reference; error bodies as the
 * test data of vonage-php-sdk-core and vonage-python-sdk have them.
 */
#include "workers/providers/vonage/vonage.h"

#include "common/base/clock.h"
#include "common/base/phone.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"
#include "workers/providers/fields.h"
#include "workers/providers/reply.h"

enum {
    RINGING_TIMER_MAX_S = 120,
    /* The specification of 2021 takes 7200, which is also the default; Vonage's SDKs of today let 86400 pass.
     * Past its own limit the API refuses the call for good, so the lesser one is kept to: a longer time_limit
     * ends after two hours, which "at most" still allows. */
    LENGTH_TIMER_MAX_S = 7200,
    TALK_MAX_CHARACTERS = 1500, /* of one talk action (NCCO reference) */
    URL_MAX = 8 * 1024,
    WORDS_MAX = 4 * EVIDENCE_DETAIL_MAX,
};

static const struct provider_setting settings[] = {
    [VONAGE_APPLICATION_ID] = {.name = "application_id", .required = true},
    [VONAGE_PRIVATE_KEY] = {.name = "private_key", .required = true, .secret = true},
    {.name = NULL},
};

/* ---- NCCO ---- */

static void open_object(struct buf *b)
{
    json_sep(b);
    buf_addc(b, '{');
}

static void add_stream(struct buf *b, struct span url)
{
    open_object(b);
    json_kstrz(b, "action", "stream");
    json_key(b, "streamUrl");
    buf_addc(b, '[');
    json_str(b, url);
    buf_adds(b, "]}");
}

/* How many bytes of `text` one talk action takes: all of it, else up to the last space within the limit, else
 * up to the limit. */
static size_t talk_bytes(struct span text)
{
    size_t at = 0, space = 0;
    for (int n = 0; at < text.n && n < TALK_MAX_CHARACTERS; n++) {
        size_t step = span_utf8_char(span_of(text.p + at, text.n - at));
        at += step ? step : 1;
        if (text.p[at - 1] == ' ')
            space = at;
    }
    return at == text.n || space == 0 ? at : space;
}

/* A text longer than an action takes becomes several, which are spoken one after the other. */
static void add_talk(struct buf *b, struct span text, struct span language)
{
    while (text.n > 0) {
        size_t n = talk_bytes(text);
        open_object(b);
        json_kstrz(b, "action", "talk");
        json_kstr(b, "text", span_of(text.p, n));
        if (language.n > 0)
            json_kstr(b, "language", language);
        buf_addc(b, '}');
        text = span_of(text.p + n, text.n - n);
    }
}

/* No action hands a call on to another URL: a call with an answer_url got that when it was placed, and never
 * asks us. Should it ask all the same, it is ended, as one that we do not know. */
static void add_ncco(struct buf *b, const struct request *request)
{
    buf_addc(b, '[');
    if (request && request->message_kind == MESSAGE_PLAY)
        add_stream(b, request->message);
    else if (request && request->message_kind == MESSAGE_SAY)
        add_talk(b, request->message, request->language);
    buf_addc(b, ']');
}

static void answer(const struct request *request, struct buf *out, const char **content_type)
{
    *content_type = "application/json";
    add_ncco(out, request);
}

/* ---- placing ---- */

/* Digits without the plus. */
static void add_phone(struct buf *b, struct span number)
{
    open_object(b);
    json_kstrz(b, "type", "phone");
    json_kstr(b, "number", span_of(number.p + 1, number.n - 1));
    buf_addc(b, '}');
}

static void add_url_array(struct buf *b, const char *key, struct span url)
{
    json_key(b, key);
    buf_addc(b, '[');
    json_str(b, url);
    buf_addc(b, ']');
}

static void add_callbacks(struct buf *b, const struct placement *placement)
{
    struct buf url;
    if (placement->public_url.n == 0)
        return;
    buf_init(&url, URL_MAX);
    provider_add_call_url(&url, placement, "callbacks");
    add_url_array(b, "event_url", buf_span(&url));
    json_kstrz(b, "event_method", "POST");
    buf_done(&url);
}

static void add_instructions(struct buf *b, const struct request *request)
{
    if (request->message_kind == MESSAGE_ANSWER_URL) {
        add_url_array(b, "answer_url", request->message);
        return;
    }
    json_key(b, "ncco");
    add_ncco(b, request);
}

static int at_most(int seconds, int max)
{
    return seconds < max ? seconds : max;
}

static void add_call(struct buf *b, const struct placement *placement)
{
    const struct request *request = placement->request;
    buf_addc(b, '{');
    json_key(b, "to");
    buf_addc(b, '[');
    add_phone(b, request->to);
    buf_addc(b, ']');
    json_key(b, "from");
    add_phone(b, placement->from);
    add_instructions(b, request);
    json_kint(b, "ringing_timer", at_most(request->ring_timeout_s, RINGING_TIMER_MAX_S));
    json_kint(b, "length_timer", at_most(request->time_limit_s, LENGTH_TIMER_MAX_S));
    add_callbacks(b, placement);
    buf_addc(b, '}');
}

static int add_headers(struct buf *headers, const struct channel *channel, struct err *err)
{
    buf_adds(headers, "Accept: application/json\nAuthorization: ");
    int code = vonage_add_bearer(headers, channel, clock_wall_ms(), err);
    buf_addc(headers, '\n');
    return code;
}

static int place(const struct placement *placement, struct http_request *http, struct err *err)
{
    const struct channel *channel = placement->channel;
    if (placement->from.n == 0)
        return err_set(err, ERR_INVALID,
                       "from: Vonage needs one, and neither the request nor the channel \"%s\" has it",
                       channel->name);
    if (!phone_valid(placement->from))
        return err_set(err, ERR_INVALID, "from: Vonage calls from a number like \"+254711082000\" only");
    http->method = "POST";
    http->once = true;
    buf_adds(&http->url, channel->base_url);
    buf_adds(&http->url, "/v1/calls");
    if (add_headers(&http->headers, channel, err) != 0)
        return ERR_INVALID;
    buf_adds(&http->headers, "Content-Type: application/json\n");
    add_call(&http->body, placement);
    if (!buf_ok(&http->url) || !buf_ok(&http->body))
        return err_set(err, ERR_INVALID, "message: the request to Vonage would be too large");
    return 0;
}

/* ---- the first response ---- */

/* Several shapes are in use, older and newer; any of these makes it Vonage's. */
static const char *const error_keys[] = {"title", "error_title", "detail", "Error", "error", "msg_error"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void add_words(struct buf *words, struct span said)
{
    if (said.n > 0 && words->n > 0)
        buf_adds(words, ": ");
    buf_addspan(words, said);
}

/* {"invalid_parameters": [{"reason": "can contain up to 15 digits prefixed with +", "name": "number"}]} */
static void add_reasons(struct buf *words, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *parameter = json_array_get(list, i);
        add_words(words, json_get_span(parameter, "name"));
        add_words(words, json_get_span(parameter, "reason"));
    }
}

/* "Bad Request: number: can contain up to 15 digits prefixed with +". Empty: no error of Vonage's. */
static void read_words(const json_t *object, struct buf *words)
{
    for (size_t i = 0; i < COUNT(error_keys); i++)
        add_words(words, json_get_span(object, error_keys[i]));
    add_reasons(words, json_object_get(object, "invalid_parameters"));
}

/* Errors of 400 are plain text at times, or JSON of yet another shape. A page is some proxy's. */
static void read_text(struct span body, struct buf *words)
{
    struct span said = fields_sentence(body);
    buf_addspan(words, span_of(said.p, said.n < WORDS_MAX ? said.n : WORDS_MAX));
}

/*
 * That 401 and 429 were not acted upon is what these two mean, whoever answers. What else was refused must be
 * in Vonage's own words. 402 is an account without credit, 404 a wrong base_url or application.
 */
static enum placed_kind refusal_kind(int status, bool own_words)
{
    if (status == 429)
        return PLACED_NOT_NOW;
    if (status == 401)
        return PLACED_CHANNEL;
    if (!own_words || status == 408 || status >= 500)
        return PLACED_IN_DOUBT;
    return status >= 402 && status <= 404 ? PLACED_CHANNEL : PLACED_REFUSED;
}

static void read_refusal(int status, const json_t *object, struct span body, struct placed *out)
{
    struct buf words;
    buf_init(&words, HTTP_MAX_REPLY);
    read_words(object, &words);
    if (words.n == 0 && status == 400)
        read_text(body, &words);
    reply_http_reason(out, status, words.p);
    reply_settle(out, refusal_kind(status, words.n > 0));
    buf_done(&words);
}

/* Success. A call may be born dead ("failed"); the request was understood, so it may be tried again. */
static void read_call(int status, const json_t *object, struct placed *out)
{
    struct span word = json_get_span(object, "status");
    if (!evidence_set_provider_call_id(&out->evidence, json_get_span(object, "uuid"))) {
        reply_in_doubt(out, status, "the response carries no call id");
        return;
    }
    if (span_is(word, "failed")) {
        evidence_set_reason(&out->evidence, REASON_TEXT, word,
                            SPAN_LIT("the status in the response to the placement"));
        reply_settle(out, PLACED_REFUSED_FOR_NOW);
        return;
    }
    reply_settle(out, PLACED_ACCEPTED);
}

static void placed(const struct channel *channel, int status, struct span body, struct placed *out)
{
    (void)channel;
    reply_begin(out);
    json_t *object = json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL);
    if (status >= 200 && status < 300) {
        read_call(status, object, out);
    } else if (status >= 400 && status < 600) {
        read_refusal(status, object, body, out);
    } else {
        reply_in_doubt(out, status, "neither a call nor a refusal");
    }
    json_decref(object);
}

/* ---- look-ups ---- */

static int lookup(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                  struct err *err)
{
    if (provider_call_id.n == 0)
        return err_set(err, ERR_INVALID, "provider_call_id: none to look up");
    http->method = "GET";
    http->once = false;
    buf_adds(&http->url, channel->base_url);
    buf_adds(&http->url, "/v1/calls/");
    url_add_encoded(&http->url, provider_call_id);
    return add_headers(&http->headers, channel, err);
}

/* 204 where it rang or was answered; 404 where it is over [Vonage: Voice API, modify a call]. */
static int hang_up(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                   struct err *err)
{
    if (provider_call_id.n == 0)
        return err_set(err, ERR_INVALID, "provider_call_id: none to hang up");
    http->method = "PUT";
    http->once = false;
    buf_adds(&http->url, channel->base_url);
    buf_adds(&http->url, "/v1/calls/");
    url_add_encoded(&http->url, provider_call_id);
    buf_adds(&http->headers, "Content-Type: application/json\n");
    buf_adds(&http->body, "{\"action\":\"hangup\"}");
    return add_headers(&http->headers, channel, err);
}

static int open_channel(struct channel *channel, struct err *err)
{
    if (channel->from && !phone_valid(span_str(channel->from)))
        return err_set(err, ERR_CONFIG, "from: Vonage calls from a number like \"+254711082000\" only");
    return vonage_open(channel, err);
}

const struct provider vonage_provider = {
    .name = "vonage",
    .default_base_url = "https://api.nexmo.com",
    .settings = settings,
    .signs_with_callback_secret = true,
    .signs_body_only = true,
    .url_per_call = true,
    .open = open_channel,
    .close = vonage_close,
    .place = place,
    .placed = placed,
    .callback = vonage_callback,
    .callback_id = vonage_callback_id,
    .verify = vonage_verify,
    .answer = answer,
    .lookup = lookup,
    .looked_up = vonage_looked_up,
    .hang_up = hang_up,
};
