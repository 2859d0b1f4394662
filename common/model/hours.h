/*
 * Calling hours: when somebody may be called, by the clock on their wall.
 *
 * Open at an instant means: the zone's wall clock then shows a time of day in [from, to), on one of the days.
 * Where from is after to the window reaches over midnight, and what counts is the day on which it began:
 * "fri" 22:00 to 06:00 is open on Saturday at 05:00, and not on Friday at 05:00. The wall clock alone
 * decides: where it jumps forward, the part of a window that it jumps over does not exist, and where it is
 * put back, what comes twice is open twice.
 *
 * Times are wall_ms (common/base/clock.h). Pure but for zone_find(), which reads a zone when it is first
 * named.
 */
#ifndef IVR_MODEL_HOURS_H
#define IVR_MODEL_HOURS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/zone.h"

enum { HOURS_ALL_DAYS = 0x7F };

struct hours {
    const struct zone *zone; /* NULL: no window, open at any time */
    int from_min, to_min;    /* minutes after midnight, 0..1439 and 0..1440; never equal */
    unsigned days;           /* on which a window may begin: bit 0 = Monday .. bit 6 = Sunday; never none */
};

bool hours_open(const struct hours *hours, int64_t wall_ms);
/* `wall_ms` where it is open then, else the first open instant after it. There always is one. */
int64_t hours_next_open(const struct hours *hours, int64_t wall_ms);

/* The members of a window in JSON, in the order in which they are to be read. */
enum hours_member { HOURS_TIMEZONE, HOURS_FROM, HOURS_TO, HOURS_DAYS, HOURS_MEMBERS };
const char *hours_member_name(enum hours_member member);
/*
 * Reads one member; `*value` is NULL where it is absent. Returns NULL, or what was expected instead (static),
 * with what does not fit in `*value`: the value, one of a list, NULL where it is missing.
 */
const char *hours_read(struct hours *hours, enum hours_member member, const json_t **value);

/* {"timezone":...,"from":...,"to":...}, with the days unless it is all of them. */
void hours_add_json(struct buf *b, const struct hours *hours);
/* The same for people: "08:00-19:30 Africa/Nairobi, mon tue". */
void hours_add_text(struct buf *b, const struct hours *hours);

#endif
