#include "workers/calls/audit.h"

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/base/pii.h"
#include "common/json/json.h"

enum { ID_BYTES = 16, HASH_MAX = 64 };

static void add_id(struct buf *b)
{
    uint8_t bytes[ID_BYTES];
    crypto_random(bytes, sizeof(bytes));
    buf_adds(b, "{\"v\":1,\"id\":\"");
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_addf(b, "%02x", bytes[i]);
    buf_addc(b, '"');
}

static void add_masked(struct buf *b, const char *key, struct span text)
{
    struct buf masked;
    if (text.n == 0) {
        json_knull(b, key);
        return;
    }
    buf_init(&masked, AUDIT_MAX);
    phone_add_masked_text(&masked, text, PHONE_MASK, SPAN_NONE);
    json_kstr(b, key, buf_span(&masked));
    buf_done(&masked);
}

static void add_hash(struct buf *b, struct span number)
{
    struct buf hash;
    buf_init(&hash, HASH_MAX);
    if (number.n > 0 && pii_hash(number, &hash))
        json_kstr(b, "target_hash", buf_span(&hash));
    else
        json_knull(b, "target_hash");
    buf_done(&hash);
}

void audit_begin(struct buf *text, const struct audit *audit)
{
    struct span reason = audit->reason;
    if (reason.n > AUDIT_REASON_MAX)
        reason.n = AUDIT_REASON_MAX;
    buf_clear(text);
    buf_addspan(text, audit->tenant);
    buf_addc(text, '\n');
    add_id(text);
    json_ktime(text, "at", clock_wall_ms());
    json_key(text, "actor");
    buf_addc(text, '{');
    json_kstrz(text, "kind", audit->actor_kind);
    json_kstr(text, "name", audit->actor);
    buf_addc(text, '}');
    json_kstrz(text, "from", audit->from);
    json_kstrz(text, "action", audit->action);
    add_masked(text, "target", audit->target);
    add_hash(text, audit->number);
    add_masked(text, "reason", reason);
}

void audit_add_affected(struct buf *text, long long affected)
{
    if (affected >= 0)
        json_kint(text, "affected", affected);
    else
        json_knull(text, "affected");
}
