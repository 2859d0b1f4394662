#include "common/base/span.h"

#include <stdint.h>

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool span_is_any_case(struct span a, const char *text)
{
    size_t i = 0;
    while (i < a.n && text[i] && lower(a.p[i]) == lower(text[i]))
        i++;
    return i == a.n && !text[i];
}

static bool continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The second byte carries what rules out overlong forms, surrogates and values past U+10FFFF. */
static bool second_fits(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return continues(second);
    }
}

size_t span_utf8_char(struct span s)
{
    if (s.n == 0)
        return 0;
    unsigned char lead = (unsigned char)s.p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size_t want = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (s.n < want || !second_fits(lead, (unsigned char)s.p[1]))
        return 0;
    for (size_t i = 2; i < want; i++) {
        if (!continues((unsigned char)s.p[i]))
            return 0;
    }
    return want;
}

/* How many bytes from `from` on are ASCII, looked at eight at a time: most text is nothing else. */
static size_t ascii_run(struct span s, size_t from)
{
    size_t i = from;
    uint64_t eight;
    for (; i + sizeof(eight) <= s.n; i += sizeof(eight)) {
        memcpy(&eight, s.p + i, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] < 0x80)
        i++;
    return i - from;
}

bool span_utf8(struct span s)
{
    size_t i = ascii_run(s, 0);
    while (i < s.n) {
        size_t step = span_utf8_char(span_of(s.p + i, s.n - i));
        if (step == 0)
            return false;
        i += step;
        i += ascii_run(s, i);
    }
    return true;
}
