#include "common/xml.h"

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
    default: /* XML 1.0 cannot say other control characters, not even escaped */
        return (unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? " " : NULL;
    }
}

void xml_add_text(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        const char *escaped = escape(text.p[i]);
        if (escaped)
            buf_adds(b, escaped);
        else
            buf_addc(b, text.p[i]);
    }
}
