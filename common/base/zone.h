/*
 * Time zones by their IANA name, from the system's tzdata: how far a wall clock there is from UTC.
 *
 * A zone is read when it is first asked for and kept until the process ends, so that a look-up costs no more
 * than a search in its list of changes; what tzdata learns later counts from the next start on. GLib reads
 * the files; only zone.c knows it. TZDIR names another directory than /usr/share/zoneinfo, as it does for the
 * C library. A name that is a link (zone_links.h) is found without a file of its own, so that every machine
 * knows the same names. Not reentrant: for the thread of the loop.
 */
#ifndef IVR_COMMON_ZONE_H
#define IVR_COMMON_ZONE_H

#include <stdint.h>

#include "common/base/span.h"

enum { ZONE_NAME_MAX = 63 };

struct zone;

/* The zone of that name, which lives until the process ends. NULL: there is none, or it is a name that is
 * no zone of its own ("localtime", "posixrules", "posix/...", "right/...": they mean something else on each
 * machine, or count leap seconds). */
const struct zone *zone_find(struct span name);
const char *zone_name(const struct zone *zone);

/* What to add to `wall_ms` for the wall clock there: its milliseconds since 1970-01-01T00:00 local time. */
int64_t zone_offset_ms(const struct zone *zone, int64_t wall_ms);
/* The first instant after `wall_ms`, at most `last_ms`, from which another rule holds there: the clock is put
 * forward or back, or the offset gets another name. -1: there is none. */
int64_t zone_change_ms(const struct zone *zone, int64_t wall_ms, int64_t last_ms);

#endif
