#include "workers/calls/identity.h"

#include <string.h>

#include "common/base/pii.h"
#include "common/json/json.h"

static const struct span METADATA = SPAN_LIT_INIT("\"metadata\":");
static const struct span TO_HASH = SPAN_LIT_INIT("\"to_hash\":");

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
    if (!pii_add_hash(b, request->to))
        buf_adds(b, "null");
    buf_adds(b, ",\"metadata\":");
    pii_add_metadata(b, request->metadata.n > 0 ? request->metadata : SPAN_LIT("{}"));
}

/* Tenant, campaign and id have no quotes in them, so the first "metadata": is the field. */
void identity_add_json(struct buf *b, struct span identity)
{
    const char *metadata = memmem(identity.p, identity.n, METADATA.p, METADATA.n);
    size_t before = metadata != NULL ? (size_t)(metadata - identity.p) : identity.n;
    if (metadata == NULL || memmem(identity.p, before, TO_HASH.p, TO_HASH.n) != NULL) {
        buf_addspan(b, identity);
        return;
    }
    buf_addspan(b, span_of(identity.p, before));
    buf_adds(b, "\"to_hash\":null,");
    buf_addspan(b, span_of(metadata, identity.n - before));
}
