#include "common/model/hours.h"

#include <assert.h>

#include "common/base/number.h"
#include "common/json/json.h"

enum { DAYS_OF_WEEK = 7, DAY_MIN = 24 * 60 };

static const int64_t MINUTE_MS = 60000, DAY_MS = (int64_t)DAY_MIN * 60000;

static const char *const days_of_week[DAYS_OF_WEEK] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- when it is open ---- */

/* Days since 1970-01-01, which was a Thursday. */
static int64_t day_of(int64_t local_ms)
{
    return local_ms / DAY_MS - (local_ms % DAY_MS < 0);
}

static bool begins_on(const struct hours *hours, int64_t day)
{
    int64_t of_week = (day + 3) % DAYS_OF_WEEK;
    return hours->days >> (of_week < 0 ? of_week + DAYS_OF_WEEK : of_week) & 1;
}

/* On a clock that is never moved: `local_ms` where it is open then, else when it opens. */
static int64_t next_local(const struct hours *hours, int64_t local_ms)
{
    int64_t today = day_of(local_ms);
    int past_midnight = hours->to_min < hours->from_min;
    for (int64_t day = today - past_midnight; day <= today + DAYS_OF_WEEK; day++) {
        int64_t opens = day * DAY_MS + hours->from_min * MINUTE_MS;
        int64_t closes = (day + past_midnight) * DAY_MS + hours->to_min * MINUTE_MS;
        if (begins_on(hours, day) && local_ms < closes)
            return local_ms > opens ? local_ms : opens;
    }
    assert(!"a window has a day");
    return local_ms;
}

bool hours_open(const struct hours *hours, int64_t wall_ms)
{
    if (!hours->zone)
        return true;
    int64_t local_ms = wall_ms + zone_offset_ms(hours->zone, wall_ms);
    return next_local(hours, local_ms) == local_ms;
}

/* As if the clock were never moved; where it is before that, again from there. */
int64_t hours_next_open(const struct hours *hours, int64_t wall_ms)
{
    int64_t from_ms = wall_ms;
    while (hours->zone) {
        int64_t offset_ms = zone_offset_ms(hours->zone, from_ms);
        int64_t open_ms = next_local(hours, from_ms + offset_ms) - offset_ms;
        int64_t change_ms = zone_change_ms(hours->zone, from_ms, open_ms);
        if (change_ms < 0)
            return open_ms;
        from_ms = change_ms;
    }
    return wall_ms;
}

/* ---- reading ---- */

const char *hours_member_name(enum hours_member member)
{
    static const char *const names[HOURS_MEMBERS] = {
        [HOURS_TIMEZONE] = "timezone", [HOURS_FROM] = "from", [HOURS_TO] = "to", [HOURS_DAYS] = "days"};
    return names[member];
}

static bool two_digits(const char *p, int *out)
{
    return number_read_int(span_of(p, 2), 0, 99, out);
}

static bool read_minute(const json_t *value, int latest, int *out)
{
    struct span text = json_text(value);
    int hour, minute;
    if (text.n != 5 || text.p[2] != ':' || !two_digits(text.p, &hour) || !two_digits(text.p + 3, &minute) ||
        minute > 59 || hour * 60 + minute > latest)
        return false;
    *out = hour * 60 + minute;
    return true;
}

static const char *read_zone(struct hours *hours, const json_t *value)
{
    hours->zone = zone_find(json_text(value));
    return hours->zone ? NULL : "an IANA time zone that this machine's tzdata has, like \"Africa/Nairobi\"";
}

static const char *read_from(struct hours *hours, const json_t *value)
{
    return read_minute(value, DAY_MIN - 1, &hours->from_min) ? NULL
                                                             : "a time of day from \"00:00\" to \"23:59\"";
}

static const char *read_to(struct hours *hours, const json_t *value)
{
    if (!read_minute(value, DAY_MIN, &hours->to_min))
        return "a time of day from \"00:00\" to \"24:00\"";
    return hours->to_min != hours->from_min ? NULL
                                            : "another time than from, the window would never open "
                                              "(\"00:00\" to \"24:00\" is the whole day)";
}

static bool read_day(const json_t *value, unsigned *days)
{
    for (int d = 0; d < DAYS_OF_WEEK; d++) {
        if (span_is(json_text(value), days_of_week[d])) {
            *days |= 1u << d;
            return true;
        }
    }
    return false;
}

static const char *read_days(struct hours *hours, const json_t **value)
{
    hours->days = *value ? 0 : HOURS_ALL_DAYS;
    if (*value && json_array_size(*value) == 0)
        return "a list of one or more of mon, tue, wed, thu, fri, sat, sun";
    for (size_t i = 0; i < json_array_size(*value); i++) {
        const json_t *day = json_array_get(*value, i);
        if (!read_day(day, &hours->days)) {
            *value = day;
            return "one of mon, tue, wed, thu, fri, sat, sun";
        }
    }
    return NULL;
}

const char *hours_read(struct hours *hours, enum hours_member member, const json_t **value)
{
    switch (member) {
    case HOURS_TIMEZONE:
        return read_zone(hours, *value);
    case HOURS_FROM:
        return read_from(hours, *value);
    case HOURS_TO:
        return read_to(hours, *value);
    case HOURS_DAYS:
        return read_days(hours, value);
    case HOURS_MEMBERS:
        break;
    }
    assert(!"a member of a window");
    return NULL;
}

/* ---- writing ---- */

static void add_minute(struct buf *b, int minutes)
{
    buf_addf(b, "%02d:%02d", minutes / 60, minutes % 60);
}

static void add_days(struct buf *b, unsigned days)
{
    json_key(b, hours_member_name(HOURS_DAYS));
    buf_addc(b, '[');
    for (int d = 0; d < DAYS_OF_WEEK; d++) {
        if (days >> d & 1) {
            json_sep(b);
            json_str(b, span_str(days_of_week[d]));
        }
    }
    buf_addc(b, ']');
}

static void add_time(struct buf *b, enum hours_member member, int minutes)
{
    json_key(b, hours_member_name(member));
    buf_addc(b, '"');
    add_minute(b, minutes);
    buf_addc(b, '"');
}

void hours_add_json(struct buf *b, const struct hours *hours)
{
    buf_addc(b, '{');
    json_kstrz(b, hours_member_name(HOURS_TIMEZONE), zone_name(hours->zone));
    add_time(b, HOURS_FROM, hours->from_min);
    add_time(b, HOURS_TO, hours->to_min);
    if (hours->days != HOURS_ALL_DAYS)
        add_days(b, hours->days);
    buf_addc(b, '}');
}

void hours_add_text(struct buf *b, const struct hours *hours)
{
    add_minute(b, hours->from_min);
    buf_addc(b, '-');
    add_minute(b, hours->to_min);
    buf_addf(b, " %s", zone_name(hours->zone));
    const char *before = ", ";
    for (int d = 0; d < DAYS_OF_WEEK && hours->days != HOURS_ALL_DAYS; d++) {
        if (hours->days >> d & 1) {
            buf_addf(b, "%s%s", before, days_of_week[d]);
            before = " ";
        }
    }
}
