/* Small pieces that the human output of several commands is made of. */
#ifndef IVR_TOOLS_SHOW_H
#define IVR_TOOLS_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/status.h"

/* Strings and names in it, at any depth, as visible_add() has them: before it is laid out as text, so that no
 * value begins a line of its own. */
void show_make_visible(json_t *json);

/* "Completed" and the like, or `fallback` where it is absent, null or no string. Borrowed. */
const char *show_text(const json_t *object, const char *key, const char *fallback);
int64_t show_int(const json_t *object, const char *key); /* 0 without */
bool show_is_set(const json_t *object, const char *key); /* there, and not null */
int64_t show_sum(const json_t *counts);                  /* of an object's whole numbers */

/* In the order in which people ask for them. */
enum { SHOW_STATUSES = STATUS_COUNT - 1 };
extern const enum call_status show_statuses[SHOW_STATUSES];

/* "2026-11-22 18:50:50.123" of an RFC 3339 time; "-" without one. */
void show_add_time(struct buf *b, const char *rfc3339);
/* Milliseconds of an RFC 3339 time, 0 without one. */
int64_t show_time_ms(const char *rfc3339);
/* "850 ms", "12.3 s", "4 min 10 s", "2 h 5 min", "3 d 4 h". */
void show_add_span_of_time(struct buf *b, int64_t ms);
/* Text left-aligned in `columns` (counted in characters, not bytes), at least one space after it. */
void show_add_column(struct buf *b, const char *text, int columns);
/* "12,345". */
void show_add_count(struct buf *b, int64_t n);

#endif
