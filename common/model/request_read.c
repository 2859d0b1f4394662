#include "common/model/request_read.h"

#include <stdio.h>
#include <string.h>

#include "common/base/pii.h"
#include "common/base/url.h"

enum {
    MAX_FIELDS = 20,
    SHOWN_MAX = 60, /* bytes of a bad value that a sentence quotes */
};

/* A text that is in part a guess must not decide whom we call or what the contact hears. */
static bool is_readable(struct span text)
{
    return span_utf8(text) && (text.n == 0 || !memchr(text.p, '\0', text.n));
}

struct span request_text(const json_t *value)
{
    struct span text = json_text(value);
    return is_readable(text) ? text : SPAN_NONE;
}

/* At most SHOWN_MAX bytes, cut at a character, and before one that cannot be read. */
static struct span start_of(struct span text)
{
    size_t n = 0, step;
    while (n < text.n && text.p[n] != '\0' && (step = span_utf8_char(span_of(text.p + n, text.n - n))) > 0 &&
           n + step <= SHOWN_MAX)
        n += step;
    return span_of(text.p, n);
}

static bool is_one_of(const char *field, const char *const *names)
{
    while (*names != NULL && strcmp(field, *names) != 0)
        names++;
    return *names != NULL;
}

/* A URL may hold somebody's password, or be one that lets everybody in who has it. */
static void add_text(struct buf *b, const char *field, struct span text)
{
    static const char *const numbers[] = {"to", "from", NULL};
    static const char *const urls[] = {"message.play", "message.answer_url", NULL};
    struct span start = start_of(text);
    buf_addc(b, '"');
    if (is_one_of(field, urls)) {
        url_add_shown(b, text);
        start = text;
    } else if (is_one_of(field, numbers)) {
        pii_add_would_be_number(b, start);
    } else {
        pii_add_text(b, start);
    }
    buf_adds(b, start.n < text.n ? "...\"" : "\"");
}

static void add_shown(struct buf *b, const char *field, const json_t *value)
{
    char number[48];
    if (json_is_string(value)) {
        add_text(b, field, json_text(value));
        return;
    }
    if (json_odd(value) == JSON_BIG) {
        pii_add_text(b, start_of(json_big_number(value)));
        return;
    }
    if (json_odd(value) != JSON_PLAIN) {
        buf_adds(b, json_odd(value) == JSON_DEEP ? "nested deeper than 256 levels"
                                                 : "is there twice, with different values");
        return;
    }
    if (json_is_number(value)) { /* which may be a phone number as well */
        if (json_is_integer(value))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        else
            snprintf(number, sizeof number, "%.15g", json_real_value(value));
        pii_add_text(b, span_str(number));
        return;
    }
    buf_adds(b, json_is_object(value)  ? "an object"
                : json_is_array(value) ? "an array"
                : json_is_true(value)  ? "true"
                : json_is_false(value) ? "false"
                                       : "null");
}

int request_refuse(struct request_reading *in, const char *field, const json_t *value, const char *expected)
{
    struct buf shown;
    snprintf(in->field, REQUEST_FIELD_MAX, "%s", field);
    if (!*field)
        field = "the request";
    if (!value)
        return err_set(in->err, ERR_INVALID, "%s: is missing, expected %s", field, expected);
    if (json_is_string(value) && !is_readable(json_text(value))) {
        in->unreadable = true;
        expected = "UTF-8 without lone surrogates and NUL characters";
    } else if (json_odd(value) == JSON_DOUBLED) {
        expected = "it once";
    }
    buf_init(&shown, 512);
    add_shown(&shown, in->field, value);
    err_set(in->err, ERR_INVALID, "%s: %s, expected %s", field, shown.p, expected);
    buf_done(&shown);
    return ERR_INVALID;
}

void request_note_unknown(struct request_reading *in, const char *object, const char *name)
{
    struct request *request = in->request;
    if (request->unknown_n == REQUEST_MAX_UNKNOWN)
        return;
    char *text = in->unknown[request->unknown_n];
    int n = snprintf(text, REQUEST_FIELD_MAX, "%s%s%s", object, *object ? "." : "", name);
    struct span shown = span_of(text, n < REQUEST_FIELD_MAX ? (size_t)n : REQUEST_FIELD_MAX - 1);
    while (!span_utf8(shown)) /* cut inside a character */
        shown.n--;
    request->unknown[request->unknown_n++] = shown;
}

int request_check_single(struct request_reading *in, const char *object, const char *name,
                         const json_t *value)
{
    char field[REQUEST_FIELD_MAX];
    if (json_odd(value) != JSON_DOUBLED)
        return 0;
    snprintf(field, sizeof field, "%s%s%s", object, *object ? "." : "", name);
    return request_refuse(in, field, value, "");
}

int request_read_whole(struct request_reading *in, const char *field, const json_t *value, int min, int max,
                       int *out)
{
    char expected[64];
    if (!value)
        return 0;
    int64_t number;
    if (json_whole(value, &number) && number >= min && number <= max) {
        *out = (int)number;
        return 0;
    }
    snprintf(expected, sizeof expected, "a whole number from %d to %d", min, max);
    return request_refuse(in, field, value, expected);
}

bool request_is_object(const json_t *value)
{
    return json_is_object(value) && json_odd(value) == JSON_PLAIN;
}

json_t *request_mutable(const json_t *value)
{
    union {
        const json_t *given;
        json_t *wanted;
    } same = {.given = value};
    return same.wanted;
}

int request_read_object(struct request_reading *in, const char *object_name, const json_t *object,
                        const struct request_field *fields)
{
    const json_t *values[MAX_FIELDS] = {NULL};
    const char *name;
    json_t *value;
    json_object_foreach(request_mutable(object), name, value)
    {
        size_t i = 0;
        while (fields[i].name && strcmp(fields[i].name, name) != 0)
            i++;
        if (!fields[i].name)
            request_note_unknown(in, object_name, name);
        else if (!json_is_null(value))
            values[i] = value;
    }
    for (size_t i = 0; fields[i].name; i++) {
        int rc = request_check_single(in, object_name, fields[i].name, values[i]);
        if (rc == 0)
            rc = fields[i].read(in, values[i]);
        if (rc)
            return rc;
    }
    return 0;
}
