#include "workers/store/pack.h"

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
