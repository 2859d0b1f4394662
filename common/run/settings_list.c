#include "common/run/settings_list.h"

#include <string.h>

#include "common/base/mem.h"

int settings_list_fits(const char *text, struct err *err)
{
    size_t n = strlen(text);
    if (n == 0 || text[0] == ',' || text[n - 1] == ',' || strstr(text, ",,"))
        return err_set(err, ERR_CONFIG, "expected one or more with commas between, none of them empty");
    return 0;
}

struct span *settings_list_split(const char *text, size_t *n)
{
    struct span *items = NULL;
    *n = 0;
    while (text) {
        const char *comma = strchr(text, ',');
        items = mem_realloc(items, (*n + 1) * sizeof *items);
        items[(*n)++] = comma ? span_of(text, (size_t)(comma - text)) : span_str(text);
        text = comma ? comma + 1 : NULL;
    }
    return items;
}
