#include "workers/calls/parked.h"

#include <stdio.h>
#include <string.h>

#include "common/model/request.h"
#include "workers/store/pack.h"

/* Positions: key (nil without), value, headers {name, value, ...}, topic, partition, offset. */
enum { P_KEY, P_VALUE, P_HEADERS, P_TOPIC, P_PARTITION, P_OFFSET, P_COUNT };

/* ---- as bytes ---- */

static void pack_bytes(msgpack_packer *packer, struct span bytes)
{
    if (bytes.p == NULL) {
        msgpack_pack_nil(packer);
        return;
    }
    msgpack_pack_bin(packer, bytes.n);
    if (bytes.n > 0)
        msgpack_pack_bin_body(packer, bytes.p, bytes.n);
}

void parked_add(struct buf *b, const struct kafka_record *record, const struct kafka_header *headers,
                size_t n)
{
    msgpack_packer packer;
    pack_init(&packer, b);
    msgpack_pack_array(&packer, P_COUNT);
    pack_bytes(&packer, record->key);
    pack_bytes(&packer, record->value);
    msgpack_pack_array(&packer, 2 * n);
    for (size_t i = 0; i < n; i++) {
        pack_span(&packer, headers[i].name);
        pack_bytes(&packer, headers[i].value);
    }
    pack_str(&packer, record->topic);
    msgpack_pack_int64(&packer, record->partition_id);
    msgpack_pack_int64(&packer, record->offset);
}

void parked_add_field(struct buf *b, const struct kafka_record *record, struct span channel)
{
    if (request_valid_tenant(channel)) /* channels are named alike */
        buf_addspan(b, channel);
    buf_addc(b, '|');
    buf_adds(b, record->topic);
    buf_addc(b, ':');
    buf_addint(b, record->partition_id);
    buf_addc(b, ':');
    buf_addint(b, record->offset);
}

/* Like pack_get_span(), but nil stays NULL: a record without a key is not one with an empty key. */
static struct span get_bytes(const msgpack_object *array, size_t i)
{
    if (array->via.array.ptr[i].type == MSGPACK_OBJECT_NIL)
        return SPAN_NONE;
    return pack_get_span(array, i);
}

static bool is_parked(const msgpack_object *packed)
{
    return packed->type == MSGPACK_OBJECT_ARRAY && packed->via.array.size == P_COUNT &&
           packed->via.array.ptr[P_HEADERS].type == MSGPACK_OBJECT_ARRAY;
}

bool parked_read(struct parked *parked, struct span bytes)
{
    memset(parked, 0, sizeof(*parked));
    msgpack_unpacked_init(&parked->memory);
    if (msgpack_unpack_next(&parked->memory, bytes.p, bytes.n, NULL) != MSGPACK_UNPACK_SUCCESS ||
        !is_parked(&parked->memory.data))
        return false;
    const msgpack_object *packed = &parked->memory.data;
    const msgpack_object *headers = &packed->via.array.ptr[P_HEADERS];
    parked->key = get_bytes(packed, P_KEY);
    parked->value = get_bytes(packed, P_VALUE);
    for (size_t i = 0; i + 1 < headers->via.array.size && parked->headers_n < KAFKA_MAX_HEADERS; i += 2)
        parked->headers[parked->headers_n++] =
            (struct kafka_header){pack_get_span(headers, i), get_bytes(headers, i + 1)};
    struct span topic = pack_get_span(packed, P_TOPIC);
    snprintf(parked->topic, sizeof(parked->topic), "%.*s", SPAN_ARG(topic));
    parked->partition_id = (int32_t)pack_get_int(packed, P_PARTITION);
    parked->offset = pack_get_int(packed, P_OFFSET);
    return true;
}

void parked_done(struct parked *parked)
{
    msgpack_unpacked_destroy(&parked->memory);
}

/* ---- another look ---- */

static bool has_header(const struct parked *parked, const char *name)
{
    for (size_t i = 0; i < parked->headers_n; i++)
        if (span_is(parked->headers[i].name, name))
            return true;
    return false;
}

bool parked_may_fit(const struct calls_parked *stored)
{
    struct parked parked;
    bool may = parked_read(&parked, stored->value) && has_header(&parked, "ce_callid") &&
               !has_header(&parked, PARKED_HEADER);
    parked_done(&parked);
    return may;
}
