/*
 * Twilio Programmable Voice: placing, the first response, look-ups, TwiML. Reports: twilio_report.c;
 * signatures: twilio_signature.c.
 *
 * Sources: twilio/twilio-oai spec/json/twilio_api_v2010.json, Twilio's list of error codes, "Webhooks:
 * connection overrides"; twilio-node's RestException for the error object {"code": 21211, "message": "...",
 * "more_info": "...", "status": 400}.
 */
#include "workers/providers/twilio/twilio.h"

#include <string.h>

#include "common/base/url.h"
#include "common/base/xml.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"
#include "workers/providers/fields.h"
#include "workers/providers/reply.h"

enum { TWIML_MAX_CHARACTERS = 4000, TWIML_MAX_BYTES = 64 * 1024 };

enum credential { ACCOUNT_SID, AUTH_TOKEN, API_KEY_SID, API_KEY_SECRET };

static const struct provider_setting settings[] = {
    [ACCOUNT_SID] = {.name = "account_sid", .required = true},
    [AUTH_TOKEN] = {.name = "auth_token", .required = true, .secret = true},
    [API_KEY_SID] = {.name = "api_key_sid"},
    [API_KEY_SECRET] = {.name = "api_key_secret", .secret = true},
    {.name = NULL},
};

/* Error codes of the first response (Twilio's error and warning dictionary). */
struct error_code {
    int code;
    enum placed_kind kind;
};

static const struct error_code error_codes[] = {
    {20429, PLACED_NOT_NOW}, /* too many concurrent API requests: never processed, always safe to repeat */
    {10004, PLACED_NOT_NOW}, /* call concurrency limit */
    {20003, PLACED_CHANNEL}, /* credentials, suspended account */
    {20005, PLACED_CHANNEL}, /* account not active */
    {10001, PLACED_CHANNEL}, /* account not active, no permission */
    {20404, PLACED_CHANNEL}, /* wrong account or path */
    {21210, PLACED_CHANNEL}, /* From not verified */
    {21212, PLACED_CHANNEL}, /* From invalid */
    {21219, PLACED_CHANNEL}, /* To not verified: a trial account */
    {21201, PLACED_REFUSED}, /* no To */
    {21213, PLACED_REFUSED}, /* no From */
    {21211, PLACED_REFUSED}, /* To invalid */
    {21217, PLACED_REFUSED}, /* To is no phone number */
    {13223, PLACED_REFUSED}, /* To: invalid phone number format */
    {13224, PLACED_REFUSED}, /* To: not supported or invalid */
    {13226, PLACED_REFUSED}, /* To: invalid country code */
    {14101, PLACED_REFUSED}, /* To: attribute is invalid */
    {21202, PLACED_REFUSED}, /* premium number */
    {21203, PLACED_REFUSED}, /* international calls are off */
    {21215, PLACED_REFUSED}, /* geographic permission */
    {13227, PLACED_REFUSED}, /* geographic permission */
    {21216, PLACED_REFUSED}, /* on the block list */
    {13225, PLACED_REFUSED}, /* on the block list */
    {21214, PLACED_REFUSED}, /* To cannot be reached */
    {21205, PLACED_REFUSED}, /* Url: our defect, as the next four */
    {21206, PLACED_REFUSED}, /* SendDigits */
    {21208, PLACED_REFUSED}, /* Timeout */
    {21209, PLACED_REFUSED}, /* Method */
    {21218, PLACED_REFUSED}, /* ApplicationSid */
    /* Server faults. A provider's own 503 is elsewhere "not placed"; of these two Twilio does not say whether
     * the call was placed, and a call too few is better than one too many. */
    {20500, PLACED_IN_DOUBT},
    {20503, PLACED_IN_DOUBT},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int check(struct channel *channel, struct err *err)
{
    const char *const *credentials = (const char *const *)channel->credentials;
    if (!credentials[API_KEY_SID] != !credentials[API_KEY_SECRET])
        return err_set(err, ERR_CONFIG,
                       "credentials.%s is missing: api_key_sid and api_key_secret go together",
                       credentials[API_KEY_SID] ? "api_key_secret" : "api_key_sid");
    if (strchr(credentials[ACCOUNT_SID], ':'))
        return err_set(err, ERR_CONFIG, "credentials.account_sid: a colon cannot be part of it");
    if (credentials[API_KEY_SID] && strchr(credentials[API_KEY_SID], ':'))
        return err_set(err, ERR_CONFIG, "credentials.api_key_sid: a colon cannot be part of it");
    return 0;
}

/* ---- TwiML ---- */

static void add_element(struct buf *b, const char *name, struct span text)
{
    buf_addf(b, "<%s>", name);
    xml_add_text(b, text);
    buf_addf(b, "</%s>", name);
}

static void add_say(struct buf *b, const struct request *request)
{
    if (request->language.n == 0) {
        add_element(b, "Say", request->message);
        return;
    }
    buf_adds(b, "<Say language=\"");
    xml_add_text(b, request->language);
    buf_adds(b, "\">");
    xml_add_text(b, request->message);
    buf_adds(b, "</Say>");
}

static void add_verbs(struct buf *b, const struct request *request)
{
    if (!request) {
        buf_adds(b, "<Hangup/>");
        return;
    }
    switch (request->message_kind) {
    case MESSAGE_PLAY:
        add_element(b, "Play", request->message);
        return;
    case MESSAGE_SAY:
        add_say(b, request);
        return;
    case MESSAGE_ANSWER_URL:
        add_element(b, "Redirect", request->message);
        return;
    case MESSAGE_NONE:
        return;
    }
}

static void answer(const struct request *request, struct buf *out, const char **content_type)
{
    *content_type = "text/xml";
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>");
    add_verbs(out, request);
    buf_adds(out, "</Response>");
}

/* ---- placing ---- */

static size_t characters(struct span text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static int add_twiml(struct buf *body, const struct request *request, struct err *err)
{
    const char *content_type;
    struct buf twiml;
    buf_init(&twiml, TWIML_MAX_BYTES);
    answer(request, &twiml, &content_type);
    size_t n = characters(buf_span(&twiml));
    bool fits = buf_ok(&twiml) && n <= TWIML_MAX_CHARACTERS;
    if (fits)
        form_add(body, "Twiml", buf_span(&twiml));
    buf_done(&twiml);
    if (!fits)
        return err_set(err, ERR_INVALID,
                       "message: its TwiML has %zu characters, Twilio takes %d without IVR_PUBLIC_URL", n,
                       TWIML_MAX_CHARACTERS);
    return 0;
}

/* Instructions: the request's own URL, else ours, else inside the request. */
static int add_instructions(struct buf *body, const struct placement *placement, struct err *err)
{
    const struct request *request = placement->request;
    if (request->message_kind == MESSAGE_ANSWER_URL) {
        form_add(body, "Url", request->message);
        return 0;
    }
    if (placement->public_url.n == 0)
        return add_twiml(body, request, err);
    struct buf url;
    buf_init(&url, TWIML_MAX_BYTES);
    provider_add_call_url(&url, placement, "answer");
    form_add(body, "Url", buf_span(&url));
    buf_done(&url);
    return 0;
}

static void add_callbacks(struct buf *body, const struct placement *placement)
{
    static const char *const events[] = {"initiated", "ringing", "answered", "completed"};
    struct buf url;
    if (placement->public_url.n == 0)
        return;
    buf_init(&url, TWIML_MAX_BYTES);
    provider_add_call_url(&url, placement, "callbacks");
    buf_adds(&url, TWILIO_CALLBACK_FRAGMENT);
    form_add(body, "StatusCallback", buf_span(&url));
    buf_done(&url);
    for (size_t i = 0; i < COUNT(events); i++)
        form_add(body, "StatusCallbackEvent", span_str(events[i]));
}

static void add_seconds(struct buf *body, const char *name, int seconds)
{
    struct buf text;
    buf_init(&text, 32);
    buf_addint(&text, seconds);
    form_add(body, name, buf_span(&text));
    buf_done(&text);
}

static void authenticate(struct http_request *http, const struct channel *channel)
{
    bool key = channel->credentials[API_KEY_SID] != NULL;
    buf_adds(&http->user, channel->credentials[key ? API_KEY_SID : ACCOUNT_SID]);
    buf_adds(&http->password, channel->credentials[key ? API_KEY_SECRET : AUTH_TOKEN]);
    buf_adds(&http->headers, "Accept: application/json\n");
}

static void add_account_url(struct buf *url, const struct channel *channel)
{
    buf_adds(url, channel->base_url);
    buf_adds(url, "/2010-04-01/Accounts/");
    url_add_encoded(url, span_str(channel->credentials[ACCOUNT_SID]));
}

static int place(const struct placement *placement, struct http_request *http, struct err *err)
{
    const struct request *request = placement->request;
    if (placement->from.n == 0)
        return err_set(err, ERR_INVALID,
                       "from: Twilio needs one, and neither the request nor the channel \"%s\" has it",
                       placement->channel->name);
    http->method = "POST";
    http->once = true;
    add_account_url(&http->url, placement->channel);
    buf_adds(&http->url, "/Calls.json");
    authenticate(http, placement->channel);
    buf_adds(&http->headers, "Content-Type: " FIELDS_FORM_TYPE "\n");
    form_add(&http->body, "To", request->to);
    form_add(&http->body, "From", placement->from);
    if (add_instructions(&http->body, placement, err) != 0)
        return ERR_INVALID;
    add_callbacks(&http->body, placement);
    add_seconds(&http->body, "Timeout", request->ring_timeout_s);
    add_seconds(&http->body, "TimeLimit", request->time_limit_s);
    if (!buf_ok(&http->url) || !buf_ok(&http->body))
        return err_set(err, ERR_INVALID, "message: the request to Twilio would be too large");
    return 0;
}

/* ---- the first response ---- */

static bool is_caller_id(int64_t code)
{
    return code == 21210 || code == 21212;
}

/*
 * By the code where the table has it, else by the HTTP status. `code` is -1 where the body is none of the
 * provider's error objects: a page of some proxy proves nothing, but that 401 and 429 were not acted upon is
 * what these two mean.
 */
static enum placed_kind refusal_kind(int status, int64_t code, bool provider_said)
{
    for (size_t i = 0; i < COUNT(error_codes); i++) {
        if (error_codes[i].code == code)
            return error_codes[i].kind;
    }
    if (status == 429)
        return PLACED_NOT_NOW;
    if (status == 401)
        return PLACED_CHANNEL;
    if (!provider_said || status == 408 || status >= 500)
        return PLACED_IN_DOUBT;
    return status == 403 || status == 404 ? PLACED_CHANNEL : PLACED_REFUSED;
}

static void set_code_reason(struct evidence *ev, int64_t code, struct span message)
{
    struct buf text;
    buf_init(&text, 32);
    buf_addint(&text, code);
    evidence_set_reason(ev, REASON_NAMED, buf_span(&text), message);
    buf_done(&text);
}

/* Success: the call object. A call may be born dead ("failed"); the number was not called wrong, so it may be
 * tried again. */
static void read_call(int status, const json_t *object, struct placed *out)
{
    struct span word = json_get_span(object, "status");
    if (!evidence_set_provider_call_id(&out->evidence, json_get_span(object, "sid"))) {
        reply_in_doubt(out, status, "the response carries no call id");
        return;
    }
    if (span_is(word, "failed") || span_is(word, "canceled")) {
        evidence_set_reason(&out->evidence, REASON_TEXT, word,
                            SPAN_LIT("the status in the response to the placement"));
        reply_settle(out, PLACED_REFUSED_FOR_NOW);
        return;
    }
    reply_settle(out, PLACED_ACCEPTED);
}

static void read_refusal(int status, const json_t *object, struct placed *out)
{
    int64_t code = fields_json_number(object, "code");
    struct span message = json_get_span(object, "message");
    if (code > 0)
        set_code_reason(&out->evidence, code, message);
    else
        reply_http_reason(out, status, "");
    out->caller_id = is_caller_id(code);
    reply_settle(out, refusal_kind(status, code, code > 0 || message.n > 0));
}

static void placed(const struct channel *channel, int status, struct span body, struct placed *out)
{
    (void)channel;
    reply_begin(out);
    json_t *object = json_read(body, HTTP_MAX_REPLY, JSON_READ_FOREIGN, NULL);
    if (status >= 200 && status < 300) {
        read_call(status, object, out);
    } else if (status >= 400 && status < 600) {
        read_refusal(status, object, out);
    } else {
        reply_in_doubt(out, status, "neither a call nor a refusal");
    }
    json_decref(object);
}

/* ---- look-ups ---- */

/* The resource of one call; asking for it twice does no harm. */
static void address_call(const struct channel *channel, struct span provider_call_id,
                         struct http_request *http)
{
    http->once = false;
    add_account_url(&http->url, channel);
    buf_adds(&http->url, "/Calls/");
    url_add_encoded(&http->url, provider_call_id);
    buf_adds(&http->url, ".json");
    authenticate(http, channel);
}

static int lookup(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                  struct err *err)
{
    if (provider_call_id.n == 0)
        return err_set(err, ERR_INVALID, "provider_call_id: none to look up");
    http->method = "GET";
    address_call(channel, provider_call_id, http);
    return 0;
}

/* "completed" ends a call that rings as well as one that is answered; "canceled" only the former [Twilio:
 * call resource, update]. */
static int hang_up(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                   struct err *err)
{
    if (provider_call_id.n == 0)
        return err_set(err, ERR_INVALID, "provider_call_id: none to hang up");
    http->method = "POST";
    address_call(channel, provider_call_id, http);
    buf_adds(&http->headers, "Content-Type: " FIELDS_FORM_TYPE "\n");
    buf_adds(&http->body, "Status=completed");
    return 0;
}

/* Newest first. The list can be cut by days only, so the reader looks at the times. */
static int find(const struct channel *channel, const struct doubt *doubt, struct http_request *http,
                struct err *err)
{
    if (doubt->from.n == 0)
        return err_set(err, ERR_INVALID, "from: none to find the call by");
    http->method = "GET";
    http->once = false;
    add_account_url(&http->url, channel);
    buf_adds(&http->url, "/Calls.json?To=");
    url_add_encoded(&http->url, doubt->to);
    buf_adds(&http->url, "&From=");
    url_add_encoded(&http->url, doubt->from);
    buf_adds(&http->url, "&PageSize=50");
    authenticate(http, channel);
    return 0;
}

const struct provider twilio_provider = {
    .name = "twilio",
    .default_base_url = "https://api.twilio.com",
    .settings = settings,
    .signs_callbacks = true,
    .calls_by_get = true,
    .url_per_call = true,
    .open = check,
    .place = place,
    .placed = placed,
    .callback = twilio_callback,
    .callback_id = twilio_callback_id,
    .verify = twilio_verify,
    .answer = answer,
    .lookup = lookup,
    .looked_up = twilio_looked_up,
    .hang_up = hang_up,
    .find = find,
    .found = twilio_found,
};
