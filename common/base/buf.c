#include "common/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/number.h"

enum { FIRST_CAP = 128 };            /* most rows and keys fit without growing again */
static const size_t MOST = 1U << 30; /* 1 GiB: doubling the capacity can never wrap */

/* What an empty buffer points to. Never written: `cap` is 0 as long as `p` points here. */
static char nothing[1];

void buf_init(struct buf *b, size_t max)
{
    assert(max <= MOST);
    *b = (struct buf){.p = nothing, .max = max};
}

void buf_done(struct buf *b)
{
    if (b->cap)
        free(b->p);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->cap)
        b->p[0] = '\0';
}

char *buf_take(struct buf *b, size_t *n)
{
    char *taken = b->cap ? b->p : mem_strndup("", 0);
    if (n)
        *n = b->n;
    buf_init(b, b->max);
    return taken;
}

static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    b->p = mem_realloc(b->cap ? b->p : NULL, cap);
    b->cap = cap;
    b->p[b->n] = '\0';
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->overflow || n > b->max - b->n) {
        b->overflow = true;
        return NULL;
    }
    if (b->n + n + 1 > b->cap)
        grow(b, b->n + n + 1);
    return b->p + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    assert(b->n + n < b->cap);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_add_slow(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_room(b, n);
    if (!to)
        return;
    memcpy(to, bytes, n);
    buf_grew(b, n);
}

void buf_addint(struct buf *b, int64_t value)
{
    char digits[NUMBER_LEN];
    buf_addspan(b, number_write(digits, value));
}

void buf_addv(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *to = n < 0 ? NULL : buf_room(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        buf_grew(b, (size_t)n);
    } else {
        b->overflow = true;
    }
    va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_addv(b, fmt, args);
    va_end(args);
}
