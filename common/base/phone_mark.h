/*
 * The characters that phone numbers are spelled with, one at a time, however each of them is written: as it
 * is, in the digits of any script, percent-encoded ("%2B"), with JSON's escapes ("\u0660"). Private to
 * phone_text.c.
 */
#ifndef IVR_COMMON_PHONE_MARK_H
#define IVR_COMMON_PHONE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

enum phone_mark_kind {
    MARK_OTHER,
    MARK_LETTER, /* of ASCII */
    MARK_DIGIT,
    MARK_PLUS,
    MARK_JOINT,      /* stands between the digits of numbers: blanks, dashes, dots, brackets, "_" */
    MARK_WEAK_JOINT, /* so do these, more often between other things: "/", "," */
    MARK_INVISIBLE,  /* zero width, soft hyphens, bidi controls, combining marks */
};

struct phone_mark {
    enum phone_mark_kind kind;
    int digit; /* of MARK_DIGIT */
    size_t n;  /* bytes of the text */
    char c;    /* what it is in ASCII, a fullwidth form too; else 0 */
};

/* `at` is before the end. A byte that is no UTF-8 is MARK_OTHER. */
struct phone_mark phone_mark_at(struct span text, size_t at);

/* The value of `n` hex digits, -1 where they are not all there. */
int32_t phone_mark_hex(struct span text, size_t at, size_t n);

static inline bool phone_ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool phone_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
