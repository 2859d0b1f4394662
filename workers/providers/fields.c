#include "workers/providers/fields.h"

#include <string.h>
#include <strings.h>

#include "common/base/number.h"

enum { NUMBER_DIGITS = 9, NUMBER_MAX = 999999999, TYPE_SHOWN = 80 };

int64_t fields_number(struct span text)
{
    int64_t value;
    return text.n <= NUMBER_DIGITS && number_read(text, 0, NUMBER_MAX, &value) ? value : -1;
}

int64_t fields_json_number(const json_t *object, const char *key)
{
    int64_t whole;
    if (json_whole(json_object_get(object, key), &whole) && whole >= 0 && whole <= NUMBER_MAX)
        return whole;
    return fields_number(json_get_span(object, key));
}

static int need_text(const char *name, struct span text, struct err *err)
{
    if (text.n > 0 && memchr(text.p, '\0', text.n))
        return err_set(err, ERR_INVALID, "%s: holds a NUL character", name);
    if (!span_utf8(text))
        return err_set(err, ERR_INVALID, "%s: holds bytes that are not UTF-8", name);
    return 0;
}

int fields_need_value(const char *name, struct span value, struct err *err)
{
    if (value.n > 0 && memchr(value.p, '%', value.n)) /* words and ids have none of their own */
        return err_set(err, ERR_INVALID, "%s: holds a malformed %%-escape", name);
    return need_text(name, value, err);
}

int fields_need(const struct form *form, const char *const *names, struct err *err)
{
    for (; *names; names++)
        if (fields_need_value(*names, form_get(form, *names), err) != 0)
            return ERR_INVALID;
    return 0;
}

int fields_json_need(const json_t *object, const char *const *names, struct err *err)
{
    for (; *names; names++) {
        if (json_odd(json_object_get(object, *names)) == JSON_DOUBLED)
            return err_set(err, ERR_INVALID, "%s: is there twice, with different values", *names);
        if (need_text(*names, json_get_span(object, *names), err) != 0)
            return ERR_INVALID;
    }
    return 0;
}

bool fields_is_form(struct span content_type)
{
    static const struct span form = SPAN_LIT(FIELDS_FORM_TYPE);
    return content_type.n == 0 ||
           (content_type.n >= form.n && strncasecmp(content_type.p, form.p, form.n) == 0);
}

int fields_read_form(struct form *form, const struct callback *callback, struct err *err)
{
    bool get = callback->method && strcmp(callback->method, "GET") == 0 && callback->query.n > 0;
    struct span type = callback->content_type;
    *form = (struct form){0};
    if (!get && !fields_is_form(type))
        return err_set(err, ERR_INVALID, "content-type: \"%.*s\", expected " FIELDS_FORM_TYPE,
                       (int)(type.n < TYPE_SHOWN ? type.n : TYPE_SHOWN), type.p);
    if (form_parse(form, get ? callback->query : callback->body, err) == 0)
        return 0;
    if (err)
        err->code = ERR_INVALID; /* too large is unreadable too */
    return ERR_INVALID;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span fields_sentence(struct span body)
{
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};
    if (body.n >= sizeof mark && memcmp(body.p, mark, sizeof mark) == 0)
        body = span_of(body.p + sizeof mark, body.n - sizeof mark);
    while (body.n > 0 && is_space(body.p[0]))
        body = span_of(body.p + 1, body.n - 1);
    while (body.n > 0 && is_space(body.p[body.n - 1]))
        body.n--;
    for (size_t i = 0; i < body.n; i++) {
        if (((unsigned char)body.p[i] < ' ' && !is_space(body.p[i])) || body.p[i] == 0x7F)
            return SPAN_NONE;
    }
    return body.n > 0 && body.p[0] != '<' ? body : SPAN_NONE;
}

bool fields_add_id(struct buf *out, struct span id)
{
    struct evidence ev; /* it knows what an id may look like */
    evidence_init(&ev);
    if (!evidence_set_provider_call_id(&ev, id))
        return false;
    buf_adds(out, ev.provider_call_id);
    return true;
}
