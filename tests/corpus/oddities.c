/*
 * What strangers' software puts beside the point. Every callback and reply of the corpus that is a form or an
 * object is read once more with each of these in a field that nobody knows: nothing may change.
 */
#include <stdlib.h>

#include "tests/corpus/corpus.h"

/* Behind a form's fields, or before a JSON object's members. */
struct oddity {
    const char *what;
    struct span text;
};

#define ODD(what, text)                                                                                      \
    {                                                                                                        \
        what,                                                                                                \
        {                                                                                                    \
            text, sizeof(text) - 1                                                                           \
        }                                                                                                    \
    }

/* Names that are odd themselves begin with a capital letter, as all of Twilio's do: where the value before
 * them ends is told by it (twilio_text.h). */
static const struct oddity in_forms[] = {
    ODD("a byte that is no UTF-8", "x=%FF"),
    ODD("a byte that is no UTF-8, raw", "x=Telef\xF3nica"),
    ODD("%00", "x=a%00b"),
    ODD("a NUL byte", "x=a\0b"),
    ODD("a stray %", "x=100%"),
    ODD("%zz", "x=%zz&X%zz=x"),
    ODD("overlong UTF-8", "x=%C0%80%E0%80%80"),
    ODD("a lone surrogate", "x=%ED%A0%80"),
    ODD("a bad byte in a key's name", "X%FF=1&X\xC3=2&X%00=3"),
    ODD("a byte order mark", "x=\xEF\xBB\xBF"),
    ODD("a number past 64 bits", "x=99999999999999999999"),
    ODD("a doubled key", "x=1&x=2"),
    ODD("control characters and line breaks", "x=a%0D%0A%1B[2Jb&X%=&x"),
};

#define LEVELS_10(p) p p p p p p p p p p

static const struct oddity in_objects[] = {
    ODD("a byte that is no UTF-8", "\"x\":\"Telef\xF3nica\""),
    ODD("overlong UTF-8", "\"x\":\"\xC0\x80\xE0\x80\x80\""),
    ODD("\\u0000", "\"x\":\"a\\u0000b\""),
    ODD("a NUL byte in a text", "\"x\":\"a\0b\""),
    ODD("a line break in a text", "\"x\":\"a\nb\""),
    ODD("a lone surrogate", "\"x\":\"\\ud800\",\"y\":\"\\udc00\\ud83d\""),
    ODD("a broken escape", "\"x\":\"C:\\x \\u12\""),
    ODD("an integer past 64 bits", "\"x\":9223372036854775808,\"y\":-99999999999999999999"),
    ODD("1e400", "\"x\":1e400,\"y\":-1E400,\"z\":1e-400"),
    ODD("NaN", "\"x\":NaN,\"y\":[Infinity,-Infinity]"),
    ODD("a number with a leading zero", "\"x\":007,\"y\":+1"),
    ODD("a doubled key", "\"x\":1,\"x\":2,\"y\":{\"z\":1,\"z\":[]}"),
    ODD("a bad byte in a key's name", "\"\xFF\":1,\"k\\u0000\":2,\"\\ud800\":3"),
    ODD("70 levels of nesting", "\"x\":" LEVELS_10("[[[[[[[") LEVELS_10("]]]]]]]")),
    ODD("400 levels of nesting",
        "\"x\":" LEVELS_10(LEVELS_10("[{\"a\":[[")) "1" LEVELS_10(LEVELS_10("]]}]"))),
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void put_before(struct buf *body, struct span text)
{
    size_t n;
    char *rest = buf_take(body, &n);
    buf_addspan(body, text);
    buf_add(body, rest, n);
    free(rest);
}

const char *corpus_odd(struct buf *body, bool form, size_t i)
{
    const struct oddity *rows = form ? in_forms : in_objects;
    size_t n = form ? COUNT(in_forms) : COUNT(in_objects);
    if (i == n && !form) {
        put_before(body, SPAN_LIT("\xEF\xBB\xBF"));
        return "a byte order mark";
    }
    if (i >= n)
        return NULL;
    if (form) {
        if (body->n > 0)
            buf_addc(body, '&');
        buf_addspan(body, rows[i].text);
        return rows[i].what;
    }
    bool empty = body->n == 2;
    *body->p = ',';
    if (empty)
        *body->p = ' ';
    put_before(body, rows[i].text);
    put_before(body, SPAN_LIT("{"));
    return rows[i].what;
}
