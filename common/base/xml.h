/* Text and attribute values in XML documents that we write. We read none. */
#ifndef IVR_COMMON_XML_H
#define IVR_COMMON_XML_H

#include "common/base/buf.h"
#include "common/base/span.h"

/* Escaped for content and for double-quoted attributes. What XML 1.0 cannot say, not even escaped, is left
 * out or, where it stands between words, a space: control characters are spaces; U+FFFE, U+FFFF and bytes
 * that are no UTF-8 are nothing. */
void xml_add_text(struct buf *b, struct span text);

#endif
