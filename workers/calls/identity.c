#include "workers/calls/identity.h"

#include <string.h>

#include "common/base/pii.h"
#include "common/json/json.h"

enum { HASH_MAX = 64 };

static const char METADATA[] = "\"metadata\":", TO_HASH[] = "\"to_hash\":";

void identity_add_hash(struct buf *b, struct span number)
{
    struct buf hash;
    buf_init(&hash, HASH_MAX);
    if (number.n > 0 && pii_hash(number, &hash))
        json_str(b, buf_span(&hash));
    else
        buf_adds(b, "null");
    buf_done(&hash);
}

void identity_add(struct buf *b, const struct request *request)
{
    buf_adds(b, "\"tenant\":");
    json_str(b, request->tenant);
    buf_adds(b, ",\"campaign\":");
    json_str(b, request->campaign);
    buf_adds(b, ",\"call_id\":");
    json_str(b, request->call_id);
    buf_adds(b, ",\"to\":\"");
    pii_add_number(b, request->to);
    buf_adds(b, "\",\"to_hash\":");
    identity_add_hash(b, request->to);
    buf_adds(b, ",\"metadata\":");
    request_add_shown_metadata(b, request);
}

/* Tenant, campaign and id have no quotes in them, so the first "metadata": is the field. */
void identity_add_json(struct buf *b, struct span identity)
{
    const char *metadata = memmem(identity.p, identity.n, METADATA, sizeof(METADATA) - 1);
    size_t before = metadata != NULL ? (size_t)(metadata - identity.p) : identity.n;
    if (metadata == NULL || memmem(identity.p, before, TO_HASH, sizeof(TO_HASH) - 1) != NULL) {
        buf_addspan(b, identity);
        return;
    }
    buf_addspan(b, span_of(identity.p, before));
    buf_adds(b, "\"to_hash\":null,");
    buf_addspan(b, span_of(metadata, identity.n - before));
}
