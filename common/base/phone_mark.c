#include "common/base/phone_mark.h"

#include <glib.h>

#include "common/base/number.h"

static enum phone_mark_kind kind_of_ascii(char c)
{
    if (phone_ascii_digit(c))
        return MARK_DIGIT;
    if (phone_ascii_letter(c))
        return MARK_LETTER;
    switch (c) {
    case '+':
        return MARK_PLUS;
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case '-':
    case '.':
    case '_':
    case '(':
    case ')':
    case '[':
    case ']':
        return MARK_JOINT;
    case '/': /* these stand between other things more often */
    case ',':
        return MARK_WEAK_JOINT;
    default:
        return MARK_OTHER;
    }
}

/* Signs that are used as a dash, a dot or a plus although Unicode files them elsewhere; blanks that it calls
 * letters. */
static enum phone_mark_kind kind_of_special(uint32_t c)
{
    switch (c) {
    case 0x2795:
        return MARK_PLUS;
    case 0x00B7:
    case 0x2022:
    case 0x2027:
    case 0x2212:
    case 0x2219:
    case 0x22C5:
    case 0x3002:
    case 0x30FB:
    case 0x30FC:
        return MARK_JOINT;
    case 0x115F:
    case 0x1160:
    case 0x2800:
    case 0x3164:
    case 0xFFA0:
        return MARK_INVISIBLE;
    default:
        return MARK_OTHER;
    }
}

static enum phone_mark_kind kind_by_category(uint32_t c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_SPACE_SEPARATOR:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_DASH_PUNCTUATION:
        return MARK_JOINT;
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
        return MARK_INVISIBLE;
    default:
        return kind_of_special(c);
    }
}

/* Fullwidth, superscript, circled: what is another form of ASCII is that. */
static char ascii_form(uint32_t c)
{
    gunichar form[8];
    gsize n = g_unichar_fully_decompose(c, TRUE, form, 8);
    for (gsize i = 0; i < n && i < 8; i++) {
        if (form[i] < 0x80 && (n == 1 || phone_ascii_digit((char)form[i])))
            return (char)form[i];
    }
    return '\0';
}

static struct phone_mark mark_of_ascii(char c, size_t n)
{
    return (struct phone_mark){kind_of_ascii(c), c - '0', n, c};
}

static struct phone_mark mark_of(uint32_t c, size_t n)
{
    if (c < 0x80)
        return mark_of_ascii((char)c, n);
    int digit = g_unichar_digit_value(c);
    if (digit >= 0)
        return (struct phone_mark){.kind = MARK_DIGIT, .digit = digit, .n = n};
    char form = ascii_form(c);
    return form != '\0' ? mark_of_ascii(form, n) : (struct phone_mark){.kind = kind_by_category(c), .n = n};
}

int32_t phone_mark_hex(struct span text, size_t at, size_t n)
{
    int32_t value = 0;
    if (at + n > text.n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int digit = number_hex_digit(text.p[at + i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* %2B, and %D9%A1 as the character that both make. */
static struct phone_mark percent_mark(struct span text, size_t at)
{
    char bytes[4];
    size_t n = 0;
    for (; n < sizeof bytes && at + 3 * n < text.n && text.p[at + 3 * n] == '%'; n++) {
        int32_t byte = phone_mark_hex(text, at + 3 * n + 1, 2);
        if (byte < 0)
            break;
        bytes[n] = (char)byte;
    }
    if (n == 0)
        return (struct phone_mark){.n = 1};
    size_t used = span_utf8_char(span_of(bytes, n));
    return used > 0 ? mark_of(g_utf8_get_char(bytes), 3 * used) : (struct phone_mark){.n = 3};
}

/* JSON's \u0660, also as a pair of surrogates, and its \n, \t, \r. */
static struct phone_mark escape_mark(struct span text, size_t at)
{
    char next = '\0';
    if (at + 1 < text.n)
        next = text.p[at + 1];
    if (next == 'n' || next == 't' || next == 'r')
        return (struct phone_mark){.kind = MARK_JOINT, .n = 2};
    int32_t c = next == 'u' ? phone_mark_hex(text, at + 2, 4) : -1;
    if (c < 0)
        return (struct phone_mark){.n = 1};
    bool paired = c >= 0xD800 && c < 0xDC00 && at + 7 < text.n && text.p[at + 6] == '\\';
    int32_t low = paired && text.p[at + 7] == 'u' ? phone_mark_hex(text, at + 8, 4) : -1;
    if (low >= 0xDC00 && low < 0xE000)
        return mark_of(0x10000 + (((uint32_t)c - 0xD800) << 10) + ((uint32_t)low - 0xDC00), 12);
    return mark_of((uint32_t)c, 6);
}

struct phone_mark phone_mark_at(struct span text, size_t at)
{
    char c = text.p[at];
    if (c == '%')
        return percent_mark(text, at);
    if (c == '\\')
        return escape_mark(text, at);
    if ((unsigned char)c < 0x80)
        return mark_of_ascii(c, 1);
    size_t n = span_utf8_char(span_of(text.p + at, text.n - at));
    return n > 0 ? mark_of(g_utf8_get_char(text.p + at), n) : (struct phone_mark){.n = 1};
}
