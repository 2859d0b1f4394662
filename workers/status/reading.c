#include "workers/status/reading.h"

#include <assert.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/model/request.h"
#include "workers/calls/parked.h"

enum { ATTEMPT_MAX = 999999999, SHOWN = 60 };

/* ---- headers ---- */

/* The headers that count here, in the order of `names`. */
enum header {
    H_PROVIDER,
    H_CHANNEL,
    H_TENANT,
    H_CALLID,
    H_ATTEMPT,
    H_QUERY,
    H_VERIFIED,
    H_TIME,
    H_CONTENT_TYPE,
    H_TRACEPARENT,
    H_TRACESTATE,
    H_PARKED,
    H_COUNT
};

static const struct span names[H_COUNT] = {
    [H_PROVIDER] = {"ce_provider", 11},      [H_CHANNEL] = {"ce_channel", 10},
    [H_TENANT] = {"ce_tenant", 9},           [H_CALLID] = {"ce_callid", 9},
    [H_ATTEMPT] = {"ce_attempt", 10},        [H_QUERY] = {"ce_query", 8},
    [H_VERIFIED] = {"ce_verified", 11},      [H_TIME] = {"ce_time", 7},
    [H_CONTENT_TYPE] = {"content-type", 12}, [H_TRACEPARENT] = {"traceparent", 11},
    [H_TRACESTATE] = {"tracestate", 10},     [H_PARKED] = {PARKED_HEADER, sizeof(PARKED_HEADER) - 1},
};

/* One pass over the record's headers: looking each one up by name would walk them twelve times. The first of
 * a name counts. */
static void sort_headers(const struct kafka_header *headers, size_t n, struct span found[H_COUNT])
{
    memset(found, 0, H_COUNT * sizeof(*found));
    for (size_t i = 0; i < n; i++) {
        for (size_t h = 0; h < H_COUNT; h++) {
            if (found[h].p == NULL && span_eq(headers[i].name, names[h])) {
                found[h] = headers[i].value.p != NULL ? headers[i].value : SPAN_LIT("");
                break;
            }
        }
    }
}

/* A header's value in an error: cut, so that a sentence stays one. */
static struct span shown(struct span value)
{
    return span_of(value.p, value.n < SHOWN ? value.n : SHOWN);
}

/* ---- our reference ---- */

static bool parse_attempt(struct span text, int *attempt)
{
    return text.n > 0 && text.p[0] != '0' && number_read_int(text, 1, ATTEMPT_MAX, attempt);
}

static void compose(struct call_ref *ref, struct span tenant, struct span call_id)
{
    assert(tenant.p != NULL && call_id.p != NULL); /* valid ones are not empty */
    memcpy(ref->id, tenant.p, tenant.n);
    ref->id[tenant.n] = '/';
    memcpy(ref->id + tenant.n + 1, call_id.p, call_id.n);
    ref->id_n = tenant.n + 1 + call_id.n;
    ref->id[ref->id_n] = '\0';
}

bool call_ref_parse(struct call_ref *ref, struct span text)
{
    const char *first = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
    const char *last = text.n > 0 ? memrchr(text.p, '/', text.n) : NULL;
    ref->id_n = 0;
    if (first == NULL || first == last)
        return false;
    struct span tenant = span_of(text.p, (size_t)(first - text.p));
    struct span call_id = span_of(first + 1, (size_t)(last - first - 1));
    struct span attempt = span_of(last + 1, (size_t)(text.p + text.n - last - 1));
    if (!request_valid_tenant(tenant) || !request_valid_call_id(call_id) ||
        !parse_attempt(attempt, &ref->attempt))
        return false;
    compose(ref, tenant, call_id);
    return true;
}

/* All three headers, or none. */
static int read_ref(struct call_ref *ref, const struct span found[H_COUNT], struct err *err)
{
    if (found[H_TENANT].p == NULL && found[H_CALLID].p == NULL && found[H_ATTEMPT].p == NULL)
        return 0;
    if (!request_valid_tenant(found[H_TENANT]))
        return err_set(err, ERR_INVALID, "header ce_tenant: \"%.*s\", expected a tenant beside ce_callid",
                       SPAN_ARG(shown(found[H_TENANT])));
    if (!request_valid_call_id(found[H_CALLID]))
        return err_set(err, ERR_INVALID, "header ce_callid: \"%.*s\", expected a call_id beside ce_tenant",
                       SPAN_ARG(shown(found[H_CALLID])));
    if (!parse_attempt(found[H_ATTEMPT], &ref->attempt))
        return err_set(err, ERR_INVALID, "header ce_attempt: \"%.*s\", expected a whole number from 1",
                       SPAN_ARG(shown(found[H_ATTEMPT])));
    compose(ref, found[H_TENANT], found[H_CALLID]);
    return 0;
}

/* ---- the record ---- */

static void read_trace(struct callback_reading *reading, struct span parent, struct span state)
{
    if (parent.n == 0 || parent.n >= READING_TRACE_MAX)
        return;
    memcpy(reading->trace, parent.p, parent.n);
    reading->trace_n = parent.n;
    if (state.n == 0 || parent.n + 1 + state.n > READING_TRACE_MAX)
        return;
    reading->trace[parent.n] = '\n';
    memcpy(reading->trace + parent.n + 1, state.p, state.n);
    reading->trace_n += 1 + state.n;
}

static int read_envelope(struct callback_reading *reading, const struct span found[H_COUNT], struct err *err)
{
    reading->parked_before = found[H_PARKED].p != NULL;
    reading->provider = provider_by_name(found[H_PROVIDER]);
    if (!clock_parse_rfc3339(found[H_TIME], &reading->received_ms))
        reading->received_ms = 0;
    if (found[H_PROVIDER].p == NULL)
        return err_set(err, ERR_INVALID, "header ce_provider: missing, expected the name of a provider");
    if (reading->provider == NULL)
        return err_set(err, ERR_INVALID, "header ce_provider: \"%.*s\", expected the name of a provider",
                       SPAN_ARG(shown(found[H_PROVIDER])));
    reading->channel = found[H_CHANNEL];
    if (reading->channel.n == 0 || reading->channel.n > READING_CHANNEL_MAX)
        return err_set(err, ERR_INVALID, "header ce_channel: \"%.*s\", expected the name of a channel",
                       SPAN_ARG(shown(reading->channel)));
    reading->unproved = reading->provider->signs_body_only && span_is(found[H_VERIFIED], "signature");
    read_trace(reading, found[H_TRACEPARENT], found[H_TRACESTATE]);
    return read_ref(&reading->ref, found, err);
}

/* What the provider echoes stands in for the headers; what names the call by the provider's id is the last
 * resort. */
static void read_ids(struct callback_reading *reading, const struct callback *callback)
{
    struct buf text;
    if (reading->ref.id_n > 0)
        return;
    buf_init(&text, EVIDENCE_ID_MAX + CALLS_MAX_REF);
    if (reading->provider->callback_ref != NULL && reading->provider->callback_ref(callback, &text))
        call_ref_parse(&reading->ref, buf_span(&text));
    buf_clear(&text);
    if (reading->evidence.provider_call_id[0] == '\0' && reading->provider->callback_id(callback, &text))
        evidence_set_provider_call_id(&reading->evidence, buf_span(&text));
    buf_done(&text);
}

int reading_read(struct callback_reading *reading, const struct kafka_header *headers, size_t n,
                 struct span body, struct err *err)
{
    struct span found[H_COUNT];
    reading->provider = NULL;
    reading->unproved = false;
    reading->ref.id_n = 0;
    reading->trace_n = 0;
    evidence_init(&reading->evidence);
    sort_headers(headers, n, found);
    if (read_envelope(reading, found, err) != 0)
        return ERR_INVALID;
    /* Of a GET the value is the query string, which reads like a form's body. */
    const struct callback callback = {
        .method = "POST",
        .query = found[H_QUERY],
        .content_type = found[H_CONTENT_TYPE],
        .body = body,
        .received_ms = reading->received_ms,
    };
    if (reading->provider->callback(&callback, &reading->evidence, err) != 0)
        return ERR_INVALID;
    read_ids(reading, &callback);
    if (reading->evidence.provider_call_id[0] != '\0')
        return 0;
    if (reading->ref.id_n == 0)
        return err_set(
            err, ERR_INVALID,
            "the callback names no call: neither our reference nor the provider's call id is in it");
    if (reading->unproved)
        return err_set(err, ERR_INVALID,
                       "the callback names no call: its body has no provider's call id, "
                       "and its signature does not cover the path");
    return 0;
}
