/* Whole numbers as text: decimals read and written, and the value of a hexadecimal digit. */
#ifndef IVR_COMMON_NUMBER_H
#define IVR_COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* The longest number_write() makes: 19 digits and a sign. */
enum { NUMBER_LEN = 20 };

/*
 * Reads a text that is a decimal from its first byte to its last: ASCII digits alone, at least one, no sign
 * and no blank. Leading zeros count as what they are. False when it is anything else, or less than `min`, or
 * more than `max`; *out is then as before.
 */
bool number_read(struct span text, int64_t min, int64_t max, int64_t *out)
    __attribute__((warn_unused_result));
bool number_read_int(struct span text, int min, int max, int *out) __attribute__((warn_unused_result));

/* Writes a decimal, "-" before a negative one. What it returns stands in `room`, and not at its beginning. */
struct span number_write(char room[NUMBER_LEN], int64_t value);

/* 0 to 15, in either case; -1 for what is no hexadecimal digit. */
static inline int number_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
