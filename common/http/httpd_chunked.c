#include "common/http/httpd_chunked.h"

#include <stdbool.h>

#include "common/base/number.h"
#include "common/http/httpd_head.h"

enum { MAX_DIGITS = 15 };

enum state {
    SIZE, /* digits */
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* at the start of a line */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    BAD,
};

static bool is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7F);
}

static enum state in_size(struct chunked *c, char byte)
{
    int digit = number_hex_digit(byte);
    if (digit >= 0) {
        c->left = c->left * 16 + (uint64_t)digit;
        return ++c->digits > MAX_DIGITS ? BAD : SIZE;
    }
    if (c->digits == 0)
        return BAD;
    if (byte == ';')
        return EXTENSION;
    return byte == '\r' ? SIZE_LF : BAD;
}

static enum state in_extension(struct chunked *c, char byte)
{
    if (byte == '\r')
        return SIZE_LF;
    return is_text(byte) && ++c->line_n <= CHUNKED_MAX_LINE ? EXTENSION : BAD;
}

static enum state in_name(char byte)
{
    if (byte == ':')
        return VALUE;
    return httpd_is_token(byte) ? NAME : BAD;
}

static enum state in_value(char byte)
{
    if (byte == '\r')
        return VALUE_LF;
    return is_text(byte) ? VALUE : BAD;
}

/* The state after a byte that is no data. */
static enum state after(struct chunked *c, char byte)
{
    switch ((enum state)c->state) {
    case SIZE:
        return in_size(c, byte);
    case EXTENSION:
        return in_extension(c, byte);
    case SIZE_LF:
        c->digits = c->line_n = 0;
        return byte != '\n' ? BAD : c->left > 0 ? DATA : TRAILER;
    case DATA_CR:
        return byte == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        return byte == '\n' ? SIZE : BAD;
    case TRAILER:
        if (byte == '\r')
            return END_LF;
        return httpd_is_token(byte) ? NAME : BAD;
    case NAME:
        return in_name(byte);
    case VALUE:
        return in_value(byte);
    case VALUE_LF:
        return byte == '\n' ? TRAILER : BAD;
    case DATA:
    case END_LF:
    case BAD:
        break;
    }
    return BAD;
}

static struct span cut(struct span *in, size_t n)
{
    struct span head = span_of(in->p, n);
    *in = span_of(in->p + n, in->n - n);
    return head;
}

enum chunked_step chunked_next(struct chunked *c, struct span *in, struct span *data)
{
    while (in->n > 0 && c->state != BAD) {
        if (c->state == DATA) {
            *data = cut(in, c->left < in->n ? (size_t)c->left : in->n);
            c->left -= data->n;
            c->state = c->left > 0 ? DATA : DATA_CR;
            return CHUNKED_DATA;
        }
        char byte = cut(in, 1).p[0];
        if (c->state == END_LF && byte == '\n')
            return CHUNKED_END;
        c->state = after(c, byte);
        if (c->state >= TRAILER && ++c->trailer_n > CHUNKED_MAX_TRAILER)
            c->state = BAD;
    }
    return c->state == BAD ? CHUNKED_BAD : CHUNKED_MORE;
}
