/* A campaign's summary (schemas/delivery-summary.schema.json), laid out for a person. Pure. */
#ifndef IVR_TOOLS_SHOW_SUMMARY_H
#define IVR_TOOLS_SHOW_SUMMARY_H

#include <jansson.h>

#include "common/base/buf.h"

void show_summary(struct buf *out, const json_t *summary);

#endif
