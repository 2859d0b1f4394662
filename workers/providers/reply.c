#include "workers/providers/reply.h"

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
