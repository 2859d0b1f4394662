#include "common/model/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

struct member {
    const char *key;
    const json_t *value;
};

static void add_value(struct buf *b, const json_t *value);

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static void add_members(struct buf *b, const struct member *members, size_t n)
{
    buf_addc(b, '{');
    for (size_t i = 0; i < n && buf_ok(b); i++) {
        json_sep(b);
        json_str(b, span_str(members[i].key));
        buf_addc(b, ':');
        add_value(b, members[i].value);
    }
    buf_addc(b, '}');
}

enum { FEW = 16 }; /* members of an ordinary object, sorted without allocating */

/* jansson's iterator wants what is not const; nothing is changed here. */
static void collect(const json_t *object, struct member *members)
{
    union {
        const json_t *given;
        json_t *wanted;
    } same = {.given = object};
    void *at = json_object_iter(same.wanted);
    for (size_t n = 0; at; at = json_object_iter_next(same.wanted, at))
        members[n++] = (struct member){json_object_iter_key(at), json_object_iter_value(at)};
}

static void add_object(struct buf *b, const json_t *object)
{
    struct member few[FEW];
    size_t n = json_object_size(object);
    struct member *members = n > FEW ? mem_calloc(n, sizeof *members) : few;
    collect(object, members);
    qsort(members, n, sizeof *members, compare_members);
    add_members(b, members, n);
    if (members != few)
        free(members);
}

static void add_array(struct buf *b, const json_t *array)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < json_array_size(array) && buf_ok(b); i++) {
        json_sep(b);
        add_value(b, json_array_get(array, i));
    }
    buf_addc(b, ']');
}

/* The fewest digits that read back as the same number; a whole number looks like an integer, which it equals.
 */
static void add_real(struct buf *b, double value)
{
    char text[40] = "0";
    for (int digits = 15; value != 0 && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_adds(b, text);
}

static void add_value(struct buf *b, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(b, value);
        return;
    case JSON_ARRAY:
        add_array(b, value);
        return;
    case JSON_STRING:
        json_str(b, span_of(json_string_value(value), json_string_length(value)));
        return;
    case JSON_INTEGER:
        buf_addint(b, json_integer_value(value));
        return;
    case JSON_REAL:
        add_real(b, json_real_value(value));
        return;
    case JSON_TRUE:
        buf_adds(b, "true");
        return;
    case JSON_FALSE:
        buf_adds(b, "false");
        return;
    case JSON_NULL:
        buf_adds(b, "null");
        return;
    }
}

void metadata_add(struct buf *b, const void *json)
{
    add_value(b, json);
}
