/*
 * JSON: writing by appending to a buffer (no tree, no allocation), and reading with jansson.
 *
 * Writing: the caller puts commas through json_key()/json_sep(), which look at the last byte written: after
 * '{', '[' or ':' nothing is added, else a comma. So a document is a straight run of calls.
 */
#ifndef IVR_COMMON_JSON_H
#define IVR_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/span.h"

/* A comma unless the last byte is '{', '[', ':' or the buffer is empty. */
void json_sep(struct buf *b);
/* [,]"key": ; `key` is ours and needs no escape. */
void json_key(struct buf *b, const char *key);
/* A string, escaped; bytes that are no UTF-8, and NUL, become U+FFFD: what we write, json_parse reads. */
void json_str(struct buf *b, struct span text);

void json_kstr(struct buf *b, const char *key, struct span text);
void json_kstrz(struct buf *b, const char *key, const char *text); /* NULL writes null */
void json_kint(struct buf *b, const char *key, int64_t value);
void json_kbool(struct buf *b, const char *key, bool value);
void json_knull(struct buf *b, const char *key);
void json_ktime(struct buf *b, const char *key, int64_t wall_ms); /* RFC 3339; 0 or less writes null */
void json_kraw(struct buf *b, const char *key, struct span json); /* already JSON */
/* Millionths of a unit as a decimal string without trailing zeros: 6500 -> "0.0065", 0 -> "0". */
void json_kmicros(struct buf *b, const char *key, int64_t micros);

/* Parses one document, an object or an array: UTF-8, no NUL byte and no \u0000, no duplicate keys, nesting at
 * most 64, at most `max_bytes`. The error says what is wrong and at which line and column or byte, without
 * quoting content: ERR_LIMIT for the size, else ERR_INVALID. The result is a new reference, NULL on error.
 * Integers outside 64 bits are refused. */
json_t *json_parse(struct span text, size_t max_bytes, struct err *err) __attribute__((warn_unused_result));

/* The string under `key`, borrowed; SPAN_NONE when absent or not a string. */
struct span json_get_span(const json_t *object, const char *key);

/* A whole number, however it is written: JSON knows one kind of number, and 40, 40.0 and 4e1 are the same
 * one. False, with *whole as it was, for anything else and for what is outside 53 bits but no integer. */
bool json_whole(const json_t *value, int64_t *whole);

#endif
