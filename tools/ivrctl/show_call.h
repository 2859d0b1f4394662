/* A call (schemas/call.schema.json), laid out for a person at three in the morning. Pure: text from a value. */
#ifndef IVR_TOOLS_SHOW_CALL_H
#define IVR_TOOLS_SHOW_CALL_H

#include <jansson.h>

#include "common/base/buf.h"

/* Whatever is missing or of another type is left out. */
void show_call(struct buf *out, const json_t *call);

#endif
