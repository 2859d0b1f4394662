#include "workers/providers/fields.h"

#include <string.h>
#include <strings.h>

enum { NUMBER_DIGITS = 9, NUMBER_MAX = 999999999, TYPE_SHOWN = 80 };

int64_t fields_number(struct span text)
{
    int64_t value = 0;
    if (text.n == 0 || text.n > NUMBER_DIGITS)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        value = value * 10 + (text.p[i] - '0');
    }
    return value;
}

int64_t fields_json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= NUMBER_MAX)
        return json_integer_value(value);
    return fields_number(json_get_span(object, key));
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

bool fields_add_id(struct buf *out, struct span id)
{
    struct evidence ev; /* it knows what an id may look like */
    evidence_init(&ev);
    if (!evidence_set_provider_call_id(&ev, id))
        return false;
    buf_adds(out, ev.provider_call_id);
    return true;
}
