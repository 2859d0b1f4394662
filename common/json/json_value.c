/* jansson's values as text, and those of ours that it has no type for (json_read.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/json_read.h"

/* ---- what no text can spell ---- */

json_t *json_odd_new(const char *kind, json_t *value)
{
    json_t *object = json_object();
    json_object_set_new_nocheck(object, kind, value);
    return object;
}

enum json_odd json_odd(const json_t *value)
{
    if (json_object_size(value) != 1)
        return JSON_PLAIN;
    return json_object_get(value, JSON_ODD_BIG)       ? JSON_BIG
           : json_object_get(value, JSON_ODD_DEEP)    ? JSON_DEEP
           : json_object_get(value, JSON_ODD_DOUBLED) ? JSON_DOUBLED
                                                      : JSON_PLAIN;
}

struct span json_big_number(const json_t *value)
{
    return json_get_span(value, JSON_ODD_BIG);
}

const json_t *json_doubled(const json_t *value)
{
    const json_t *last = json_object_get(value, JSON_ODD_DOUBLED);
    return last ? last : value;
}

/* ---- writing ---- */

struct member {
    const char *key;
    const json_t *value;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static bool add_members(struct buf *b, const struct member *members, size_t n, enum json_order order)
{
    bool whole = true;
    buf_addc(b, '{');
    for (size_t i = 0; i < n && buf_ok(b); i++) {
        json_sep(b);
        json_str(b, span_str(members[i].key));
        buf_addc(b, ':');
        whole = json_value(b, members[i].value, order) && whole;
    }
    buf_addc(b, '}');
    return whole;
}

enum { FEW = 16 }; /* members of an ordinary object, sorted without allocating */

/* jansson's iterator wants what is not const; nothing is changed here. */
static size_t collect(const json_t *object, struct member *members)
{
    size_t n = 0;
    union {
        const json_t *given;
        json_t *wanted;
    } same = {.given = object};
    void *at = json_object_iter(same.wanted);
    for (; at; at = json_object_iter_next(same.wanted, at))
        members[n++] = (struct member){json_object_iter_key(at), json_object_iter_value(at)};
    return n;
}

static bool add_object(struct buf *b, const json_t *object, enum json_order order)
{
    struct member few[FEW];
    size_t most = json_object_size(object);
    struct member *members = most > FEW ? mem_calloc(most, sizeof *members) : few;
    size_t n = collect(object, members);
    if (order == JSON_SORTED)
        qsort(members, n, sizeof *members, compare_members);
    bool whole = add_members(b, members, n, order);
    if (members != few)
        free(members);
    return whole;
}

static bool add_array(struct buf *b, const json_t *array, enum json_order order)
{
    bool whole = true;
    buf_addc(b, '[');
    for (size_t i = 0; i < json_array_size(array) && buf_ok(b); i++) {
        json_sep(b);
        whole = json_value(b, json_array_get(array, i), order) && whole;
    }
    buf_addc(b, ']');
    return whole;
}

/* The fewest digits that read back as the same number; a whole number looks like an integer, which it
 * equals. */
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

static bool add_odd(struct buf *b, const json_t *value, enum json_odd odd, enum json_order order)
{
    if (odd == JSON_DOUBLED)
        return json_value(b, json_doubled(value), order);
    buf_addspan(b, odd == JSON_BIG ? json_big_number(value) : SPAN_LIT("null"));
    return odd == JSON_BIG;
}

bool json_value(struct buf *b, const json_t *value, enum json_order order)
{
    enum json_odd odd = json_odd(value);
    if (odd != JSON_PLAIN)
        return add_odd(b, value, odd, order);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return add_object(b, value, order);
    case JSON_ARRAY:
        return add_array(b, value, order);
    case JSON_STRING:
        json_str(b, json_text(value));
        break;
    case JSON_INTEGER:
        buf_addint(b, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(b, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_adds(b, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        buf_adds(b, "null");
        break;
    }
    return true;
}
