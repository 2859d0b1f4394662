#include "common/json/json_array.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct span skip_blanks(struct span text)
{
    size_t i = 0;
    while (i < text.n && is_blank(text.p[i]))
        i++;
    return span_of(text.p + i, text.n - i);
}

static struct span skip(struct span text, size_t n)
{
    return span_of(text.p + n, text.n - n);
}

bool json_array_begin(struct json_array *array, struct span text)
{
    struct span rest = text.n > 0 ? skip_blanks(text) : text;
    *array = (struct json_array){0};
    if (rest.n == 0 || rest.p[0] != '[')
        return false;
    array->rest = skip(rest, 1);
    return true;
}

/* Behind the string whose first quote is at `i`; text.n when it does not end. */
static size_t end_of_string(struct span text, size_t i)
{
    for (i++; i < text.n; i++) {
        if (text.p[i] == '\\')
            i++;
        else if (text.p[i] == '"')
            return i + 1;
    }
    return text.n;
}

/* The comma or bracket behind an element; text.n without one. */
static size_t end_of_element(struct span text, size_t *values)
{
    size_t i = 0, depth = 0;
    *values = 1;
    while (i < text.n) {
        char c = text.p[i];
        if (c == '"') {
            i = end_of_string(text, i);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']'))
            return i;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        *values += c == '{' || c == '[' || c == ',';
        i++;
    }
    return text.n;
}

static enum json_array_step at_end(struct json_array *array)
{
    array->rest = skip_blanks(skip(array->rest, 1));
    return array->rest.n == 0 ? JSON_ARRAY_END : JSON_ARRAY_BAD;
}

enum json_array_step json_array_next(struct json_array *array, struct json_element *element)
{
    array->rest = skip_blanks(array->rest);
    if (array->rest.n == 0)
        return JSON_ARRAY_BAD;
    if (array->rest.p[0] == ']')
        return at_end(array);
    if (array->begun)
        array->rest = skip(array->rest, 1); /* the comma: end_of_element() stopped there */
    array->rest = skip_blanks(array->rest);
    size_t n = end_of_element(array->rest, &element->values);
    if (n == array->rest.n)
        return JSON_ARRAY_BAD;
    element->text = span_of(array->rest.p, n);
    array->rest = skip(array->rest, n);
    array->begun = true;
    while (element->text.n > 0 && is_blank(element->text.p[element->text.n - 1]))
        element->text.n--;
    return element->text.n > 0 ? JSON_ARRAY_ELEMENT : JSON_ARRAY_BAD;
}

size_t json_array_values(struct span text)
{
    size_t values;
    (void)end_of_element(text, &values);
    return values;
}
