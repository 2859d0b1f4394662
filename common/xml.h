/* Text and attribute values in XML documents that we write. We read none. */
#ifndef IVR_COMMON_XML_H
#define IVR_COMMON_XML_H

#include "common/buf.h"
#include "common/span.h"

/* Escaped for content and for double-quoted attributes; control characters that XML 1.0 cannot say become
 * spaces. */
void xml_add_text(struct buf *b, struct span text);

#endif
