/*
 * What common/model/hours.c says of windows and instants, for the tests that hold it against Python's
 * zoneinfo.
 *
 *     ask < questions
 *
 * A question a line: an instant in ms, a blank, a window as in a request. A line out for each: 1 or 0 (open
 * then or not), a blank, the first open instant from then on; or "refused: " and the member.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/json/json.h"
#include "common/model/hours.h"

enum { WINDOW_MAX = 4096 };

static enum hours_member read_window(struct hours *hours, const json_t *window)
{
    enum hours_member member = HOURS_TIMEZONE;
    for (; member < HOURS_MEMBERS; member++) {
        const json_t *value = json_object_get(window, hours_member_name(member));
        if (hours_read(hours, member, &value))
            break;
    }
    return member;
}

static void answer(const json_t *window, int64_t wall_ms)
{
    struct hours hours = {0};
    enum hours_member wrong = read_window(&hours, window);
    if (wrong < HOURS_MEMBERS)
        printf("refused: %s\n", hours_member_name(wrong));
    else
        printf("%d %lld\n", hours_open(&hours, wall_ms), (long long)hours_next_open(&hours, wall_ms));
}

int main(void)
{
    char *line = NULL, *rest;
    size_t size = 0;
    ssize_t n;
    while ((n = getline(&line, &size, stdin)) > 0) {
        struct err err = ERR_INIT;
        long long wall_ms = strtoll(line, &rest, 10);
        json_t *window = json_parse(span_of(rest, (size_t)(line + n - rest)), WINDOW_MAX, &err);
        if (!window) {
            fprintf(stderr, "ask: %s\n", err.text);
            return 2;
        }
        answer(window, wall_ms);
        json_decref(window);
    }
    free(line);
    return 0;
}
