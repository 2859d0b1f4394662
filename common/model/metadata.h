/* A request's metadata in one canonical form: compact, keys sorted by bytes, numbers in their shortest exact
 * form. Equal JSON values have equal text, so that the text can be compared, hashed and passed on as it
 * stands. */
#ifndef IVR_MODEL_METADATA_H
#define IVR_MODEL_METADATA_H

#include "common/buf.h"

/* `json` is json_t, nested at most as deep as json_parse() lets through. Past the buffer's cap it overflows,
 * as any append. */
void metadata_add(struct buf *b, const void *json);

#endif
