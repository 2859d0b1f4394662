#include "common/base/pii.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static struct {
    enum phone_shown shown;
    struct span key;  /* owned */
    struct span kept; /* owned; SPAN_NONE: all */
} pii;

void pii_setup(enum phone_shown shown, struct span key)
{
    char *old = (char *)(uintptr_t)pii.key.p;
    pii.shown = shown;
    pii.key = key.n > 0 ? span_of(mem_strndup(key.p, key.n), key.n) : SPAN_NONE;
    free(old);
}

static bool is_listed(struct span list, struct span item)
{
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        if (span_eq(span_of(list.p, n), item))
            return true;
        size_t skip = n + (comma != NULL);
        list = span_of(list.p + skip, list.n - skip);
    }
    return false;
}

void pii_setup_metadata(struct span keys)
{
    char *old = (char *)(uintptr_t)pii.kept.p;
    bool all = keys.n == 0 || is_listed(keys, SPAN_LIT("*"));
    pii.kept = all ? SPAN_NONE : span_of(mem_strndup(keys.p, keys.n), keys.n);
    free(old);
}

bool pii_hides_metadata(void)
{
    return pii.kept.n > 0;
}

bool pii_keeps_metadata(struct span key)
{
    return pii.kept.n == 0 || is_listed(pii.kept, key);
}

bool pii_hash(struct span number, struct buf *out)
{
    if (pii.key.n == 0)
        return false;
    phone_add_shown(out, number, PHONE_HASH, pii.key);
    return true;
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
