/* When a call may be placed, and placed again: not_before, expires_at, calling_hours, retry. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/model/request_read.h"

enum {
    DELAY_MAX_S = 7 * 24 * 3600,
    LONG_PAST_MS = 1, /* 0 means "none" in the struct, so a time before 1970 becomes the first one after */
};

static int read_instant(struct request_reading *in, const char *field, const json_t *value, int64_t *ms)
{
    if (!value)
        return 0;
    if (!clock_parse_rfc3339(request_text(value), ms))
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
    if (rc == 0 && !in->stored && request->expires_at_ms > LONG_PAST_MS &&
        request->expires_at_ms <= request->not_before_ms)
        return request_refuse(in, "expires_at", value, "a time after not_before");
    return rc;
}

static int read_hours_member(struct request_reading *in, enum hours_member member, const json_t *value)
{
    char field[REQUEST_FIELD_MAX];
    const char *expected = hours_read(&in->request->calling_hours, member, &value);
    if (!expected)
        return 0;
    if (in->stored && member == HOURS_TIMEZONE) {
        in->request->lost_zone = request_text(value);
        return 0;
    }
    snprintf(field, sizeof field, "calling_hours.%s", hours_member_name(member));
    return request_refuse(in, field, value, expected);
}

static int read_timezone(struct request_reading *in, const json_t *value)
{
    return read_hours_member(in, HOURS_TIMEZONE, value);
}

static int read_hours_from(struct request_reading *in, const json_t *value)
{
    return read_hours_member(in, HOURS_FROM, value);
}

static int read_hours_to(struct request_reading *in, const json_t *value)
{
    return read_hours_member(in, HOURS_TO, value);
}

static int read_days(struct request_reading *in, const json_t *value)
{
    return read_hours_member(in, HOURS_DAYS, value);
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

/* Whether a request is refused depends on what stands in it, never on when it is read: a window that does not
 * open between now and expires_at is no contradiction, the call waits and expires. */
static int check_opening(struct request_reading *in, const json_t *hours)
{
    const struct request *request = in->request;
    if (in->stored || request->not_before_ms == 0 || request->expires_at_ms <= LONG_PAST_MS ||
        hours_next_open(&request->calling_hours, request->not_before_ms) < request->expires_at_ms)
        return 0;
    return request_refuse(in, "calling_hours", hours,
                          "a window that opens between not_before and expires_at");
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
    if (!request_is_object(value))
        return request_refuse(in, "calling_hours", value, "an object");
    int rc = request_read_object(in, "calling_hours", value, fields);
    return rc ? rc : check_opening(in, value);
}

int request_read_retry(struct request_reading *in, const json_t *value)
{
    static const struct request_field fields[] = {
        {"max_attempts", read_max_attempts}, {"on", read_retry_on}, {"delays", read_delays}, {NULL, NULL}};
    if (!value)
        return 0;
    if (!request_is_object(value))
        return request_refuse(in, "retry", value, "an object");
    return request_read_object(in, "retry", value, fields);
}
