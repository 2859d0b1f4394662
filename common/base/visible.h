/*
 * Text of others on its way to an eye: a terminal obeys escape sequences, a line break begins a line that
 * nobody wrote, and some characters let text read otherwise than it is. They are shown as the escape that
 * JSON has for them, which is what they become in JSON too, where they stand in strings only.
 *
 * Escaped are the control characters of C0, DEL and C1, the line and paragraph separators (U+2028, U+2029)
 * and what reorders text (U+202A to U+202E, U+2066 to U+2069). A byte that is no UTF-8 becomes U+FFFD.
 */
#ifndef IVR_COMMON_VISIBLE_H
#define IVR_COMMON_VISIBLE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"

/* Whether all of it can be shown as it is. */
bool visible_is(struct span text);
/* The same of a text whose line breaks and tabs are ours. */
bool visible_is_lines(struct span text);
/* A value: all of it on one line. */
void visible_add(struct buf *b, struct span text);
/* A text whose line breaks and tabs are ours: they stay. Of JSON the result is the same JSON. */
void visible_add_lines(struct buf *b, struct span text);

#endif
