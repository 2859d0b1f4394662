/*
 * Text of others that people will read: a terminal obeys escape sequences, a line break begins a row that
 * nobody wrote, and some characters make text look like another one. Each of them is shown as JSON's escape
 * for it. In JSON such characters stand in strings only, so there the escape means the same text.
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
