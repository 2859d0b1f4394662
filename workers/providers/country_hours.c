#include "workers/providers/country_hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { FIELD_MAX = 128 };

static void check_members(struct channels_reader *r, const char *prefix, json_t *object)
{
    char field[FIELD_MAX];
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        int m = 0;
        while (m < HOURS_MEMBERS && strcmp(hours_member_name((enum hours_member)m), name) != 0)
            m++;
        snprintf(field, sizeof field, "%s.%s", prefix, name);
        if (m == HOURS_MEMBERS)
            reader_problem(r, field, "no such field");
    }
}

static void read_window(struct channels_reader *r, struct hours *hours, const char *code, json_t *object)
{
    char prefix[FIELD_MAX / 2], field[FIELD_MAX];
    snprintf(prefix, sizeof prefix, "calling_hours.%s", code);
    if (!json_is_object(object)) {
        reader_problem(r, prefix, "expected an object with timezone, from and to");
        return;
    }
    check_members(r, prefix, object);
    for (int m = 0; m < HOURS_MEMBERS; m++) {
        const char *name = hours_member_name((enum hours_member)m);
        const json_t *value = json_object_get(object, name);
        const char *expected = hours_read(hours, (enum hours_member)m, &value);
        snprintf(field, sizeof field, "%s.%s", prefix, name);
        if (expected && json_is_string(value))
            reader_problem(r, field, "\"%.60s\", expected %s", json_string_value(value), expected);
        else if (expected)
            reader_problem(r, field, "%sexpected %s", value ? "" : "is missing, ", expected);
    }
}

void country_hours_read(struct channels_reader *r, struct country_hours *all, json_t *object)
{
    const char *code;
    json_t *value;
    if (!object)
        return;
    if (!json_is_object(object)) {
        reader_problem(r, "calling_hours",
                       "expected an object with a window for each country code, like \"254\"");
        return;
    }
    all->items = mem_calloc(json_object_size(object) + 1, sizeof *all->items);
    json_object_foreach(object, code, value)
    {
        struct country_window *window = &all->items[all->n++];
        window->code = mem_strdup(code);
        if (reader_country_code(span_str(code)))
            read_window(r, &window->hours, code, value);
        else
            reader_problem(r, "calling_hours", "\"%.60s\", expected digits like \"254\"", code);
    }
}

void country_hours_done(struct country_hours *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->items[i].code);
    free(all->items);
}

const struct hours *country_hours_find(const struct country_hours *all, struct span number)
{
    const struct hours *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < all->n && number.n > 0; i++) {
        const struct country_window *window = &all->items[i];
        size_t n = strlen(window->code);
        if (n > longest && n < number.n && memcmp(number.p + 1, window->code, n) == 0) {
            longest = n;
            found = &window->hours;
        }
    }
    return found;
}
