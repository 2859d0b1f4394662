/*
 * Reading JSON into jansson's values. Not with jansson's own reader, which refuses a whole document for one
 * number that it cannot hold, a lone surrogate or a byte that is no UTF-8, wherever that stands, and does not
 * say which key is there twice.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/json/json_memory.h"
#include "common/json/json_read.h"

enum {
    /* Deeper than anybody means it, and as far as recursion here, in jansson and in what our consumers read
     * with (a thousand levels at most) is safe. */
    MAX_DEPTH = 256,
    DIGITS_MAX = 17, /* as many as whoever writes a double needs */
    NUMBER_MAX = 64, /* bytes of a number that becomes a double: a longer one is kept as text */
};

struct json_reader {
    const char *start, *p, *end;
    enum json_manner manner;
    int depth;
    struct buf text; /* the last string that had escapes */
    struct err *err;
};

/* ---- errors ---- */

static bool fail_as(struct json_reader *r, enum err_code code, const char *at, const char *what)
{
    size_t line = 1;
    const char *line_start = r->start;
    for (const char *p = r->start; p < at; p++) {
        if (*p == '\n') {
            line++;
            line_start = p + 1;
        }
    }
    err_set(r->err, code, "%s at line %zu, column %zu", what, line, (size_t)(at - line_start) + 1);
    return false;
}

/* Content is never quoted: it may be somebody's phone number. */
static bool fail(struct json_reader *r, const char *at, const char *what)
{
    if (at >= r->end)
        return fail_as(r, ERR_INVALID, r->end, "the JSON ends too early");
    if (*at == '\0') {
        err_set(r->err, ERR_INVALID, "a NUL byte at byte %zu", (size_t)(at - r->start));
        return false;
    }
    return fail_as(r, ERR_INVALID, at, what);
}

static json_t *no_value(struct json_reader *r, const char *at, const char *what)
{
    fail(r, at, what);
    return NULL;
}

static const char not_json[] = "not valid JSON";

/* ---- strings ---- */

/* Four hexadecimal digits; -1 where they are none. */
static int32_t read_hex4(const char *p, const char *end)
{
    int32_t value = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static void add_code_point(struct buf *b, int32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(lead[n] | c);
    buf_add(b, bytes, n);
}

static bool is_surrogate(int32_t c, int32_t half)
{
    return c >= half && c < half + 0x400;
}

enum { HIGH = 0xD800, LOW = 0xDC00 };

/* What stands after "\u", with its other half where it has one; NULL where it is malformed. */
static const char *add_unicode(struct buf *b, const char *p, const char *end)
{
    int32_t c = read_hex4(p, end), low;
    if (c < 0)
        return NULL;
    p += 4;
    if (is_surrogate(c, HIGH) && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
        is_surrogate(low = read_hex4(p + 2, end), LOW)) {
        c = 0x10000 + ((c - HIGH) << 10) + (low - LOW);
        p += 6;
    }
    if (is_surrogate(c, HIGH) || is_surrogate(c, LOW))
        buf_addc(b, '\xFF'); /* no character: whoever needs the text sees it */
    else
        add_code_point(b, c);
    return p;
}

/* What stands after a backslash; NULL where that is no escape. */
static const char *add_escaped(struct buf *b, const char *p, const char *end)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found = p < end && *p ? strchr(letters, *p) : NULL;
    if (found) {
        buf_addc(b, meant[found - letters]);
        return p + 1;
    }
    return p < end && *p == 'u' ? add_unicode(b, p + 1, end) : NULL;
}

/* From `p` on to the next byte that does not stand for itself. */
static const char *skip_plain(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* A string with escapes, or with bytes that no string may have, from `first` on into r->text. A stranger's
 * broken escape stands for itself, as does a control character. */
static bool unescape(struct json_reader *r, const char *first, struct span *out)
{
    const char *p = first;
    buf_clear(&r->text);
    for (;;) {
        const char *run = p;
        p = skip_plain(p, r->end);
        buf_add(&r->text, run, (size_t)(p - run));
        if (p == r->end)
            return fail(r, p, not_json);
        if (*p == '"')
            break;
        const char *after = *p == '\\' ? add_escaped(&r->text, p + 1, r->end) : NULL;
        if (!after && r->manner != JSON_READ_FOREIGN)
            return fail(r, p, not_json);
        if (!after)
            buf_addc(&r->text, *p);
        p = after ? after : p + 1;
    }
    *out = buf_span(&r->text);
    r->p = p + 1;
    return true;
}

/* r->p is behind the opening quote. `out` lies in the document, or in r->text until the next string. */
static bool read_string(struct json_reader *r, struct span *out)
{
    const char *first = r->p, *p = skip_plain(first, r->end);
    *out = span_of(first, (size_t)(p - first));
    if (p < r->end && *p == '"')
        r->p = p + 1;
    else if (!unescape(r, first, out))
        return false;
    if (r->manner != JSON_READ_STRICT)
        return true;
    if (!span_utf8(*out))
        return fail(r, first, "a string that is not UTF-8");
    if (out->n > 0 && memchr(out->p, '\0', out->n))
        return fail(r, first, "a string with a NUL character (\\u0000)");
    return true;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct span text, size_t from)
{
    size_t n = 0;
    while (from + n < text.n && is_digit(text.p[from + n]))
        n++;
    return n;
}

/* RFC 8259 section 6. *whole: it has neither fraction nor exponent. */
static bool is_number(struct span text, bool *whole)
{
    size_t at = text.n > 0 && text.p[0] == '-', n = digits_at(text, at);
    if (n == 0 || (n > 1 && text.p[at] == '0'))
        return false;
    at += n;
    *whole = at == text.n;
    if (at < text.n && text.p[at] == '.') {
        n = digits_at(text, at + 1);
        at += n + 1;
        if (n == 0)
            return false;
    }
    if (at < text.n && (text.p[at] == 'e' || text.p[at] == 'E')) {
        at++;
        at += at < text.n && (text.p[at] == '+' || text.p[at] == '-');
        n = digits_at(text, at);
        at += n;
        if (n == 0)
            return false;
    }
    return at == text.n;
}

/* The digits of its value, without zeros at either end; more than DIGITS_MAX are counted only. */
static size_t significant_digits(struct span text, char digits[DIGITS_MAX + 1])
{
    size_t n = 0, last = 0;
    for (size_t i = 0; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
        if (!is_digit(text.p[i]) || (n == 0 && text.p[i] == '0'))
            continue;
        if (n < DIGITS_MAX)
            digits[n] = text.p[i];
        n++;
        if (text.p[i] != '0')
            last = n;
    }
    digits[last < DIGITS_MAX ? last : DIGITS_MAX] = '\0';
    return last;
}

static json_t *new_integer(struct span text)
{
    bool minus = text.p[0] == '-';
    uint64_t value = 0, most = (uint64_t)INT64_MAX + minus;
    for (size_t i = minus; i < text.n; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (value > (most - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    return json_integer(minus ? (int64_t)(0 - value) : (int64_t)value);
}

/* Whether the double gives these digits back: DBL_DIG of them always, the last two if a double had been
 * written. */
static bool gives_back(double value, const char *digits, size_t n)
{
    char text[DIGITS_MAX + 16], same[DIGITS_MAX + 1];
    if (n <= DBL_DIG)
        return true;
    snprintf(text, sizeof text, "%.*e", (int)n - 1, value);
    significant_digits(span_str(text), same);
    return strcmp(digits, same) == 0;
}

/* NULL where a double is not this number, but one near it. */
static json_t *new_real(struct span text)
{
    char copy[NUMBER_MAX + 1], digits[DIGITS_MAX + 1];
    size_t n = significant_digits(text, digits);
    if (n > DIGITS_MAX || text.n > NUMBER_MAX)
        return NULL;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    double value = strtod(copy, NULL);
    return n == 0 || (isnormal(value) && gives_back(value, digits, n)) ? json_real(value) : NULL;
}

/* Whatever is written as a number. */
static json_t *read_number(struct json_reader *r)
{
    const char *first = r->p;
    bool whole;
    while (r->p < r->end && (is_digit(*r->p) || strchr("+-.eE", *r->p)) && *r->p)
        r->p++;
    struct span text = span_of(first, (size_t)(r->p - first));
    if (!is_number(text, &whole))
        return r->manner == JSON_READ_FOREIGN ? json_stringn_nocheck(text.p, text.n)
                                              : no_value(r, first, not_json);
    json_t *value = whole ? new_integer(text) : new_real(text);
    return value ? value : json_odd_new(JSON_ODD_BIG, json_stringn_nocheck(text.p, text.n));
}

/* ---- the rest ---- */

static json_t *read_value(struct json_reader *r);

static void skip_space(struct json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static bool take(struct json_reader *r, char c)
{
    skip_space(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool take_word(struct json_reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    return true;
}

static json_t *read_word(struct json_reader *r)
{
    static const char *const not_numbers[] = {"NaN", "Infinity", "-Infinity"}; /* as Python writes them */
    if (take_word(r, "true"))
        return json_true();
    if (take_word(r, "false"))
        return json_false();
    if (take_word(r, "null"))
        return json_null();
    for (size_t i = 0; r->manner == JSON_READ_FOREIGN && i < 3; i++) {
        if (take_word(r, not_numbers[i]))
            return json_null();
    }
    return NULL;
}

/* What is nested too deep to be read is passed over, bracket by bracket. r->p is behind the first one. */
static json_t *skip_deep(struct json_reader *r)
{
    const char *first = r->p - 1;
    for (size_t open = 1; open > 0;) {
        struct span ignored;
        if (r->p == r->end)
            return no_value(r, r->end, not_json);
        char c = *r->p++;
        if (c == '"' && !read_string(r, &ignored))
            return NULL;
        open += c == '{' || c == '[';
        open -= c == '}' || c == ']';
    }
    if (r->manner == JSON_READ_STRICT) {
        fail_as(r, ERR_LIMIT, first, "nested deeper than 256 levels");
        return NULL;
    }
    return json_odd_new(JSON_ODD_DEEP, json_null());
}

static bool read_elements(struct json_reader *r, json_t *array)
{
    if (take(r, ']'))
        return true;
    for (;;) {
        json_t *value = read_value(r);
        if (!value)
            return false;
        json_array_append_new(array, value);
        if (take(r, ']'))
            return true;
        if (!take(r, ','))
            return fail(r, r->p, not_json);
    }
}

/* A key that could not come from a text is ours alone: bad bytes and NULs in one become U+FFFD. */
static void add_key(struct buf *b, struct span key)
{
    while (key.n > 0) {
        size_t step = *key.p ? span_utf8_char(key) : 0;
        buf_addspan(b, step ? span_of(key.p, step) : SPAN_LIT("\xEF\xBF\xBD"));
        step = step ? step : 1;
        key = span_of(key.p + step, key.n - step);
    }
}

/* `value` is taken over. */
static bool put(struct json_reader *r, json_t *object, struct span key, json_t *value, const char *at)
{
    json_t *old = json_object_getn(object, key.p, key.n);
    if (old && r->manner == JSON_READ_STRICT) {
        json_decref(value);
        return fail(r, at, "a key that is there twice in one object");
    }
    if (old && !json_equal(old, value))
        value = json_odd_new(JSON_ODD_DOUBLED, value);
    json_object_setn_new_nocheck(object, key.p, key.n, value);
    return true;
}

static bool read_member(struct json_reader *r, json_t *object)
{
    struct span key;
    struct buf clean;
    const char *at = r->p;
    if (!take(r, '"'))
        return fail(r, r->p, not_json);
    if (!read_string(r, &key))
        return false;
    bool plain = key.p != r->text.p && span_utf8(key);
    buf_init(&clean, 3 * key.n);
    if (!plain) {
        add_key(&clean, key);
        key = buf_span(&clean);
    }
    json_t *value = take(r, ':') ? read_value(r) : no_value(r, r->p, not_json);
    bool done = value && put(r, object, key, value, at);
    buf_done(&clean);
    return done;
}

static bool read_members(struct json_reader *r, json_t *object)
{
    if (take(r, '}'))
        return true;
    for (;;) {
        if (!read_member(r, object))
            return false;
        if (take(r, '}'))
            return true;
        if (!take(r, ','))
            return fail(r, r->p, not_json);
    }
}

static json_t *read_nested(struct json_reader *r, bool object)
{
    if (r->depth == MAX_DEPTH)
        return skip_deep(r);
    r->depth++;
    json_t *value = object ? json_object() : json_array();
    bool done = object ? read_members(r, value) : read_elements(r, value);
    r->depth--;
    if (done)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *read_value(struct json_reader *r)
{
    struct span text;
    skip_space(r);
    if (r->p == r->end)
        return no_value(r, r->end, not_json);
    if (take(r, '{'))
        return read_nested(r, true);
    if (take(r, '['))
        return read_nested(r, false);
    if (take(r, '"'))
        return read_string(r, &text) ? json_stringn_nocheck(text.p, text.n) : NULL;
    json_t *word = read_word(r);
    if (word)
        return word;
    if (is_digit(*r->p) || *r->p == '-' || (r->manner == JSON_READ_FOREIGN && (*r->p == '+' || *r->p == '.')))
        return read_number(r);
    return no_value(r, r->p, not_json);
}

static json_t *read_document(struct json_reader *r)
{
    if (r->manner != JSON_READ_STRICT)
        take_word(r, "\xEF\xBB\xBF");
    skip_space(r);
    if (r->manner != JSON_READ_LENIENT && r->p < r->end && *r->p != '{' && *r->p != '[')
        return no_value(r, r->p, not_json);
    json_t *root = read_value(r);
    skip_space(r);
    if (!root || r->manner == JSON_READ_FOREIGN || r->p == r->end)
        return root;
    json_decref(root);
    return no_value(r, r->p, "something follows the end of the JSON");
}

json_t *json_read(struct span text, size_t max_bytes, enum json_manner manner, struct err *err)
{
    if (text.n > max_bytes) {
        err_set(err, ERR_LIMIT, "%zu bytes of JSON, at most %zu are taken", text.n, max_bytes);
        return NULL;
    }
    if (text.n == 0) {
        err_set(err, ERR_INVALID, "nothing there, expected a JSON object");
        return NULL;
    }
    struct json_reader r = {
        .start = text.p, .p = text.p, .end = text.p + text.n, .manner = manner, .err = err};
    json_memory_use();
    buf_init(&r.text, text.n);
    json_t *root = read_document(&r);
    buf_done(&r.text);
    return root;
}

json_t *json_parse(struct span text, size_t max_bytes, struct err *err)
{
    return json_read(text, max_bytes, JSON_READ_STRICT, err);
}
