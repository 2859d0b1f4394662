#include "workers/dispatch/judge.h"

#include "workers/providers/reply.h"

static void begin(struct verdict *v, enum calls_outcome_kind kind, const char *word)
{
    memset(v, 0, sizeof(*v));
    evidence_init(&v->evidence);
    v->kind = kind;
    v->word = word;
}

static void doubt(struct verdict *v, const char *code, struct span detail)
{
    begin(v, OUTCOME_DOUBT, "in_doubt");
    v->evidence.status = STATUS_GATEWAY_UNAVAILABLE;
    v->evidence.hops = HOP_BIT(HOP_MESSAGE_OUT);
    evidence_set_reason(&v->evidence, REASON_TEXT, span_str(code), detail);
}

static void back(struct verdict *v, const char *word, int64_t wait_ms)
{
    begin(v, OUTCOME_BACK, word);
    v->wait_ms = wait_ms;
}

static void unreached(struct verdict *v, const struct http_reply *reply)
{
    begin(v, OUTCOME_UNREACHED, "unreached");
    v->evidence.status = STATUS_GATEWAY_UNAVAILABLE;
    v->evidence.terminal = true;
    evidence_set_reason(&v->evidence, REASON_TEXT, SPAN_LIT("unreachable"), span_str(reply->error));
}

static void refused(struct verdict *v, const struct placed *placed, enum calls_outcome_kind kind)
{
    begin(v, kind, "refused");
    v->evidence = placed->evidence;
    v->evidence.status = STATUS_FAILED_UNKNOWN_REASON;
    v->evidence.terminal = true;
    v->evidence.hops = HOP_BIT(HOP_MESSAGE_OUT);
}

static void accepted(struct verdict *v, const struct placed *placed)
{
    begin(v, OUTCOME_ACCEPTED, "accepted");
    v->evidence = placed->evidence;
    if (v->evidence.status == STATUS_NONE)
        v->evidence.status = STATUS_PENDING;
    v->evidence.hops |= HOP_BIT(HOP_MESSAGE_OUT);
}

static void in_doubt_by_reply(struct verdict *v, const struct placed *placed, int status)
{
    struct evidence said = placed->evidence;
    char code[16];
    snprintf(code, sizeof(code), "http_%d", status);
    doubt(v, code, SPAN_LIT("the provider's reply does not say whether the call was placed"));
    if (said.reason_code[0] != '\0')
        evidence_set_reason(&v->evidence, said.reason_kind, span_str(said.reason_code),
                            span_str(said.reason_detail));
    evidence_set_provider_call_id(&v->evidence, span_str(said.provider_call_id));
}

static int64_t not_now_ms(const struct http_reply *reply)
{
    if (reply->retry_after_ms < 0)
        return JUDGE_NOT_NOW_MS;
    if (reply->retry_after_ms < 100)
        return 100;
    return reply->retry_after_ms < JUDGE_NOT_NOW_MAX_MS ? reply->retry_after_ms : JUDGE_NOT_NOW_MAX_MS;
}

static void by_adapter(struct verdict *v, const struct placed *placed, const struct http_reply *reply)
{
    switch (placed->kind) {
    case PLACED_ACCEPTED:
        if (placed->evidence.provider_call_id[0] != '\0')
            accepted(v, placed);
        else
            in_doubt_by_reply(v, placed, reply->status);
        break;
    case PLACED_REFUSED:
        refused(v, placed, OUTCOME_REFUSED);
        break;
    case PLACED_REFUSED_FOR_NOW:
        refused(v, placed, OUTCOME_REFUSED_NOW);
        break;
    case PLACED_NOT_NOW:
        back(v, "not_now", not_now_ms(reply));
        v->evidence = placed->evidence;
        break;
    case PLACED_CHANNEL:
        back(v, "suspended", 0); /* it waits in the channel's queue */
        v->evidence = placed->evidence;
        v->suspend = true;
        break;
    case PLACED_NOTHING:
    case PLACED_IN_DOUBT:
        in_doubt_by_reply(v, placed, reply->status);
        break;
    }
}

/* Replies that may follow a placed call, whatever an adapter says. */
static bool never_certain(int status)
{
    return (status >= 300 && status < 400 && !reply_is_redirect(status)) || (status >= 500 && status != 503);
}

void judge_reply(const struct channel *channel, const struct http_reply *reply, bool own_from,
                 struct verdict *v)
{
    struct placed placed;
    switch (reply->outcome) {
    case HTTP_NOT_SENT:
        if (reply->unreachable)
            unreached(v, reply);
        else
            back(v, "given_back", reply->refused_late ? 0 : JUDGE_NOT_NOW_MS);
        return;
    case HTTP_NOTHING:
    case HTTP_IN_DOUBT:
        doubt(v, "no_response", span_str(reply->error));
        return;
    case HTTP_REPLY:
        break;
    }
    reply_read(channel, reply, &placed);
    if (never_certain(reply->status) && placed.kind != PLACED_ACCEPTED)
        placed.kind = PLACED_IN_DOUBT;
    if (placed.kind == PLACED_CHANNEL && placed.caller_id && own_from)
        placed.kind = PLACED_REFUSED; /* the request's trouble, not the channel's */
    by_adapter(v, &placed, reply);
}

void judge_unsayable(const struct err *err, struct verdict *v)
{
    begin(v, OUTCOME_REFUSED, "refused");
    v->evidence.status = STATUS_FAILED_UNKNOWN_REASON;
    v->evidence.terminal = true;
    evidence_set_reason(&v->evidence, REASON_TEXT, SPAN_LIT("cannot_be_placed"), span_str(err->text));
}

void judge_unsent(struct verdict *v, int64_t wait_ms)
{
    back(v, "given_back", wait_ms);
}

void judge_listed(struct verdict *v)
{
    back(v, "do_not_call", 0);
    v->kind = OUTCOME_LISTED;
}

void judge_busy(struct verdict *v)
{
    back(v, "busy", JUDGE_BUSY_MS);
    v->kind = OUTCOME_BUSY;
}
