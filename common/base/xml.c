#include "common/base/xml.h"

#include <stdbool.h>
#include <string.h>

static const char *escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return (unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? " " : NULL;
    }
}

/* Of what is UTF-8 only these two are outside XML's Char: surrogates have no form there, and the other
 * noncharacters (U+FDD0, U+1FFFE, ...) are allowed. */
static bool is_char(const char *p, size_t n)
{
    return !(n == 3 && memcmp(p, "\xEF\xBF", 2) == 0 && (unsigned char)p[2] >= 0xBE);
}

void xml_add_text(struct buf *b, struct span text)
{
    for (size_t i = 0, n; i<text.n; i += n> 0 ? n : 1) {
        n = span_utf8_char(span_of(text.p + i, text.n - i));
        const char *escaped = n == 1 ? escape(text.p[i]) : NULL;
        if (escaped)
            buf_adds(b, escaped);
        else if (n > 0 && is_char(text.p + i, n))
            buf_add(b, text.p + i, n);
    }
}
