/* MessagePack: what the scripts take and write. The order of an array's items is the script's first comment. */
#ifndef IVR_STORE_PACK_H
#define IVR_STORE_PACK_H

#include <msgpack.h>

#include "common/base/buf.h"
#include "common/base/span.h"

/* Ready to write into `b` (appends). */
void pack_init(msgpack_packer *packer, struct buf *b);
void pack_span(msgpack_packer *packer, struct span text);
void pack_str(msgpack_packer *packer, const char *text);

/* Reading: what a script wrote. Missing or of another type: "", 0. */
struct span pack_get_span(const msgpack_object *array, size_t i);
int64_t pack_get_int(const msgpack_object *array, size_t i);

#endif
