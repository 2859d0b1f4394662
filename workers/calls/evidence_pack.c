#include "workers/calls/evidence_pack.h"

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/crypto.h"
#include "common/base/pii.h"
#include "workers/store/pack.h"

static void pack_words(msgpack_packer *packer, const char *words)
{
    struct buf shown;
    buf_init(&shown, 8 * EVIDENCE_DETAIL_MAX);
    pii_add_text(&shown, span_str(words));
    pack_span(packer, buf_span(&shown));
    buf_done(&shown);
}

void pack_evidence(msgpack_packer *packer, const struct evidence *ev)
{
    struct evidence nothing;
    if (ev == NULL) {
        evidence_init(&nothing);
        ev = &nothing;
    }
    msgpack_pack_array(packer, 15);
    msgpack_pack_int64(packer, ev->status);
    msgpack_pack_int64(packer, ev->terminal);
    msgpack_pack_int64(packer, ev->hops);
    msgpack_pack_int64(packer, ev->at_ms);
    msgpack_pack_int64(packer, ev->answered_at_ms);
    msgpack_pack_int64(packer, ev->ring_seconds);
    msgpack_pack_int64(packer, ev->talk_seconds);
    msgpack_pack_int64(packer, ev->cost_micros);
    pack_str(packer, ev->currency);
    msgpack_pack_int64(packer, ev->reason_kind);
    pack_words(packer, ev->reason_code);
    pack_words(packer, ev->reason_detail);
    pack_words(packer, ev->hop_detail);
    pack_str(packer, ev->provider_call_id);
    msgpack_pack_int64(packer, ev->permanent);
}

/* It need not be secret, and a system call for each record would be felt: xorshift64. */
void pack_jitter(msgpack_packer *packer)
{
    static uint64_t state;
    while (state == 0)
        crypto_random(&state, sizeof(state));
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    msgpack_pack_int64(packer, (int64_t)(state % 1000));
}
