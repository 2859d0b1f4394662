/*
 * JSON: writing by appending to a buffer (no tree, no allocation), and reading into jansson's values
 * (json_read.c), which are written in turn (json_value.c).
 *
 * Writing: the caller puts commas through json_key()/json_sep(), which look at the last byte written: after
 * '{', '[' or ':' nothing is added, else a comma. So a document is a straight run of calls.
 */
#ifndef IVR_COMMON_JSON_H
#define IVR_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

/* A comma unless the last byte is '{', '[', ':' or the buffer is empty. */
void json_sep(struct buf *b);
/* [,]"key": ; `key` is ours and needs no escape. */
void json_key(struct buf *b, const char *key);
/* A string, escaped; bytes that are no UTF-8, and NUL, become U+FFFD: what we write, json_parse reads. */
void json_str(struct buf *b, struct span text);

void json_kstr(struct buf *b, const char *key, struct span text);
void json_kstrz(struct buf *b, const char *key, const char *text); /* NULL writes null */
void json_ktext(struct buf *b, const char *key,
                struct span text); /* a text that is empty where unknown: null then */
void json_kcount(struct buf *b, const char *key,
                 int64_t count); /* a number that is negative where unknown: null then */
void json_kint(struct buf *b, const char *key, int64_t value);
void json_kbool(struct buf *b, const char *key, bool value);
void json_knull(struct buf *b, const char *key);
void json_ktime(struct buf *b, const char *key, int64_t wall_ms); /* RFC 3339; 0 or less writes null */
void json_kraw(struct buf *b, const char *key, struct span json); /* already JSON */
/* Millionths of a unit as a decimal string without trailing zeros: 6500 -> "0.0065", 0 -> "0". */
void json_kmicros(struct buf *b, const char *key, int64_t micros);
void json_micros(struct buf *b, int64_t micros);
/* {"amount": "0.0065", "currency": "USD"}; null where `micros` is negative: not known. */
void json_kcost(struct buf *b, const char *key, int64_t micros, struct span currency);

/*
 * How strictly a text is read. A number of any size is read in all three: see json_big_number().
 */
enum json_manner {
    /* RFC 8259, an object or an array; no key twice in an object, no NUL character, no lone surrogate, at
     * most 256 levels (ERR_LIMIT): what people type to us, what is signed, what we wrote. */
    JSON_READ_STRICT,
    /* RFC 8259 with all that its grammar admits, and a byte order mark; in strings also bytes that are no
     * UTF-8: call requests. */
    JSON_READ_LENIENT,
    /* Besides, control characters and broken escapes in strings, which stand for themselves; NaN and Infinity
     * (null); numbers written in some other way (007, which is text); whatever follows the document:
     * providers. */
    JSON_READ_FOREIGN,
};

/*
 * Reads one document of at most `max_bytes`. The error says what is wrong and at which line and column or
 * byte, without quoting content: ERR_LIMIT for a bound of ours, else ERR_INVALID. The result is a new
 * reference, NULL on error; it holds what json_odd() tells of, so write it with json_value().
 */
json_t *json_read(struct span text, size_t max_bytes, enum json_manner manner, struct err *err)
    __attribute__((warn_unused_result));
/* The same, JSON_READ_STRICT. */
json_t *json_parse(struct span text, size_t max_bytes, struct err *err) __attribute__((warn_unused_result));

/*
 * What jansson has no type for is kept as an object of a form that no text can have. So a caller that expects
 * a text, a number or a list finds that it is none.
 */
enum json_odd {
    JSON_PLAIN,
    JSON_BIG,     /* a number that neither 64 bits nor a double give back: json_big_number() */
    JSON_DEEP,    /* nested deeper than 256 levels: it was not read */
    JSON_DOUBLED, /* its key was there before, with another value: json_doubled() is the last one */
};
enum json_odd json_odd(const json_t *value);
/* As it was written; SPAN_NONE for everything else. */
struct span json_big_number(const json_t *value);
/* The value itself where its key was there once. */
const json_t *json_doubled(const json_t *value);

/*
 * Writes a value, compact; JSON_SORTED: keys sorted by their bytes. A number has the fewest digits that read
 * back as the same one, or stands as it was written. Of a doubled key the last value is written. False: some
 * of it was nested too deep to be read, what was written is not the whole. Past the buffer's cap it
 * overflows, as any append.
 */
enum json_order { JSON_AS_READ, JSON_SORTED };
bool json_value(struct buf *b, const json_t *value, enum json_order order);

/* The text of a string, borrowed; SPAN_NONE for anything else. In a text that was not read strictly there may
 * be NULs, and bytes that are no UTF-8 (FF for a lone surrogate). */
struct span json_text(const json_t *value);
/* The string under `key`, borrowed; SPAN_NONE when absent or not a string. */
struct span json_get_span(const json_t *object, const char *key);

/* A whole number, however it is written: JSON knows one kind of number, and 40, 40.0 and 4e1 are the same
 * one. False, with *whole as it was, for anything else and for what is outside 53 bits but no integer. */
bool json_whole(const json_t *value, int64_t *whole);

#endif
