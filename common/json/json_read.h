/*
 * How json_read.c writes down what jansson has no type for. Private to the JSON module: others include
 * json.h. A key that begins with the byte FF is no UTF-8, and json_read() cleans keys that come from a text.
 */
#ifndef IVR_COMMON_JSON_READ_H
#define IVR_COMMON_JSON_READ_H

#include <jansson.h>

/* The byte in octal: after "\xFF" a "b" or "d" would be one more digit. */
#define JSON_ODD_BIG     "\377big"
#define JSON_ODD_DEEP    "\377deep"
#define JSON_ODD_DOUBLED "\377doubled"

/* An object of one member; takes `value` over. */
json_t *json_odd_new(const char *kind, json_t *value);

#endif
