/* MessagePack into a buf: what the scripts take. The order of an array's items is the script's first comment.
 */
#ifndef IVR_STORE_PACK_H
#define IVR_STORE_PACK_H

#include <msgpack.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/evidence.h"

/* Ready to write into `b` (appends). */
void pack_init(msgpack_packer *packer, struct buf *b);
void pack_span(msgpack_packer *packer, struct span text);
void pack_str(msgpack_packer *packer, const char *text);
/* Evidence, in the order of layout.E (lib/layout.lua); NULL packs evidence that says nothing. Providers quote
 * numbers in their words, codes too: they are shown as IVR_PII says before they are kept. */
void pack_evidence(msgpack_packer *packer, const struct evidence *ev);

/* Reading: what a script wrote. Missing or of another type: "", 0. */
struct span pack_get_span(const msgpack_object *array, size_t i);
int64_t pack_get_int(const msgpack_object *array, size_t i);

#endif
