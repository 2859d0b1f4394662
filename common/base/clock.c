#include "common/base/clock.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/number.h"

enum {
    MS_PER_S = 1000,
    MS_PER_MIN = 60 * MS_PER_S,
    MS_PER_HOUR = 60 * MS_PER_MIN,
    MS_PER_DAY = 24 * MS_PER_HOUR
};

static const int64_t YEAR_0000_MS = INT64_C(-62167219200000);
static const int64_t YEAR_9999_END_MS = INT64_C(253402300799999);
static const int64_t TEN_YEARS_MS = INT64_C(3650) * MS_PER_DAY;

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

struct date {
    int year, month, day; /* month and day from 1 */
};

/*
 * Days are counted from 0000-03-01 of the proleptic Gregorian calendar, in eras of 400 years (146097 days):
 * with the leap day last in its year, months have lengths that one linear formula gives.
 */
enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

/* Days since 1970-01-01 of a valid date in the years 0 to 9999. */
static int64_t days_from_date(struct date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct date date_from_days(int64_t days)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int day_of_era = (int)(shifted - era * DAYS_PER_ERA);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct date){
        .year = (int)(era * 400) + year_of_era + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

static bool date_valid(struct date date)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    return date.day <= month_days[date.month - 1] + (date.month == 2 && leap);
}

static char *put_digits(char *to, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1])
{
    if (wall_ms < YEAR_0000_MS)
        wall_ms = YEAR_0000_MS;
    if (wall_ms > YEAR_9999_END_MS)
        wall_ms = YEAR_9999_END_MS;
    int64_t days = (wall_ms - YEAR_0000_MS) / MS_PER_DAY + YEAR_0000_MS / MS_PER_DAY;
    int rest = (int)(wall_ms - days * MS_PER_DAY);
    struct date date = date_from_days(days);
    char *to = put_digits(out, date.year, 4);
    *to++ = '-';
    to = put_digits(to, date.month, 2);
    *to++ = '-';
    to = put_digits(to, date.day, 2);
    *to++ = 'T';
    to = put_digits(to, rest / MS_PER_HOUR, 2);
    *to++ = ':';
    to = put_digits(to, rest / MS_PER_MIN % 60, 2);
    *to++ = ':';
    to = put_digits(to, rest / MS_PER_S % 60, 2);
    *to++ = '.';
    to = put_digits(to, rest % MS_PER_S, 3);
    *to++ = 'Z';
    *to = '\0';
}

void clock_add_rfc3339(struct buf *b, int64_t wall_ms)
{
    char *to = buf_room(b, CLOCK_RFC3339_LEN);
    if (!to)
        return;
    clock_rfc3339(wall_ms, to); /* buf_room leaves room for the NUL */
    buf_grew(b, CLOCK_RFC3339_LEN);
}

/* What is left of the text being read. Each take_* moves past what it read, or leaves it and says false. */
static bool take_char(struct span *in, char c)
{
    if (in->n == 0 || in->p[0] != c)
        return false;
    *in = span_of(in->p + 1, in->n - 1);
    return true;
}

static bool take_either(struct span *in, char a, char b)
{
    return take_char(in, a) || take_char(in, b);
}

static bool take_digits(struct span *in, size_t digits, int *value)
{
    if (in->n < digits || !number_read_int(span_of(in->p, digits), 0, INT32_MAX, value))
        return false;
    *in = span_of(in->p + digits, in->n - digits);
    return true;
}

static bool take_word(struct span *in, const char *word)
{
    size_t n = strlen(word);
    if (in->n < n || strncasecmp(in->p, word, n) != 0)
        return false;
    *in = span_of(in->p + n, in->n - n);
    return true;
}

static bool take_spaces(struct span *in)
{
    bool some = false;
    while (take_char(in, ' '))
        some = true;
    return some;
}

static bool take_fraction(struct span *in, int *ms)
{
    *ms = 0;
    if (!take_char(in, '.'))
        return true;
    int digits = 0, digit, scale = 100;
    for (; take_digits(in, 1, &digit); digits++) {
        *ms += digit * scale;
        scale /= 10;
    }
    return digits >= 1 && digits <= 9;
}

/* +hh:mm with ':' as `separator`, or +hhmm with '\0'. */
static bool take_offset(struct span *in, char separator, int *minutes)
{
    int sign = take_char(in, '+') ? 1 : take_char(in, '-') ? -1 : 0;
    int hour, minute;
    if (sign == 0 || !take_digits(in, 2, &hour) || (separator && !take_char(in, separator)) ||
        !take_digits(in, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

struct time_parts {
    struct date date;
    int hour, minute, second, ms;
    int offset_minutes;
};

/* A leap second is allowed where one can be, the last minute of a UTC day, and counts as the first of the
 * next. */
static bool parts_to_wall(const struct time_parts *t, int64_t *wall_ms)
{
    if (!date_valid(t->date) || t->hour > 23 || t->minute > 59 || t->second > 60)
        return false;
    int64_t minutes = (days_from_date(t->date) * 24 + t->hour) * 60 + t->minute - t->offset_minutes;
    if (t->second == 60 && (minutes % 1440 + 1440) % 1440 != 1439)
        return false;
    *wall_ms = minutes * MS_PER_MIN + t->second * MS_PER_S + t->ms;
    return true;
}

bool clock_parse_rfc3339(struct span text, int64_t *wall_ms)
{
    struct time_parts t = {0};
    struct span in = text;
    if (!take_digits(&in, 4, &t.date.year) || !take_char(&in, '-') || !take_digits(&in, 2, &t.date.month) ||
        !take_char(&in, '-') || !take_digits(&in, 2, &t.date.day) || !take_either(&in, 'T', 't'))
        return false;
    if (!take_digits(&in, 2, &t.hour) || !take_char(&in, ':') || !take_digits(&in, 2, &t.minute) ||
        !take_char(&in, ':') || !take_digits(&in, 2, &t.second) || !take_fraction(&in, &t.ms))
        return false;
    if (!take_either(&in, 'Z', 'z') && !take_offset(&in, ':', &t.offset_minutes))
        return false;
    return in.n == 0 && parts_to_wall(&t, wall_ms);
}

static bool take_name(struct span *in, const char *const *names, int count, int *index)
{
    for (int i = 0; i < count; i++) {
        if (take_word(in, names[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool take_2822_date(struct span *in, struct date *date)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (!(take_digits(in, 2, &date->day) || take_digits(in, 1, &date->day)) || !take_spaces(in) ||
        !take_name(in, months, 12, &date->month) || !take_spaces(in) || !take_digits(in, 4, &date->year))
        return false;
    date->month++;
    return take_spaces(in);
}

static bool take_2822_zone(struct span *in, int *minutes)
{
    static const char *const zero[] = {"GMT", "UTC", "UT"};
    int which;
    return take_name(in, zero, 3, &which) || take_offset(in, '\0', minutes);
}

bool clock_parse_rfc2822(struct span text, int64_t *wall_ms)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    struct time_parts t = {0};
    struct span in = text;
    int day_name;
    if (take_name(&in, days, 7, &day_name) && !(take_char(&in, ',') && take_spaces(&in)))
        return false;
    if (!take_2822_date(&in, &t.date) || !take_digits(&in, 2, &t.hour) || !take_char(&in, ':') ||
        !take_digits(&in, 2, &t.minute))
        return false;
    if (take_char(&in, ':') && !take_digits(&in, 2, &t.second))
        return false;
    if (!take_spaces(&in) || !take_2822_zone(&in, &t.offset_minutes))
        return false;
    return in.n == 0 && parts_to_wall(&t, wall_ms);
}

struct unit {
    const char *name;
    int64_t ms;
};

/* Largest first. "ms" is compared as a whole word, so "m" before it is no trap. */
static const struct unit units[] = {
    {"d", MS_PER_DAY}, {"h", MS_PER_HOUR}, {"m", MS_PER_MIN}, {"s", MS_PER_S}, {"ms", 1}};
enum { UNITS = sizeof units / sizeof units[0] };

bool clock_parse_duration(struct span text, int64_t *ms)
{
    struct span in = text;
    int64_t count = 0;
    int digit;
    while (take_digits(&in, 1, &digit)) {
        count = count * 10 + digit;
        if (count > TEN_YEARS_MS)
            return false;
    }
    if (in.n == text.n)
        return false;
    for (int i = 0; i < UNITS; i++) {
        if (!span_is(in, units[i].name))
            continue;
        if (count > TEN_YEARS_MS / units[i].ms)
            return false;
        *ms = count * units[i].ms;
        return true;
    }
    return false;
}

void clock_add_duration(struct buf *b, int64_t ms)
{
    int i = 0;
    while (i < UNITS - 1 && ms % units[i].ms != 0)
        i++;
    if (ms == 0)
        i = UNITS - 2; /* "0s" */
    buf_addint(b, ms / units[i].ms);
    buf_adds(b, units[i].name);
}
