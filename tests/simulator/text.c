#include "tests/simulator/text.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"

enum { DAY_MS = 24 * 3600 * 1000 };

struct span sim_cut(struct span *rest, char mark)
{
    const char *found = rest->n ? memchr(rest->p, mark, rest->n) : NULL;
    struct span head = *rest;
    if (found)
        head.n = (size_t)(found - rest->p);
    *rest = found ? span_of(found + 1, rest->n - head.n - 1) : span_of(rest->p + rest->n, 0);
    return head;
}

/* Copies a short text to where strtod and strtoll can read it; false for one that no number is as long as. */
static bool as_string(struct span text, char out[32])
{
    if (text.n == 0 || text.n >= 32 || text.p[0] < '0' || text.p[0] > '9')
        return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return strspn(out, "0123456789.") == text.n;
}

int sim_number_parse(struct span text, const char *what, double most, double *value, struct err *err)
{
    char digits[32] = "", *end = digits;
    double number = -1;
    if (as_string(text, digits))
        number = strtod(digits, &end);
    if (number < 0 || number > most || *end)
        return err_set(err, ERR_INVALID, "%s is \"%.*s\": expected a number from 0 to %g", what,
                       SPAN_ARG(text), most);
    *value = number;
    return 0;
}

int sim_count_parse(struct span text, const char *what, int64_t most, int64_t *value, struct err *err)
{
    if (number_read(text, 0, most, value))
        return 0;
    return err_set(err, ERR_INVALID, "%s is \"%.*s\": expected a whole number from 0 to %lld", what,
                   SPAN_ARG(text), (long long)most);
}

int sim_range_parse(struct span text, const char *what, struct sim_range *range, struct err *err)
{
    const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
    struct span low = dash ? span_of(text.p, (size_t)(dash - text.p)) : text;
    struct span high = dash ? span_of(dash + 1, text.n - low.n - 1) : text;
    int64_t low_ms = 0, high_ms = 0;
    if (sim_count_parse(low, what, DAY_MS, &low_ms, NULL) ||
        sim_count_parse(high, what, DAY_MS, &high_ms, NULL) || low_ms > high_ms)
        return err_set(err, ERR_INVALID, "%s is \"%.*s\": expected milliseconds such as 250 or 20-80", what,
                       SPAN_ARG(text));
    *range = (struct sim_range){low_ms, high_ms};
    return 0;
}

bool sim_xml_understood(struct span document)
{
    while (document.n && strchr(" \t\r\n", document.p[document.n - 1]))
        document.n--;
    const char *opens = document.n ? memmem(document.p, document.n, "<Response", 9) : NULL;
    if (!opens)
        return false;
    struct span rest = span_of(opens, document.n - (size_t)(opens - document.p));
    return (rest.n >= 11 && memcmp(rest.p + rest.n - 11, "</Response>", 11) == 0) ||
           span_is(rest, "<Response/>") || span_is(rest, "<Response />");
}
