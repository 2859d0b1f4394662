/*
 * Reading a request field by field. Private to the request module: others include request.h.
 *
 * A reader of a field gets its value, NULL where it is absent (or null), and returns 0 or what
 * request_refuse() returns. What it finds is borrowed from the JSON; request_fields.c copies it in the end.
 */
#ifndef IVR_MODEL_REQUEST_READ_H
#define IVR_MODEL_REQUEST_READ_H

#include "common/base/buf.h"
#include "common/json/json.h"
#include "common/model/request.h"

enum { REQUEST_FIELD_MAX = 64 };

struct request_reading {
    struct request *request;
    struct err *err;
    char *field;     /* REQUEST_FIELD_MAX bytes */
    bool unreadable; /* refused for a text that is not all text */
    bool stored;     /* what was accepted once: no check of more than one field */
    struct buf metadata;
    char unknown[REQUEST_MAX_UNKNOWN][REQUEST_FIELD_MAX];
};

/* A row of an object's table; it ends with a NULL name. */
struct request_field {
    const char *name;
    int (*read)(struct request_reading *in, const json_t *value);
};

/*
 * Finds each known field in one walk over the object, then reads them in the table's order, so that the first
 * problem does not depend on the sender's order. Others are noted as unknown, after "object_name." where that
 * is not empty.
 */
int request_read_object(struct request_reading *in, const char *object_name, const json_t *object,
                        const struct request_field *fields);

/* A whole number from min to max; `out` stays as it is where there is none. */
int request_read_whole(struct request_reading *in, const char *field, const json_t *value, int min, int max,
                       int *out);

/* "to: \"****11\", expected ...": the field, what it held (NULL: it is missing), what was expected. Numbers
 * that could be somebody's are shown as IVR_PII says, of a URL only scheme and host. Returns ERR_INVALID. */
int request_refuse(struct request_reading *in, const char *field, const json_t *value, const char *expected);

/* Refuses "object.name" where it was there twice with different values: nobody knows which one was meant. */
int request_check_single(struct request_reading *in, const char *object, const char *name,
                         const json_t *value);

void request_note_unknown(struct request_reading *in, const char *object, const char *name);

/* The text of a JSON string, borrowed; SPAN_NONE of anything else, and where a part of it cannot be read. */
struct span request_text(const json_t *value);

/* Whether it is an object that was read whole. */
bool request_is_object(const json_t *value);

/* For jansson's iterators, which want what is not const: nothing may be changed through it. */
json_t *request_mutable(const json_t *value);

/* When to call (request_when.c). */
int request_read_not_before(struct request_reading *in, const json_t *value);
int request_read_expires_at(struct request_reading *in, const json_t *value);
int request_read_calling_hours(struct request_reading *in, const json_t *value);
int request_read_retry(struct request_reading *in, const json_t *value);

#endif
