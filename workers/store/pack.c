#include "workers/store/pack.h"

#include "common/base/pii.h"

static int append(void *data, const char *bytes, size_t n)
{
    buf_add(data, bytes, n);
    return 0;
}

void pack_init(msgpack_packer *packer, struct buf *b)
{
    msgpack_packer_init(packer, b, append);
}

void pack_span(msgpack_packer *packer, struct span text)
{
    msgpack_pack_str(packer, text.n);
    if (text.n > 0)
        msgpack_pack_str_body(packer, text.p, text.n);
}

void pack_str(msgpack_packer *packer, const char *text)
{
    pack_span(packer, span_str(text));
}

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

struct span pack_get_span(const msgpack_object *array, size_t i)
{
    if (array->type != MSGPACK_OBJECT_ARRAY || i >= array->via.array.size)
        return SPAN_LIT("");
    const msgpack_object *item = &array->via.array.ptr[i];
    if (item->type == MSGPACK_OBJECT_STR)
        return span_of(item->via.str.ptr, item->via.str.size);
    if (item->type == MSGPACK_OBJECT_BIN)
        return span_of(item->via.bin.ptr, item->via.bin.size);
    return SPAN_LIT("");
}

int64_t pack_get_int(const msgpack_object *array, size_t i)
{
    if (array->type != MSGPACK_OBJECT_ARRAY || i >= array->via.array.size)
        return 0;
    const msgpack_object *item = &array->via.array.ptr[i];
    switch (item->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return (int64_t)item->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return item->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return (int64_t)item->via.f64; /* Lua has only doubles; the scripts' numbers are whole */
    default:
        return 0;
    }
}
