#include "common/base/pii.h"

#include <stdlib.h>

#include "common/base/mem.h"

static struct {
    enum phone_shown shown;
    struct span key; /* owned */
} pii;

void pii_setup(enum phone_shown shown, struct span key)
{
    char *old = (char *)(uintptr_t)pii.key.p;
    pii.shown = shown;
    pii.key = key.n > 0 ? span_of(mem_strndup(key.p, key.n), key.n) : SPAN_NONE;
    free(old);
}

void pii_add_number(struct buf *b, struct span number)
{
    phone_add_shown(b, number, pii.shown, pii.key);
}

void pii_add_text(struct buf *b, struct span text)
{
    phone_add_masked_text(b, text, pii.shown, pii.key);
}

void pii_add_would_be_number(struct buf *b, struct span text)
{
    size_t before = b->n;
    pii_add_text(b, text);
    if (!buf_ok(b) || !span_eq(span_of(b->p + before, b->n - before), text))
        return;
    b->n = before;
    pii_add_number(b, text);
}
