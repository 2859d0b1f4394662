/*
 * The canonical form of a request: what Redis keeps, and what the fingerprint is made of. Fields stand in one
 * order, those equal to their default are left out, times are UTC, days and metadata keys are sorted.
 */
#include <string.h>

#include "common/base/pii.h"
#include "common/json/json.h"
#include "common/model/request.h"

static void add_optional(struct buf *b, const char *key, struct span text)
{
    if (text.p)
        json_kstr(b, key, text);
}

static void add_unless(struct buf *b, const char *key, int value, int usual)
{
    if (value != usual)
        json_kint(b, key, value);
}

static void add_message(struct buf *b, const struct request *request)
{
    static const char *const kinds[] = {
        [MESSAGE_PLAY] = "play", [MESSAGE_SAY] = "say", [MESSAGE_ANSWER_URL] = "answer_url"};
    json_key(b, "message");
    buf_addc(b, '{');
    json_kstr(b, kinds[request->message_kind], request->message);
    add_optional(b, "language", request->language);
    buf_addc(b, '}');
}

static bool usual_delays(const struct request *request)
{
    return request->delays_n == 2 && request->delays_s[0] == REQUEST_DEFAULT_DELAY_1_S &&
           request->delays_s[1] == REQUEST_DEFAULT_DELAY_2_S;
}

static void add_retry_on(struct buf *b, unsigned bits)
{
    json_key(b, "on");
    buf_addc(b, '[');
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (bits >> status & 1) {
            json_sep(b);
            json_str(b, span_str(status_name((enum call_status)status)));
        }
    }
    buf_addc(b, ']');
}

static void add_delays(struct buf *b, const struct request *request)
{
    json_key(b, "delays");
    buf_addc(b, '[');
    for (size_t i = 0; i < request->delays_n; i++) {
        json_sep(b);
        buf_addint(b, request->delays_s[i]);
    }
    buf_addc(b, ']');
}

static void add_retry(struct buf *b, const struct request *request)
{
    bool usual_on = request->retry_on == REQUEST_DEFAULT_RETRY_ON;
    if (request->max_attempts == 1 && usual_on && usual_delays(request))
        return;
    json_key(b, "retry");
    buf_addc(b, '{');
    add_unless(b, "max_attempts", request->max_attempts, 1);
    if (!usual_on)
        add_retry_on(b, request->retry_on);
    if (!usual_delays(request))
        add_delays(b, request);
    buf_addc(b, '}');
}

static void add_times(struct buf *b, const struct request *request)
{
    if (request->not_before_ms)
        json_ktime(b, "not_before", request->not_before_ms);
    if (request->expires_at_ms)
        json_ktime(b, "expires_at", request->expires_at_ms);
}

void request_add_json(struct buf *b, const struct request *request)
{
    buf_addc(b, '{');
    json_kstr(b, "call_id", request->call_id);
    json_kstr(b, "tenant", request->tenant);
    json_kstr(b, "campaign", request->campaign);
    json_kstr(b, "to", request->to);
    add_optional(b, "channel", request->channel);
    add_optional(b, "from", request->from);
    add_message(b, request);
    add_unless(b, "ring_timeout", request->ring_timeout_s, 40);
    add_unless(b, "time_limit", request->time_limit_s, 3600);
    add_times(b, request);
    if (request->calling_hours.zone) {
        json_key(b, "calling_hours");
        hours_add_json(b, &request->calling_hours);
    }
    add_retry(b, request);
    if (request->redial_in_doubt)
        json_kbool(b, "redial_in_doubt", true);
    add_unless(b, "priority", request->priority, 5);
    if (request->metadata.p)
        json_kraw(b, "metadata", request->metadata);
    buf_addc(b, '}');
}

void request_add_shown_metadata(struct buf *b, const struct request *request)
{
    const char *key;
    json_t *value;
    json_t *all = request->metadata.n > 0 && pii_hides_metadata()
                      ? json_read(request->metadata, REQUEST_MAX_METADATA, JSON_READ_LENIENT, NULL)
                      : NULL;
    if (all == NULL) {
        buf_addspan(b, request->metadata.n > 0 && !pii_hides_metadata() ? request->metadata : SPAN_LIT("{}"));
        return;
    }
    buf_addc(b, '{');
    json_object_foreach(all, key, value)
    {
        json_sep(b);
        json_str(b, span_str(key));
        buf_addc(b, ':');
        if (pii_keeps_metadata(span_str(key)))
            json_value(b, value, JSON_SORTED);
        else
            buf_adds(b, "\"***\"");
    }
    buf_addc(b, '}');
    json_decref(all);
}
