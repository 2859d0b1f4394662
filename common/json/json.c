#include "common/json/json.h"

#include <string.h>

#include "common/base/clock.h"

void json_sep(struct buf *b)
{
    if (b->n == 0)
        return;
    char last = b->p[b->n - 1];
    if (last != '{' && last != '[' && last != ':')
        buf_addc(b, ',');
}

void json_key(struct buf *b, const char *key)
{
    size_t n = strlen(key);
    json_sep(b);
    char *to = buf_room(b, n + 3);
    if (!to)
        return;
    to[0] = '"';
    memcpy(to + 1, key, n);
    to[n + 1] = '"';
    to[n + 2] = ':';
    buf_grew(b, n + 3);
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The high bit of each byte that is zero; bits above the first hit may be wrong, which is why only "any" is
 * asked. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* Eight bytes at once: none is a control, a quote, a backslash or outside ASCII. */
static bool plain_word(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t word;
    memcpy(&word, p, sizeof word);
    uint64_t control = (word - ones * 0x20) & ~word;
    return ((word | control | zero_bytes(word ^ (ones * '"')) | zero_bytes(word ^ (ones * '\\'))) & high) ==
           0;
}

/* How many bytes from the start of `text` can be copied as they are. Most strings are ids: all of them. */
static size_t plain_run(struct span text)
{
    size_t i = 0;
    while (i + 8 <= text.n && plain_word(text.p + i))
        i += 8;
    while (i < text.n) {
        if (plain((unsigned char)text.p[i])) {
            i++;
            continue;
        }
        size_t step = (unsigned char)text.p[i] < 0x80 ? 0 : span_utf8_char(span_of(text.p + i, text.n - i));
        if (step == 0)
            break;
        i += step;
    }
    return i;
}

/* One byte that cannot stand for itself. */
static void add_escape(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", shorts[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *found = c ? strchr(shorts, c) : NULL;
    if (c == 0 || c >= 0x80) {
        buf_adds(b, "\xEF\xBF\xBD");
    } else if (found) {
        buf_add(b, (const char[]){'\\', letters[found - shorts]}, 2);
    } else {
        buf_add(b, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

void json_str(struct buf *b, struct span text)
{
    size_t run = plain_run(text);
    char *to = buf_room(b, run + 2);
    if (!to)
        return;
    *to = '"';
    if (run)
        memcpy(to + 1, text.p, run);
    buf_grew(b, run + 1);
    while (run < text.n) {
        add_escape(b, (unsigned char)text.p[run]);
        text = span_of(text.p + run + 1, text.n - run - 1);
        run = plain_run(text);
        buf_add(b, text.p, run);
    }
    buf_addc(b, '"');
}

void json_kstr(struct buf *b, const char *key, struct span text)
{
    json_key(b, key);
    json_str(b, text);
}

void json_kstrz(struct buf *b, const char *key, const char *text)
{
    if (text)
        json_kstr(b, key, span_str(text));
    else
        json_knull(b, key);
}

void json_kint(struct buf *b, const char *key, int64_t value)
{
    json_key(b, key);
    buf_addint(b, value);
}

void json_kbool(struct buf *b, const char *key, bool value)
{
    json_key(b, key);
    buf_addspan(b, value ? SPAN_LIT("true") : SPAN_LIT("false"));
}

void json_knull(struct buf *b, const char *key)
{
    json_key(b, key);
    buf_addspan(b, SPAN_LIT("null"));
}

void json_ktime(struct buf *b, const char *key, int64_t wall_ms)
{
    if (wall_ms <= 0) {
        json_knull(b, key);
        return;
    }
    json_key(b, key);
    buf_addc(b, '"');
    clock_add_rfc3339(b, wall_ms);
    buf_addc(b, '"');
}

void json_kraw(struct buf *b, const char *key, struct span json)
{
    json_key(b, key);
    buf_addspan(b, json);
}

void json_ktext(struct buf *b, const char *key, struct span text)
{
    if (text.n > 0)
        json_kstr(b, key, text);
    else
        json_knull(b, key);
}

void json_kcount(struct buf *b, const char *key, int64_t count)
{
    if (count >= 0)
        json_kint(b, key, count);
    else
        json_knull(b, key);
}

void json_kmicros(struct buf *b, const char *key, int64_t micros)
{
    json_key(b, key);
    json_micros(b, micros);
}

void json_micros(struct buf *b, int64_t micros)
{
    uint64_t size = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
    char fraction[7] = {'.'};
    size_t digits = 6;
    uint64_t rest = size % 1000000;
    for (size_t i = digits; i >= 1; i--) {
        fraction[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    while (digits > 0 && fraction[digits] == '0')
        digits--;
    buf_adds(b, micros < 0 ? "\"-" : "\"");
    buf_addint(b, (int64_t)(size / 1000000));
    buf_add(b, fraction, digits ? digits + 1 : 0);
    buf_addc(b, '"');
}

void json_kcost(struct buf *b, const char *key, int64_t micros, struct span currency)
{
    if (micros < 0) {
        json_knull(b, key);
        return;
    }
    json_key(b, key);
    buf_addc(b, '{');
    json_kmicros(b, "amount", micros);
    json_kstr(b, "currency", currency);
    buf_addc(b, '}');
}

/* ---- values ---- */

struct span json_text(const json_t *value)
{
    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value)) : SPAN_NONE;
}

struct span json_get_span(const json_t *object, const char *key)
{
    return json_text(json_object_get(object, key));
}

/* What a double holds without gaps: beyond it "whole" says nothing about what the sender meant. */
static const double WHOLE_MAX = 9007199254740992.0;

bool json_whole(const json_t *value, int64_t *whole)
{
    if (json_is_integer(value)) {
        *whole = json_integer_value(value);
        return true;
    }
    double real = json_real_value(value);
    if (!json_is_real(value) || !(real >= -WHOLE_MAX && real <= WHOLE_MAX) || real != (double)(int64_t)real)
        return false;
    *whole = (int64_t)real;
    return true;
}
