#include "tools/ivrctl/show_line.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/pii.h"
#include "common/base/visible.h"
#include "common/json/json.h"
#include "tools/ivrctl/show.h"

enum { VALUE_MAX = 1024 * 1024, TIME_AT = 11, TIME_LEN = 12 };

/* ---- values that are ours ---- */

/* Bytes of others as text: numbers as IVR_PII says, all of it on one line. */
static void add_bytes(struct buf *out, struct span bytes)
{
    struct buf masked;
    buf_init(&masked, 2 * VALUE_MAX);
    pii_add_text(&masked, bytes);
    visible_add(out, buf_span(&masked));
    buf_done(&masked);
}

static void add_bytes_json(struct buf *out, const char *key, struct span bytes)
{
    struct buf masked;
    buf_init(&masked, 2 * VALUE_MAX);
    pii_add_text(&masked, bytes);
    json_kstr(out, key, buf_span(&masked));
    buf_done(&masked);
}

static void add_unreadable(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    if (ctl->json) {
        buf_addc(out, '{');
        add_bytes_json(out, "unreadable", record->value);
        json_kint(out, "partition", record->partition);
        json_kint(out, "offset", record->offset);
        buf_adds(out, "}\n");
    } else {
        buf_addf(out, "%d@%lld unreadable: ", record->partition, (long long)record->offset);
        add_bytes(out, record->value);
        buf_addc(out, '\n');
    }
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ')
            return true;
    }
    return false;
}

/* As it stands on the topic, on one line. */
static void add_json_line(struct buf *out, const struct topic_record *record, const json_t *json)
{
    if (!has_control(record->value)) {
        buf_addspan(out, record->value);
    } else {
        json_value(out, json, JSON_AS_READ);
    }
    buf_addc(out, '\n');
}

/* What is to be laid out as text; NULL where there is nothing to lay out: JSON that was asked for, or what
 * does not parse, stands in `out` already. */
static json_t *read_value(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    struct err err = ERR_INIT;
    json_t *json = json_parse(record->value, VALUE_MAX, &err);
    if (json_is_object(json) && !ctl->json) {
        show_make_visible(json);
        return json;
    }
    if (json_is_object(json))
        add_json_line(out, record, json);
    else
        add_unreadable(out, ctl, record);
    json_decref(json);
    return NULL;
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
    json_t *event = read_value(out, ctl, record);
    if (event == NULL)
        return;
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

static void add_if_set(struct buf *out, const char *before, const json_t *object, const char *key)
{
    const char *text = show_text(object, key, NULL);
    if (text != NULL)
        buf_addf(out, "%s%s", before, text);
}

/* Texts of people and providers may quote numbers. */
static void add_masked(struct buf *out, const char *before, const json_t *object, const char *key)
{
    const char *text = show_text(object, key, "");
    if (*text == '\0')
        return;
    buf_adds(out, before);
    pii_add_text(out, span_str(text));
}

static void add_seconds(struct buf *out, const char *name, const json_t *call, const char *key)
{
    if (show_is_set(call, key))
        buf_addf(out, " %s %lld s", name, (long long)show_int(call, key));
}

static void add_costs(struct buf *out, const json_t *call)
{
    const char *currency;
    json_t *amount;
    if (show_is_set(call, "cost_amount"))
        buf_addf(out, " cost %s %s", show_text(call, "cost_amount", ""),
                 show_text(call, "cost_currency", ""));
    json_object_foreach(json_object_get(call, "costs"), currency, amount)
    {
        if (json_is_string(amount))
            buf_addf(out, " cost %s %s", json_string_value(amount), currency);
    }
}

void show_record_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    json_t *call = read_value(out, ctl, record);
    if (call == NULL)
        return;
    show_add_time(out, show_text(call, "final_at", NULL));
    buf_addc(out, ' ');
    show_add_column(out, show_text(call, "status", show_text(call, "drop_reason", "-")), 22);
    buf_addf(out, "%s/%s %s attempts %lld", show_text(call, "tenant", "?"), show_text(call, "call_id", "?"),
             show_text(call, "campaign", "?"), (long long)show_int(call, "attempts"));
    add_masked(out, " ", call, "to");
    add_if_set(out, " on ", call, "channel");
    add_seconds(out, "ring", call, "ring_seconds");
    add_seconds(out, "talk", call, "talk_seconds");
    add_costs(out, call);
    add_masked(out, " reason ", call, "reason_code");
    add_masked(out, ": ", call, "reason_detail");
    if (show_is_set(call, "status"))
        add_if_set(out, " ", call, "drop_reason");
    buf_adds(out, json_is_true(json_object_get(call, "in_doubt")) ? " in doubt" : "");
    buf_adds(out, json_is_true(json_object_get(call, "erased")) ? " erased\n" : "\n");
    json_decref(call);
}

void show_audit_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    json_t *said = read_value(out, ctl, record);
    if (said == NULL)
        return;
    const json_t *actor = json_object_get(said, "actor");
    show_add_time(out, show_text(said, "at", NULL));
    buf_addc(out, ' ');
    show_add_column(out, show_text(said, "action", "?"), 12);
    show_add_column(out, show_text(said, "result", "?"), 8);
    pii_add_text(out, span_str(show_text(said, "target", "-")));
    if (show_is_set(said, "affected"))
        buf_addf(out, " affected %lld", (long long)show_int(said, "affected"));
    add_masked(out, " by ", actor, "name");
    buf_addf(out, " (%s, %s)", show_text(actor, "kind", "?"), show_text(said, "from", "?"));
    add_masked(out, ": ", said, "reason");
    buf_addc(out, '\n');
    json_decref(said);
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
    json_t *summary = read_value(out, ctl, record);
    if (summary == NULL)
        return;
    bool window = strcmp(show_text(summary, "kind", ""), "window") == 0;
    add_clock(out, show_text(summary, "as_of", NULL));
    add_bytes(out, record->key);
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

static void add_number_or_null(struct buf *out, const char *key, struct span digits)
{
    json_t *number = digits.n > 0 ? json_loadb(digits.p, digits.n, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_integer(number))
        json_kint(out, key, json_integer_value(number));
    else
        json_knull(out, key);
    json_decref(number);
}

static void add_dead_letter_json(struct buf *out, const struct topic_record *record)
{
    buf_addc(out, '{');
    add_bytes_json(out, "reason", topic_record_header(record, "ivr-reason"));
    add_bytes_json(out, "detail", topic_record_header(record, "ivr-detail"));
    json_kstr(out, "failed_at", topic_record_header(record, "ivr-failed-at"));
    json_kstr(out, "worker", topic_record_header(record, "ivr-worker"));
    json_kstr(out, "source_topic", topic_record_header(record, "ivr-source-topic"));
    add_number_or_null(out, "source_partition", topic_record_header(record, "ivr-source-partition"));
    add_number_or_null(out, "source_offset", topic_record_header(record, "ivr-source-offset"));
    json_kint(out, "partition", record->partition);
    json_kint(out, "offset", record->offset);
    add_bytes_json(out, "key", record->key);
    add_bytes_json(out, "value", record->value);
    buf_adds(out, "}\n");
}

static void add_header(struct buf *out, const char *before, const struct topic_record *record,
                       const char *name)
{
    buf_adds(out, before);
    add_bytes(out, topic_record_header(record, name));
}

void show_dead_letter_line(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record)
{
    char at[CLOCK_RFC3339_LEN + 1] = "";
    if (ctl->json) {
        add_dead_letter_json(out, record);
        return;
    }
    struct span failed_at = topic_record_header(record, "ivr-failed-at");
    if (failed_at.n == CLOCK_RFC3339_LEN)
        memcpy(at, failed_at.p, CLOCK_RFC3339_LEN);
    else
        clock_rfc3339(record->timestamp_ms, at);
    show_add_time(out, at);
    buf_addf(out, "  %d@%lld", record->partition, (long long)record->offset);
    add_header(out, "  ", record, "ivr-reason");
    add_header(out, " from ", record, "ivr-source-topic");
    add_header(out, " ", record, "ivr-source-partition");
    add_header(out, "@", record, "ivr-source-offset");
    buf_adds(out, " key \"");
    add_bytes(out, record->key);
    add_header(out, "\": ", record, "ivr-detail");
    buf_addc(out, '\n');
}
