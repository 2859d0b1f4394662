/*
 * Calling hours by country code, as the channels file gives them: of calls whose request has none of its own.
 * Private to the channels module: others include channels.h.
 */
#ifndef IVR_PROVIDERS_COUNTRY_HOURS_H
#define IVR_PROVIDERS_COUNTRY_HOURS_H

#include <stddef.h>

#include "common/model/hours.h"
#include "workers/providers/channel_read.h"

struct country_hours {
    struct country_window {
        char *code; /* the first digits of a number, without "+" */
        struct hours hours;
    } * items; /* in the file's order */
    size_t n;
};

/* Reads {"254": {"timezone", "from", "to", "days"}, ...}; NULL where there is none. What does not fit becomes
 * a row in r->problems each. */
void country_hours_read(struct channels_reader *r, struct country_hours *all, json_t *object);
void country_hours_done(struct country_hours *all);

/* The window of the longest code that the number begins with; NULL: none. Borrowed. */
const struct hours *country_hours_find(const struct country_hours *all, struct span number);

#endif
