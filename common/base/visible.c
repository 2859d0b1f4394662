#include "common/base/visible.h"

#include <stdint.h>

static uint32_t code_point(const char *p, size_t n)
{
    static const unsigned char lead[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = (unsigned char)p[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3F);
    return c;
}

static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* Bytes from `at` on that stand for themselves. */
static size_t plain_run(struct span text, size_t at, bool lines)
{
    size_t i = at;
    while (i < text.n) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c < 0x7F) {
            i++;
            continue;
        }
        if (lines && (c == '\n' || c == '\t')) {
            i++;
            continue;
        }
        size_t n = span_utf8_char(span_of(text.p + i, text.n - i));
        if (n < 2 || is_hidden(code_point(text.p + i, n)))
            break;
        i += n;
    }
    return i - at;
}

static void add(struct buf *b, struct span text, bool lines)
{
    for (size_t at = 0; at < text.n;) {
        size_t run = plain_run(text, at, lines);
        buf_add(b, text.p + at, run);
        at += run;
        if (at == text.n)
            return;
        size_t n = span_utf8_char(span_of(text.p + at, text.n - at));
        if (n == 0)
            buf_adds(b, "\xEF\xBF\xBD");
        else
            buf_addf(b, "\\u%04x", (unsigned)code_point(text.p + at, n));
        at += n > 0 ? n : 1;
    }
}

bool visible_is(struct span text)
{
    return plain_run(text, 0, false) == text.n;
}

bool visible_is_lines(struct span text)
{
    return plain_run(text, 0, true) == text.n;
}

void visible_add(struct buf *b, struct span text)
{
    add(b, text, false);
}

void visible_add_lines(struct buf *b, struct span text)
{
    add(b, text, true);
}
