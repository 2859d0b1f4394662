#include "tests/corpus/corpus.h"

#include <stdio.h>
#include <string.h>

#include "common/json/json_memory.h"

enum { NAME_MAX_LEN = 200, LONG_TEXT = 120, TEXT_BEFORE = 30, SHOWN_MAX = 400 };

static size_t common_prefix(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* Of long texts what they share at the start is left out, from a character on. */
static size_t shared_start(json_t *a, json_t *b)
{
    if (!json_is_string(a) || !json_is_string(b))
        return 0;
    const char *text = json_string_value(a);
    size_t n = common_prefix(text, json_string_value(b));
    if (n < LONG_TEXT)
        return 0;
    n -= TEXT_BEFORE;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

static void add_shown(struct buf *b, json_t *value, size_t from)
{
    if (!value) {
        buf_adds(b, "nothing");
        return;
    }
    json_t *rest = from ? json_string(json_string_value(value) + from) : json_incref(value);
    char *text = json_dumps(rest, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_adds(b, from ? "…" : "");
    buf_addf(b, "%.*s%s", SHOWN_MAX, text, strlen(text) > SHOWN_MAX ? "…" : "");
    json_memory_free(text);
    json_decref(rest);
}

static void report(struct corpus_case *c, const char *name, json_t *expected, json_t *came)
{
    struct buf left, right;
    size_t from = shared_start(expected, came);
    buf_init(&left, CORPUS_MAX_TEXT);
    buf_init(&right, CORPUS_MAX_TEXT);
    add_shown(&left, expected, from);
    add_shown(&right, came, from);
    corpus_problem(c, "%s: expected %s, came %s", name, left.p, right.p);
    buf_done(&left);
    buf_done(&right);
}

static void compare(struct corpus_case *c, const char *name, json_t *expected, json_t *came);

static void compare_member(struct corpus_case *c, const char *name, const char *key, json_t *expected,
                           json_t *came)
{
    char path[NAME_MAX_LEN];
    snprintf(path, sizeof path, "%s.%s", name, key);
    compare(c, path, json_object_get(expected, key), json_object_get(came, key));
}

static void compare_objects(struct corpus_case *c, const char *name, json_t *expected, json_t *came)
{
    const char *key;
    json_t *value;
    json_object_foreach(expected, key, value)
    {
        compare_member(c, name, key, expected, came);
    }
    json_object_foreach(came, key, value)
    {
        if (!json_object_get(expected, key))
            compare_member(c, name, key, expected, came);
    }
}

static void compare_arrays(struct corpus_case *c, const char *name, json_t *expected, json_t *came)
{
    size_t n = json_array_size(expected), m = json_array_size(came);
    for (size_t i = 0; i < n || i < m; i++) {
        char path[NAME_MAX_LEN];
        snprintf(path, sizeof path, "%s[%zu]", name, i);
        compare(c, path, json_array_get(expected, i), json_array_get(came, i));
    }
}

static void compare(struct corpus_case *c, const char *name, json_t *expected, json_t *came)
{
    if (expected && came && json_equal(expected, came))
        return;
    if (json_is_object(expected) && json_is_object(came))
        compare_objects(c, name, expected, came);
    else if (json_is_array(expected) && json_is_array(came))
        compare_arrays(c, name, expected, came);
    else
        report(c, name, expected, came);
}

void corpus_compare(struct corpus_case *c, const char *name, json_t *expected, json_t *came)
{
    compare(c, name, expected, came);
}
