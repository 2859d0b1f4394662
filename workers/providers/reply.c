#include "workers/providers/reply.h"

#include "common/base/url.h"
#include "workers/providers/channels.h"

bool reply_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What of the address is another one, where it is not the host. */
static const char *same_host_hint(const struct url_parts *from, const struct url_parts *to)
{
    if (!span_eq(from->host, to->host))
        return "";
    if (!span_eq(from->scheme, to->scheme))
        return ", with another scheme than base_url";
    return from->port != to->port ? ", with another port than base_url" : ", with another path";
}

/* The host alone: user, password, path and query of a URL can hold secrets. */
static void redirected(const struct channel *channel, struct span url, struct placed *out)
{
    struct url_parts from, to;
    struct err err = ERR_INIT;
    struct buf detail;
    buf_init(&detail, 512);
    if (url_split(url, &to, &err) != 0 || to.host.n == 0)
        buf_adds(&detail, "without saying where to");
    else
        buf_addf(&detail, "to %.*s%s", SPAN_ARG(to.host),
                 url_split(span_str(channel->base_url), &from, &err) == 0 ? same_host_hint(&from, &to) : "");
    evidence_set_reason(&out->evidence, REASON_TEXT, SPAN_LIT("redirected"), buf_span(&detail));
    buf_done(&detail);
    reply_settle(out, PLACED_CHANNEL);
}

void reply_read(const struct channel *channel, const struct http_reply *reply, struct placed *out)
{
    reply_begin(out);
    if (reply_is_redirect(reply->status)) {
        redirected(channel, reply->redirected_to, out);
    } else if (reply->status == 407) {
        evidence_set_reason(&out->evidence, REASON_TEXT, SPAN_LIT("proxy_authentication"),
                            SPAN_LIT("a proxy before the provider wants a user and a password (HTTP 407)"));
        reply_settle(out, PLACED_CHANNEL);
    } else {
        channel->provider->placed(channel, reply->status, reply->body, out);
    }
}

void reply_begin(struct placed *out)
{
    *out = (struct placed){.kind = PLACED_IN_DOUBT};
    evidence_init(&out->evidence);
}

void reply_settle(struct placed *out, enum placed_kind kind)
{
    struct evidence *ev = &out->evidence;
    out->kind = kind;
    if (kind == PLACED_ACCEPTED) {
        ev->status = STATUS_PENDING;
    } else if (kind == PLACED_IN_DOUBT) {
        ev->status = STATUS_GATEWAY_UNAVAILABLE;
    } else if (kind == PLACED_REFUSED || kind == PLACED_REFUSED_FOR_NOW) {
        ev->status = STATUS_FAILED_UNKNOWN_REASON;
        ev->terminal = true;
        ev->permanent = kind == PLACED_REFUSED;
    }
}

void reply_http_reason(struct placed *out, int status, const char *detail)
{
    struct buf code;
    buf_init(&code, 32);
    buf_adds(&code, "HTTP ");
    buf_addint(&code, status);
    evidence_set_reason(&out->evidence, REASON_TEXT, buf_span(&code), span_str(detail));
    buf_done(&code);
}

void reply_in_doubt(struct placed *out, int status, const char *detail)
{
    reply_http_reason(out, status, detail);
    reply_settle(out, PLACED_IN_DOUBT);
}
