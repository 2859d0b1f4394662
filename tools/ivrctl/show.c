#include "tools/ivrctl/show.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/visible.h"

enum { SHOWN_MAX = 8 * 1024 * 1024 };

const enum call_status show_statuses[SHOW_STATUSES] = {
    STATUS_COMPLETED,         STATUS_NO_ANSWER,           STATUS_USER_BUSY,
    STATUS_SUBSCRIBER_ABSENT, STATUS_GATEWAY_UNAVAILABLE, STATUS_FAILED_UNKNOWN_REASON,
    STATUS_PENDING,
};

static json_t *visible_string(const char *text, size_t n)
{
    struct buf shown;
    buf_init(&shown, SHOWN_MAX);
    visible_add(&shown, span_of(text, n));
    json_t *string = json_stringn(shown.p, shown.n);
    buf_done(&shown);
    return string;
}

static void make_member_visible(json_t *to, const char *name, json_t *value)
{
    json_t *shown = visible_string(name, strlen(name));
    json_object_set_nocheck(to, json_string_value(shown), value);
    json_decref(shown);
}

void show_make_visible(json_t *json)
{
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_string(json)) {
        json_t *shown = visible_string(json_string_value(json), json_string_length(json));
        json_string_set(json, json_string_value(shown));
        json_decref(shown);
    } else if (json_is_array(json)) {
        json_array_foreach(json, i, value) show_make_visible(value);
    } else if (json_is_object(json)) {
        json_t *shown = json_object();
        json_object_foreach(json, name, value)
        {
            show_make_visible(value);
            make_member_visible(shown, name, value);
        }
        json_object_clear(json);
        json_object_update(json, shown);
        json_decref(shown);
    }
}

const char *show_text(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : fallback;
}

int64_t show_int(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

bool show_is_set(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value != NULL && !json_is_null(value);
}

int64_t show_sum(const json_t *counts)
{
    int64_t sum = 0;
    void *at = json_object_iter((json_t *)(uintptr_t)counts);
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)counts, at))
        sum += (int64_t)json_integer_value(json_object_iter_value(at));
    return sum;
}

int64_t show_time_ms(const char *rfc3339)
{
    int64_t ms;
    return rfc3339 != NULL && clock_parse_rfc3339(span_str(rfc3339), &ms) ? ms : 0;
}

void show_add_time(struct buf *b, const char *rfc3339)
{
    char text[CLOCK_RFC3339_LEN + 1];
    int64_t ms = show_time_ms(rfc3339);
    if (ms == 0) {
        buf_addc(b, '-');
        return;
    }
    clock_rfc3339(ms, text);
    buf_add(b, text, 10);
    buf_addc(b, ' ');
    buf_add(b, text + 11, 12);
}

void show_add_span_of_time(struct buf *b, int64_t ms)
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        buf_addf(b, "%lld ms", (long long)ms);
    else if (s < 60)
        buf_addf(b, "%lld.%lld s", (long long)s, (long long)(ms % 1000 / 100));
    else if (s < 3600)
        buf_addf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else if (s < 24 * 3600)
        buf_addf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
    else
        buf_addf(b, "%lld d %lld h", (long long)(s / 86400), (long long)(s % 86400 / 3600));
}

void show_add_column(struct buf *b, const char *text, int columns)
{
    int used = 0;
    for (const char *c = text; *c != '\0'; c++)
        used += ((unsigned char)*c & 0xC0) != 0x80; /* not the rest of a UTF-8 character */
    buf_adds(b, text);
    do
        buf_addc(b, ' ');
    while (++used < columns);
}

void show_add_count(struct buf *b, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0)
            buf_addc(b, ',');
        buf_addc(b, digits[i]);
    }
}
