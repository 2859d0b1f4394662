/*
 * X-Twilio-Signature: Base64(HMAC-SHA1(auth token, data)).
 *
 * data = the full URL as Twilio requested it, then, for form bodies, each field sorted by name, the name
 * immediately followed by its value; of a name that occurs more than once the distinct values, sorted, each
 * after the name. For any other body the URL carries bodySHA256. Twilio is not consistent about ports and
 * special characters in the URL, so that its own libraries try several forms; every form is covered by the
 * same secret, hence more tries give nothing away. Sources: twilio/twilio-python twilio/request_validator.py,
 * twilio/twilio-node src/webhooks/webhooks.ts; their test vectors are ours
 * (tests/corpus/twilio/verify-*.json).
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/base/url.h"
#include "workers/providers/channels.h"
#include "workers/providers/fields.h"
#include "workers/providers/twilio/twilio.h"

/* A URL and a body of the largest size that the gateway takes. */
enum { DATA_MAX = 512 * 1024, URL_MAX = 64 * 1024 };

struct signed_field {
    struct span name;
    struct span value;
};

static int compare_bytes(struct span a, struct span b)
{
    size_t common = a.n < b.n ? a.n : b.n;
    int order = common ? memcmp(a.p, b.p, common) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_fields(const void *a, const void *b)
{
    const struct signed_field *left = a, *right = b;
    int order = compare_bytes(left->name, right->name);
    return order ? order : compare_bytes(left->value, right->value);
}

/* `text` has room for it already, so that what it holds does not move. */
static struct span decode(struct buf *text, struct span encoded)
{
    size_t start = text->n;
    url_decode(text, encoded, true);
    return span_of(text->p + start, text->n - start);
}

/* Cuts `in` before the first `c` (or at its end) and moves it past. */
static struct span cut(struct span *in, char c)
{
    const char *end = in->n ? memchr(in->p, c, in->n) : NULL;
    size_t n = end ? (size_t)(end - in->p) : in->n;
    struct span piece = span_of(in->p, n);
    size_t past = end ? n + 1 : n;
    *in = past ? span_of(in->p + past, in->n - past) : *in;
    return piece;
}

/*
 * Not form_parse(): that has bounds, and a signature is over whatever came. Returns how many fields there
 * are; *fields is freed by the caller.
 */
static size_t split_fields(struct span form, struct buf *text, struct signed_field **fields)
{
    size_t most = 1, n = 0;
    for (size_t i = 0; i < form.n; i++)
        most += form.p[i] == '&';
    *fields = mem_calloc(most, sizeof **fields);
    buf_init(text, form.n + 1);
    if (!buf_room(text, form.n))
        return 0;
    while (form.n > 0) {
        struct span value = cut(&form, '&');
        if (value.n == 0)
            continue;
        struct span name = cut(&value, '=');
        (*fields)[n].name = decode(text, name);
        (*fields)[n++].value = decode(text, value);
    }
    return n;
}

void twilio_add_signed_fields(struct buf *data, struct span form)
{
    struct signed_field *fields;
    struct buf text;
    size_t n = split_fields(form, &text, &fields);
    qsort(fields, n, sizeof *fields, compare_fields);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare_fields(&fields[i - 1], &fields[i]) == 0)
            continue;
        buf_addspan(data, fields[i].name);
        buf_addspan(data, fields[i].value);
    }
    free(fields);
    buf_done(&text);
}

static void add_mac(struct buf *b, struct span auth_token, struct span data)
{
    uint8_t mac[SHA1_LEN];
    crypto_hmac_sha1(auth_token, data, mac);
    crypto_add_base64(b, mac, sizeof mac);
}

void twilio_add_signature(struct buf *b, struct span auth_token, struct span url, struct span form)
{
    struct buf data;
    buf_init(&data, DATA_MAX);
    buf_addspan(&data, url);
    twilio_add_signed_fields(&data, form);
    add_mac(b, auth_token, buf_span(&data));
    buf_done(&data);
}

/* One verification: what was signed beside the URL, and the buffers that every try uses. */
struct signature_check {
    struct span auth_token;
    struct span signature;
    struct buf fields; /* sorted, as they follow the URL */
    struct buf data;
    struct buf mac;
};

static bool url_fits(struct signature_check *check, struct span url, const char *fragment)
{
    buf_clear(&check->data);
    buf_clear(&check->mac);
    buf_addspan(&check->data, url);
    buf_adds(&check->data, fragment);
    buf_addspan(&check->data, buf_span(&check->fields));
    if (!buf_ok(&check->data))
        return false;
    add_mac(&check->mac, check->auth_token, buf_span(&check->data));
    return crypto_equal(buf_span(&check->mac), check->signature);
}

/* The URL with the standard port where it names none, without its port where it names one. */
static void add_with_other_port(struct buf *b, const struct url_parts *url, struct span rest)
{
    bool v6 = url->host.n > 0 && memchr(url->host.p, ':', url->host.n);
    buf_addspan(b, url->scheme);
    buf_adds(b, "://");
    if (url->userinfo.p) {
        buf_addspan(b, url->userinfo);
        buf_addc(b, '@');
    }
    buf_adds(b, v6 ? "[" : "");
    buf_addspan(b, url->host);
    buf_adds(b, v6 ? "]" : "");
    if (url->port < 0)
        buf_adds(b, span_is(url->scheme, "https") ? ":443" : ":80");
    buf_addspan(b, rest);
}

/*
 * With and without port. What Twilio signs of our own callback URLs is the URL without the fragment that we
 * hand out; no document says so, hence both are tried.
 */
static bool url_fits_any_port(struct signature_check *check, struct span url)
{
    struct url_parts parts;
    if (url_fits(check, url, ""))
        return true;
    if (url_split(url, &parts, NULL) != 0)
        return false;
    struct span rest = SPAN_NONE;
    if (parts.path.n > 0)
        rest = span_of(parts.path.p, (size_t)(url.p + url.n - parts.path.p));
    struct buf other;
    buf_init(&other, URL_MAX);
    add_with_other_port(&other, &parts, rest);
    bool fits = url_fits(check, buf_span(&other), "") || url_fits(check, url, TWILIO_CALLBACK_FRAGMENT) ||
                url_fits(check, buf_span(&other), TWILIO_CALLBACK_FRAGMENT);
    buf_done(&other);
    return fits;
}

static void add_quoted_apostrophes(struct buf *b, struct span url)
{
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] == '\'')
            buf_adds(b, "%27");
        else
            buf_addc(b, url.p[i]);
    }
}

/* As Node's querystring.stringify() does it: unreserved, and !*'(), stay. */
static void add_requoted(struct buf *b, struct span encoded)
{
    struct buf text;
    buf_init(&text, URL_MAX);
    url_decode(&text, encoded, true);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] && strchr("!*'()", text.p[i]))
            buf_addc(b, text.p[i]);
        else
            url_add_encoded(b, span_of(text.p + i, 1));
    }
    buf_done(&text);
}

static void add_with_requoted_query(struct buf *b, struct span url)
{
    struct span query = url;
    buf_addspan(b, cut(&query, '?'));
    char separator = '?';
    while (query.n > 0) {
        struct span value = cut(&query, '&');
        struct span name = cut(&value, '=');
        buf_addc(b, separator);
        add_requoted(b, name);
        buf_addc(b, '=');
        add_requoted(b, value);
        separator = '&';
    }
}

/* The URL as it came, with ' as %27, and with its query encoded again. */
static bool url_fits_any_form(struct signature_check *check, struct span url)
{
    if (url_fits_any_port(check, url))
        return true;
    static void (*const forms[])(struct buf *, struct span) = {add_quoted_apostrophes,
                                                               add_with_requoted_query};
    bool fits = false;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && !fits; i++) {
        struct buf other;
        buf_init(&other, URL_MAX);
        forms[i](&other, url);
        fits =
            buf_ok(&other) && !span_eq(buf_span(&other), url) && url_fits_any_port(check, buf_span(&other));
        buf_done(&other);
    }
    return fits;
}

/*
 * Where IVR_PUBLIC_URL has a path, a proxy may have cut it off the request or passed it on: what Twilio asked
 * for has it once.
 */
static void add_requested_url(struct buf *b, struct span public_url, struct span target)
{
    struct url_parts parts;
    struct span prefix = public_url;
    if (url_split(public_url, &parts, NULL) == 0 && parts.path.n > 0 && target.n > parts.path.n &&
        memcmp(target.p, parts.path.p, parts.path.n) == 0 && target.p[parts.path.n] == '/')
        prefix.n = (size_t)(parts.path.p - public_url.p);
    buf_addspan(b, prefix);
    buf_addspan(b, target);
}

static bool origin_fits(struct signature_check *check, struct span public_url, struct span target)
{
    struct buf url;
    buf_init(&url, URL_MAX);
    add_requested_url(&url, public_url, target);
    bool fits = buf_ok(&url) && url_fits_any_form(check, buf_span(&url));
    buf_done(&url);
    return fits;
}

static bool host_fits(struct signature_check *check, const char *scheme, struct span host, struct span target)
{
    struct buf origin;
    buf_init(&origin, URL_MAX);
    buf_adds(&origin, scheme);
    buf_addspan(&origin, host);
    bool fits = host.n > 0 && !memchr(host.p, '/', host.n) && buf_ok(&origin) &&
                origin_fits(check, buf_span(&origin), target);
    buf_done(&origin);
    return fits;
}

/* The value of bodySHA256 in the target's query, undecoded: it is hex. */
static struct span signed_body_hash(struct span target)
{
    cut(&target, '?');
    while (target.n > 0) {
        struct span value = cut(&target, '&');
        if (span_is(cut(&value, '='), "bodySHA256"))
            return value;
    }
    return SPAN_NONE;
}

static bool body_hash_fits(const struct callback *callback)
{
    uint8_t hash[SHA256_LEN];
    struct buf hex;
    crypto_sha256(callback->body, hash);
    buf_init(&hex, 2 * sizeof hash);
    crypto_add_hex(&hex, hash, sizeof hash);
    bool fits = crypto_equal(buf_span(&hex), signed_body_hash(callback->target));
    buf_done(&hex);
    return fits;
}

static struct span signature_header(const struct callback *callback)
{
    if (!callback->header)
        return SPAN_NONE;
    struct span signature = callback->header(callback, "X-Twilio-Signature");
    return signature.n > 0 ? signature : callback->header(callback, "X-SignalWire-Signature");
}

static bool any_origin_fits(struct signature_check *check, struct span public_url,
                            const struct callback *callback)
{
    if (public_url.n > 0)
        return origin_fits(check, public_url, callback->target);
    struct span host = callback->header(callback, "Host");
    return host_fits(check, "https://", host, callback->target) ||
           host_fits(check, "http://", host, callback->target);
}

enum verified twilio_verify(const struct channel *channel, struct span public_url,
                            const struct callback *callback)
{
    struct span auth_token = channel_credential(channel, "auth_token");
    struct signature_check check = {.auth_token = auth_token, .signature = signature_header(callback)};
    if (auth_token.n == 0 || check.signature.n == 0)
        return VERIFIED_NO;
    bool has_body = !callback->method || strcmp(callback->method, "GET") != 0;
    bool form = fields_is_form(callback->content_type);
    if (has_body && !form && !body_hash_fits(callback))
        return VERIFIED_NO;
    buf_init(&check.fields, DATA_MAX);
    buf_init(&check.data, DATA_MAX);
    buf_init(&check.mac, 64);
    if (has_body && form)
        twilio_add_signed_fields(&check.fields, callback->body);
    bool fits = buf_ok(&check.fields) && any_origin_fits(&check, public_url, callback);
    buf_done(&check.fields);
    buf_done(&check.data);
    buf_done(&check.mac);
    return fits ? VERIFIED_SIGNATURE : VERIFIED_NO;
}
