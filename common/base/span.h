/* A borrowed run of bytes, not NUL-terminated. Whoever fills it says how long the bytes live. */
#ifndef IVR_COMMON_SPAN_H
#define IVR_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *p; /* may be NULL only when n is 0 */
    size_t n;
};

#define SPAN_NONE      ((struct span){NULL, 0})
#define SPAN_LIT(text) ((struct span){(text), sizeof(text) - 1})
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct span span_of(const char *p, size_t n)
{
    return (struct span){p, n};
}

static inline struct span span_str(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

/* The same, where "A" and "a" are one (ASCII alone, whatever the locale). */
bool span_is_any_case(struct span a, const char *text);

/*
 * Bytes of the UTF-8 character that `s` starts with (1 to 4), or 0 where none does: an empty span, a stray or
 * missing continuation byte, an overlong form, a surrogate, a value past U+10FFFF. NUL is a character of one
 * byte.
 */
size_t span_utf8_char(struct span s);

/* Whether all of it is UTF-8; an empty span is. */
bool span_utf8(struct span s);

#endif
