/*
 * The elements of a JSON array, one after the other as text, so that an array of any length is never built as
 * a whole: a value of three bytes takes a hundred times as much once jansson has it. Nothing is validated but
 * what tells the elements apart; json_parse() reads each. Pure.
 */
#ifndef IVR_COMMON_JSON_ARRAY_H
#define IVR_COMMON_JSON_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/span.h"

/* Private. */
struct json_array {
    struct span rest;
    bool begun;
};

struct json_element {
    struct span text; /* borrowed, without the blanks around it; never empty */
    /* At most so many objects, arrays, strings, numbers and words are in it, itself included. */
    size_t values;
};

enum json_array_step { JSON_ARRAY_BAD, JSON_ARRAY_ELEMENT, JSON_ARRAY_END };

/* False when the text does not begin as an array. */
bool json_array_begin(struct json_array *array, struct span text);
/* BAD: no array after all (an element is missing, it does not end, or something follows). */
enum json_array_step json_array_next(struct json_array *array, struct json_element *element);

/* How many values a document holds, in the same way. */
size_t json_array_values(struct span text);

#endif
