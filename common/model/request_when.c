/* When a call may be placed, and placed again: not_before, expires_at, calling_hours, retry. */
#include <string.h>

#include "common/clock.h"
#include "common/model/request_read.h"

enum {
    DELAY_MAX_S = 7 * 24 * 3600,
    LONG_PAST_MS = 1, /* 0 means "none" in the struct, so a time before 1970 becomes the first one after */
};

static int read_instant(struct request_reading *in, const char *field, const json_t *value, int64_t *ms)
{
    if (!value)
        return 0;
    if (!json_is_string(value) || !clock_parse_rfc3339(request_text(value), ms))
        return request_refuse(in, field, value, "a time like \"2026-11-22T18:50:50Z\" (RFC 3339)");
    if (*ms < LONG_PAST_MS)
        *ms = LONG_PAST_MS;
    return 0;
}

int request_read_not_before(struct request_reading *in, const json_t *value)
{
    return read_instant(in, "not_before", value, &in->request->not_before_ms);
}

int request_read_expires_at(struct request_reading *in, const json_t *value)
{
    struct request *request = in->request;
    int rc = read_instant(in, "expires_at", value, &request->expires_at_ms);
    if (rc == 0 && request->expires_at_ms > LONG_PAST_MS && request->expires_at_ms <= request->not_before_ms)
        return request_refuse(in, "expires_at", value, "a time after not_before");
    return rc;
}

/* IANA's syntax: parts of letters, digits, _ + -, with slashes between. That such a zone exists is known
 * later. */
static bool valid_timezone(struct span name)
{
    bool letter_wanted = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inside = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (c == '/' ? letter_wanted : !letter && (letter_wanted || !inside))
            return false;
        letter_wanted = c == '/';
    }
    return name.n < sizeof((struct calling_hours *)0)->timezone && !letter_wanted;
}

static int read_timezone(struct request_reading *in, const json_t *value)
{
    struct span name = request_text(value);
    if (!valid_timezone(name))
        return request_refuse(in, "calling_hours.timezone", value, "a name like \"Africa/Nairobi\"");
    memcpy(in->request->calling_hours.timezone, name.p, name.n);
    return 0;
}

static bool two_digits(const char *p, int below, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out < below;
}

static int read_minute(struct request_reading *in, const char *field, const json_t *value, int *out)
{
    struct span text = request_text(value);
    int hour, minute;
    if (text.n != 5 || text.p[2] != ':' || !two_digits(text.p, 24, &hour) ||
        !two_digits(text.p + 3, 60, &minute))
        return request_refuse(in, field, value, "a time of day from \"00:00\" to \"23:59\"");
    *out = hour * 60 + minute;
    return 0;
}

static int read_hours_from(struct request_reading *in, const json_t *value)
{
    return read_minute(in, "calling_hours.from", value, &in->request->calling_hours.from_min);
}

static int read_hours_to(struct request_reading *in, const json_t *value)
{
    struct calling_hours *hours = &in->request->calling_hours;
    int rc = read_minute(in, "calling_hours.to", value, &hours->to_min);
    if (rc == 0 && hours->to_min == hours->from_min)
        return request_refuse(in, "calling_hours.to", value,
                              "another time than calling_hours.from, the window would never open");
    return rc;
}

static int read_days(struct request_reading *in, const json_t *value)
{
    static const char *const expected = "a list of one or more of mon, tue, wed, thu, fri, sat, sun";
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    unsigned bits = 0;
    if (!value)
        return 0;
    if (json_array_size(value) == 0)
        return request_refuse(in, "calling_hours.days", value, expected);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *day = json_array_get(value, i);
        int d = 0;
        while (d < 7 && !span_is(request_text(day), days[d]))
            d++;
        if (d == 7)
            return request_refuse(in, "calling_hours.days", day, "one of mon, tue, wed, thu, fri, sat, sun");
        bits |= 1u << d;
    }
    in->request->calling_hours.days = bits;
    return 0;
}

static int read_max_attempts(struct request_reading *in, const json_t *value)
{
    return request_read_whole(in, "retry.max_attempts", value, 1, 20, &in->request->max_attempts);
}

static bool may_be_retried(enum call_status status)
{
    return status > STATUS_PENDING && status < STATUS_COMPLETED;
}

static int read_retry_on(struct request_reading *in, const json_t *value)
{
    static const char *const expected =
        "No_answer, User_busy, Subscriber_absent, Gateway_unavailable or Failed_unknown_reason";
    unsigned bits = 0;
    if (!value)
        return 0;
    if (!json_is_array(value))
        return request_refuse(in, "retry.on", value, "a list of statuses");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *name = json_array_get(value, i);
        enum call_status status = status_parse(request_text(name));
        if (!may_be_retried(status))
            return request_refuse(in, "retry.on", name, expected);
        bits |= 1u << status;
    }
    in->request->retry_on = bits;
    return 0;
}

static int read_delays(struct request_reading *in, const json_t *value)
{
    struct request *request = in->request;
    size_t n = json_array_size(value);
    if (!value)
        return 0;
    if (n == 0 || n > REQUEST_MAX_DELAYS)
        return request_refuse(in, "retry.delays", value, "a list of 1 to 16 delays in seconds");
    for (size_t i = 0; i < n; i++) {
        int rc = request_read_whole(in, "retry.delays", json_array_get(value, i), 0, DELAY_MAX_S,
                                    &request->delays_s[i]);
        if (rc)
            return rc;
    }
    request->delays_n = n;
    return 0;
}

int request_read_calling_hours(struct request_reading *in, const json_t *value)
{
    static const struct request_field fields[] = {{"timezone", read_timezone},
                                                  {"from", read_hours_from},
                                                  {"to", read_hours_to},
                                                  {"days", read_days},
                                                  {NULL, NULL}};
    if (!value)
        return 0;
    if (!json_is_object(value))
        return request_refuse(in, "calling_hours", value, "an object");
    in->request->calling_hours.set = true;
    return request_read_object(in, "calling_hours", value, fields);
}

int request_read_retry(struct request_reading *in, const json_t *value)
{
    static const struct request_field fields[] = {
        {"max_attempts", read_max_attempts}, {"on", read_retry_on}, {"delays", read_delays}, {NULL, NULL}};
    if (!value)
        return 0;
    if (!json_is_object(value))
        return request_refuse(in, "retry", value, "an object");
    return request_read_object(in, "retry", value, fields);
}
