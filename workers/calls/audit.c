#include "workers/calls/audit.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/phone.h"
#include "common/json/json.h"
#include "common/kafka/cloudevent.h"
#include "workers/calls/identity.h"

static const char BEGIN[] = "{\"v\":1,\"id\":\"", AT[] = "\",\"at\":\"";

/* At most `most` bytes, and no part of a character. */
static struct span cut(struct span text, size_t most)
{
    size_t n = text.n < most ? text.n : most;
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    return span_of(text.p, n);
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

void audit_begin(struct buf *text, const struct audit *audit)
{
    char id[CLOUDEVENT_ID_LEN + 1], at[CLOCK_RFC3339_LEN + 1];
    cloudevent_make_id(id);
    clock_rfc3339(clock_wall_ms(), at);
    buf_clear(text);
    buf_addspan(text, audit->tenant);
    buf_addf(text, "\n%s%s%s%s\"", BEGIN, id, AT, at);
    json_key(text, "actor");
    buf_addc(text, '{');
    json_kstrz(text, "kind", audit->actor_kind);
    add_masked(text, "name", cut(audit->actor, AUDIT_ACTOR_MAX));
    buf_addc(text, '}');
    json_kstrz(text, "from", audit->from);
    json_kstrz(text, "action", audit->action);
    json_kstr(text, "target", audit->target);
    json_key(text, "target_hash");
    identity_add_hash(text, audit->number);
    add_masked(text, "reason", cut(audit->reason, AUDIT_REASON_MAX));
}

static bool skip(struct span *rest, const char *text)
{
    size_t n = strlen(text);
    if (rest->n < n || memcmp(rest->p, text, n) != 0)
        return false;
    *rest = span_of(rest->p + n, rest->n - n);
    return true;
}

void audit_read(struct audit_text *audit, struct span text)
{
    const char *end = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
    size_t key_n = end != NULL ? (size_t)(end - text.p) : 0;
    *audit = (struct audit_text){.key = span_of(text.p, key_n),
                                 .json = end != NULL ? span_of(end + 1, text.n - key_n - 1) : text};
    struct span rest = audit->json;
    if (!skip(&rest, BEGIN) || rest.n < CLOUDEVENT_ID_LEN)
        return;
    audit->id = span_of(rest.p, CLOUDEVENT_ID_LEN);
    rest = span_of(rest.p + CLOUDEVENT_ID_LEN, rest.n - CLOUDEVENT_ID_LEN);
    if (skip(&rest, AT) && rest.n >= CLOCK_RFC3339_LEN)
        (void)clock_parse_rfc3339(span_of(rest.p, CLOCK_RFC3339_LEN), &audit->at_ms);
}

void audit_add_affected(struct buf *text, long long affected)
{
    if (affected >= 0)
        json_kint(text, "affected", affected);
    else
        json_knull(text, "affected");
}
