/*
 * One growing buffer with a cap. It is always NUL-terminated, so `b.p` is a C string wherever the content has
 * no NUL. Appending past `max` sets `overflow`, drops the append and every later one: check once, at the end
 * (buf_ok). What is appended must not lie in the buffer itself: growing moves it.
 */
#ifndef IVR_COMMON_BUF_H
#define IVR_COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

struct buf {
    char *p;    /* owned; "" (static) until the first append */
    size_t n;   /* bytes used, without the NUL */
    size_t cap; /* bytes allocated, 0 while nothing is */
    size_t max; /* most bytes it may hold */
    bool overflow;
};

/* `max` in bytes, at most 1 GiB. Nothing is allocated yet. */
void buf_init(struct buf *b, size_t max);
/* Frees; the buffer is as after buf_init. */
void buf_done(struct buf *b);
/* Forgets the content and a former overflow, keeps the memory. */
void buf_clear(struct buf *b);
static inline bool buf_ok(const struct buf *b)
{
    return !b->overflow;
}
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->p, b->n};
}
/* Hands the bytes over to the caller, who frees them with free(); the buffer is empty afterwards. Never
 * NULL. */
char *buf_take(struct buf *b, size_t *n) __attribute__((warn_unused_result));

/* The way for what does not fit the memory that is there; use buf_add(). */
void buf_add_slow(struct buf *b, const void *bytes, size_t n);

/* The usual case, room left, stands here: JSON and RESP are written a few bytes at a time. */
static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (b->overflow || b->n + n >= b->cap) {
        buf_add_slow(b, bytes, n);
        return;
    }
    if (n > 0)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}
static inline void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}
static inline void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}
static inline void buf_addspan(struct buf *b, struct span s)
{
    buf_add(b, s.p, s.n);
}
void buf_addint(struct buf *b, int64_t value); /* decimal, faster than printf */
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
/* Room for n more bytes at the returned place (NULL on overflow); buf_grew() says how many were written. */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

#endif
