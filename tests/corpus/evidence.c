#include "tests/corpus/corpus.h"

#include "common/json/json.h"

static void add_hops(struct buf *came, unsigned hops)
{
    if (hops == 0)
        return;
    json_key(came, "hops");
    buf_adds(came, "[");
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        if ((hops & HOP_BIT(hop)) == 0)
            continue;
        json_sep(came);
        json_str(came, span_str(hop_name((enum hop)hop)));
    }
    buf_adds(came, "]");
}

static void add_text(struct buf *came, const char *key, const char *text)
{
    if (*text)
        json_kstrz(came, key, text);
}

static void add_reason(struct buf *came, const struct evidence *ev)
{
    static const char *const names[] = {
        [REASON_TEXT] = "text", [REASON_SIP] = "sip", [REASON_NAMED] = "named"};
    if (ev->reason_kind == REASON_NONE)
        return;
    json_key(came, "reason");
    buf_adds(came, "{");
    json_kstrz(came, "kind", names[ev->reason_kind]);
    add_text(came, "code", ev->reason_code);
    add_text(came, "detail", ev->reason_detail);
    buf_adds(came, "}");
}

static void add_cost(struct buf *came, const struct evidence *ev)
{
    if (ev->cost_micros < 0)
        return;
    json_key(came, "cost");
    buf_adds(came, "{");
    json_kmicros(came, "amount", ev->cost_micros);
    json_kstrz(came, "currency", ev->currency);
    buf_adds(came, "}");
}

static void add_instant(struct buf *came, const char *key, int64_t wall_ms)
{
    if (wall_ms != 0)
        json_ktime(came, key, wall_ms);
}

static void add_seconds(struct buf *came, const char *key, int32_t seconds)
{
    if (seconds != -1)
        json_kint(came, key, seconds);
}

void corpus_add_evidence(struct corpus_case *c, struct buf *came, const struct evidence *ev)
{
    if ((unsigned)ev->status >= STATUS_COUNT || (unsigned)ev->reason_kind > REASON_NAMED) {
        corpus_problem(c, "the adapter leaves the evidence as it was: evidence_init() comes first");
        return;
    }
    if (ev->status != STATUS_NONE)
        json_kstrz(came, "status", status_name(ev->status));
    if (ev->terminal)
        json_kbool(came, "terminal", true);
    if (ev->permanent)
        json_kbool(came, "permanent", true);
    add_hops(came, ev->hops);
    add_instant(came, "at", ev->at_ms);
    add_instant(came, "answered_at", ev->answered_at_ms);
    add_seconds(came, "ring_seconds", ev->ring_seconds);
    add_seconds(came, "talk_seconds", ev->talk_seconds);
    add_cost(came, ev);
    add_reason(came, ev);
    add_text(came, "hop_detail", ev->hop_detail);
    add_text(came, "provider_call_id", ev->provider_call_id);
}
