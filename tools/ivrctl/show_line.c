#include "tools/ivrctl/show_line.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "tools/ivrctl/show.h"

enum { VALUE_MAX = 1024 * 1024, TIME_AT = 11, TIME_LEN = 12 };

/* ---- values that are ours ---- */

/* NULL when it does not parse; then it stands in `out` as text, with where it was found. */
static json_t *parse(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    struct err err = ERR_INIT;
    json_t *json = json_parse(record->value, VALUE_MAX, &err);
    if (json != NULL && json_is_object(json))
        return json;
    json_decref(json);
    struct buf text;
    buf_init(&text, 2 * VALUE_MAX);
    ctl_add_text(&text, ctl, record->value);
    if (ctl->json) {
        buf_adds(out, "{\"unreadable\":");
        json_str(out, buf_span(&text));
        buf_addf(out, ",\"partition\":%d,\"offset\":%lld}\n", record->partition, (long long)record->offset);
    } else {
        buf_addf(out, "%d@%lld unreadable: ", record->partition, (long long)record->offset);
        buf_addspan(out, buf_span(&text));
        buf_addc(out, '\n');
    }
    buf_done(&text);
    return NULL;
}

/* As it stands on the topic, on one line. */
static void add_json_line(struct buf *out, const struct topic_record *record, const json_t *json)
{
    if (memchr(record->value.p, '\n', record->value.n) == NULL) {
        buf_addspan(out, record->value);
    } else {
        json_value(out, json, JSON_AS_READ);
    }
    buf_addc(out, '\n');
}

/* "18:50:50.123 " of an RFC 3339 time. */
static void add_clock(struct buf *out, const char *rfc3339)
{
    if (rfc3339 != NULL && strlen(rfc3339) >= TIME_AT + TIME_LEN)
        buf_add(out, rfc3339 + TIME_AT, TIME_LEN);
    else
        buf_adds(out, "--:--:--.---");
    buf_addc(out, ' ');
}

static void add_reason(struct buf *out, const json_t *event)
{
    const json_t *reason = json_object_get(event, "reason");
    const char *code = show_text(reason, "code", ""), *detail = show_text(reason, "detail", "");
    if (json_is_object(reason))
        buf_addf(out, " (%s%s%s)", code, *code != '\0' && *detail != '\0' ? ", " : "", detail);
}

void show_event_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    json_t *event = parse(out, ctl, record);
    if (event == NULL)
        return;
    if (ctl->json) {
        add_json_line(out, record, event);
        json_decref(event);
        return;
    }
    const char *type = show_text(event, "type", "?"), *hop = show_text(event, "hop", NULL);
    add_clock(out, show_text(event, "recorded_at", NULL));
    show_add_column(out, strncmp(type, "call.", 5) == 0 ? type + 5 : type, 9);
    show_add_column(out, show_text(event, "status", "-"), 22);
    show_add_column(out, hop != NULL ? hop : "-", 18);
    buf_addf(out, "%s", show_text(event, "id", "?"));
    if (show_is_set(event, "attempt"))
        buf_addf(out, " attempt %lld", (long long)show_int(event, "attempt"));
    buf_addf(out, " %s", show_text(event, "to", ""));
    add_reason(out, event);
    if (show_is_set(event, "next_attempt_at")) {
        buf_adds(out, " next ");
        show_add_time(out, show_text(event, "next_attempt_at", NULL));
    }
    buf_addc(out, '\n');
    json_decref(event);
}

/* "Completed 700, No_answer 150", those that are not zero. */
static void add_counts(struct buf *out, const json_t *counts)
{
    const char *name;
    json_t *count;
    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        if (json_integer_value(count) != 0)
            buf_addf(out, " %s %lld", name, (long long)json_integer_value(count));
    }
}

void show_summary_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    json_t *summary = parse(out, ctl, record);
    if (summary == NULL)
        return;
    if (ctl->json) {
        add_json_line(out, record, summary);
        json_decref(summary);
        return;
    }
    bool window = strcmp(show_text(summary, "kind", ""), "window") == 0;
    add_clock(out, show_text(summary, "as_of", NULL));
    buf_addf(out, "%.*s", SPAN_ARG(record->key));
    if (window)
        buf_addf(out, " attempts %lld", (long long)show_int(summary, "attempts"));
    else
        buf_addf(out, " calls %lld waiting %lld retrying %lld", (long long)show_int(summary, "calls"),
                 (long long)show_int(summary, "waiting"), (long long)show_int(summary, "retrying"));
    add_counts(out, json_object_get(summary, "by_status"));
    add_counts(out, json_object_get(summary, "dropped"));
    buf_adds(out, json_is_true(json_object_get(summary, "complete")) ? " complete\n" : "\n");
    json_decref(summary);
}

/* ---- dead letters: bytes of others ---- */

static void add_masked(struct buf *out, const struct ivrctl *ctl, const char *key, struct span text)
{
    struct buf shown;
    buf_init(&shown, 2 * VALUE_MAX);
    ctl_add_text(&shown, ctl, text);
    json_kstr(out, key, buf_span(&shown));
    buf_done(&shown);
}

static void add_number_or_null(struct buf *out, const char *key, struct span digits)
{
    json_t *number = digits.n > 0 ? json_loadb(digits.p, digits.n, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_integer(number))
        json_kint(out, key, json_integer_value(number));
    else
        json_knull(out, key);
    json_decref(number);
}

static void add_dead_letter_json(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    buf_addc(out, '{');
    json_kstr(out, "reason", topic_record_header(record, "ivr-reason"));
    json_kstr(out, "detail", topic_record_header(record, "ivr-detail"));
    json_kstr(out, "failed_at", topic_record_header(record, "ivr-failed-at"));
    json_kstr(out, "worker", topic_record_header(record, "ivr-worker"));
    json_kstr(out, "source_topic", topic_record_header(record, "ivr-source-topic"));
    add_number_or_null(out, "source_partition", topic_record_header(record, "ivr-source-partition"));
    add_number_or_null(out, "source_offset", topic_record_header(record, "ivr-source-offset"));
    json_kint(out, "partition", record->partition);
    json_kint(out, "offset", record->offset);
    add_masked(out, ctl, "key", record->key);
    add_masked(out, ctl, "value", record->value);
    buf_adds(out, "}\n");
}

void show_dead_letter_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    char at[CLOCK_RFC3339_LEN + 1] = "";
    if (ctl->json) {
        add_dead_letter_json(out, ctl, record);
        return;
    }
    struct span failed_at = topic_record_header(record, "ivr-failed-at");
    if (failed_at.n == CLOCK_RFC3339_LEN)
        memcpy(at, failed_at.p, CLOCK_RFC3339_LEN);
    else
        clock_rfc3339(record->timestamp_ms, at);
    show_add_time(out, at);
    struct span reason = topic_record_header(record, "ivr-reason");
    buf_addf(out, "  %d@%lld  %.*s from %.*s %.*s@%.*s key \"", record->partition, (long long)record->offset,
             SPAN_ARG(reason), SPAN_ARG(topic_record_header(record, "ivr-source-topic")),
             SPAN_ARG(topic_record_header(record, "ivr-source-partition")),
             SPAN_ARG(topic_record_header(record, "ivr-source-offset")));
    ctl_add_text(out, ctl, record->key);
    buf_addf(out, "\": %.*s\n", SPAN_ARG(topic_record_header(record, "ivr-detail")));
}
