#include "workers/gateway/route.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/number.h"
#include "common/base/phone.h"
#include "common/base/url.h"
#include "common/model/request.h"
#include "workers/contact/dnc.h"

enum { ATTEMPT_MAX = 999999999 };

/* Cuts the next segment off; false at the end. "/a//b" has an empty one in the middle, "/a//" one at its end:
 * the last slash of "/a/" ends a segment and begins none. */
static bool next_segment(struct span *path, struct span *segment)
{
    if (path->n == 0 || path->p[0] != '/')
        return false;
    if (path->n == 1 && segment->p != NULL)
        return false;
    const char *start = path->p + 1, *end = path->p + path->n;
    const char *slash = memchr(start, '/', (size_t)(end - start));
    *segment = span_of(start, (size_t)((slash != NULL ? slash : end) - start));
    *path = slash != NULL ? span_of(slash, (size_t)(end - slash)) : span_of(end, 0);
    return true;
}

/* Decodes every segment into route->text; how many there are, or 0 when one is empty, malformed or too
 * much. */
static size_t decode_segments(struct route *route, struct span segments[ROUTE_MAX_SEGMENTS])
{
    struct buf text;
    struct span rest = route->path, segment = SPAN_NONE;
    size_t n = 0, start[ROUTE_MAX_SEGMENTS + 1] = {0};
    bool good = true;
    buf_init(&text, ROUTE_MAX_TEXT);
    while (good && next_segment(&rest, &segment)) {
        good = n < ROUTE_MAX_SEGMENTS && url_decode(&text, segment, false) && text.n > start[n];
        if (good)
            start[++n] = text.n;
    }
    good = good && buf_ok(&text) && (text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
    if (good)
        memcpy(route->text, text.p, text.n);
    for (size_t i = 0; good && i < n; i++)
        segments[i] = span_of(route->text + start[i], start[i + 1] - start[i]);
    buf_done(&text);
    return good ? n : 0;
}

/* 1 to 9 digits, the first not 0: one spelling an attempt. */
static bool read_attempt(struct span text, int *attempt)
{
    return text.n > 0 && text.p[0] != '0' && number_read_int(text, 1, ATTEMPT_MAX, attempt);
}

static bool read_call_path(struct route *route, const struct span *segments, size_t n)
{
    if (n != 3 && n != 6)
        return false;
    route->provider = segments[1];
    route->channel = segments[2];
    if (n == 3)
        return true;
    route->tenant = segments[3];
    route->call_id = segments[4];
    return request_valid_tenant(route->tenant) && request_valid_call_id(route->call_id) &&
           read_attempt(segments[5], &route->attempt);
}

static void read_provider_path(struct route *route, const struct span *segments, size_t n,
                               enum route_kind kind)
{
    bool whole = read_call_path(route, segments, n);
    route->kind = whole ? kind : ROUTE_NONE;
    route->stray = !whole;
    if (!whole && n > 1)
        route->provider = segments[1];
}

/* /v1/{campaigns|calls}/{tenant}/{name}/{what}, /v1/{tenants|channels}/{name}/{what} */
static bool read_control(struct route *route, const struct span *segments, size_t n)
{
    static const char *const collections[] = {[CONTROL_CAMPAIGN] = "campaigns",
                                              [CONTROL_TENANT] = "tenants",
                                              [CONTROL_CHANNEL] = "channels",
                                              [CONTROL_CALL] = "calls"};
    unsigned kind = CONTROL_CAMPAIGN;
    while (kind <= CONTROL_CALL && !span_is(segments[1], collections[kind]))
        kind++;
    bool two = kind == CONTROL_CAMPAIGN || kind == CONTROL_CALL;
    if (kind > CONTROL_CALL || n != (two ? 5 : 4) ||
        !control_what_read(segments[n - 1], &route->control_what))
        return false;
    route->control_kind = (enum control_kind)kind;
    if (kind == CONTROL_CHANNEL)
        route->channel = segments[2];
    else
        route->tenant = segments[2];
    if (kind == CONTROL_CAMPAIGN)
        route->campaign = segments[3];
    else if (kind == CONTROL_CALL)
        route->call_id = segments[3];
    return request_valid_tenant(segments[2]) &&
           (kind != CONTROL_CAMPAIGN || request_valid_campaign(segments[3])) &&
           (kind != CONTROL_CALL || request_valid_call_id(segments[3]));
}

static bool read_dnc(struct route *route, const struct span *segments, size_t n)
{
    if (n != 4 || !span_is(segments[1], "dnc"))
        return false;
    route->tenant = segments[2];
    route->number = segments[3];
    return (span_is(route->tenant, DNC_ALL) || request_valid_tenant(route->tenant)) &&
           phone_valid(route->number);
}

static enum route_kind read_v1(struct route *route, const struct span *segments, size_t n)
{
    bool calls = n > 1 && span_is(segments[1], "calls"),
         campaigns = n > 1 && span_is(segments[1], "campaigns");
    if (calls && n == 2)
        return ROUTE_CALLS;
    /* A call may be named "pause": the longer path is the control. */
    if (n > 3 && read_control(route, segments, n))
        return ROUTE_CONTROL;
    if (n > 3 && read_dnc(route, segments, n))
        return ROUTE_DNC;
    if (n != 4 || !(calls || campaigns) || !request_valid_tenant(segments[2]))
        return ROUTE_V1;
    route->tenant = segments[2];
    if (calls && request_valid_call_id(segments[3])) {
        route->call_id = segments[3];
        return ROUTE_CALL;
    }
    if (campaigns && request_valid_campaign(segments[3])) {
        route->campaign = segments[3];
        return ROUTE_CAMPAIGN;
    }
    return ROUTE_V1;
}

static bool is_under(struct span path, struct span prefix)
{
    return path.n >= prefix.n && (prefix.n == 0 || memcmp(path.p, prefix.p, prefix.n) == 0) &&
           (path.n == prefix.n || path.p[prefix.n] == '/');
}

/* What is left without the prefix, where that is a path of ours. */
static struct span without_public_path(struct span path, struct span public_path)
{
    if (public_path.n == 0 || !is_under(path, public_path))
        return path;
    struct span rest = span_of(path.p + public_path.n, path.n - public_path.n);
    bool ours = is_under(rest, SPAN_LIT("/callbacks")) || is_under(rest, SPAN_LIT("/answer")) ||
                is_under(rest, SPAN_LIT("/v1"));
    return ours ? rest : path;
}

void route_read(struct route *route, struct span path, struct span public_path)
{
    struct span segments[ROUTE_MAX_SEGMENTS];
    memset(route, 0, sizeof(*route));
    route->path = without_public_path(path, public_path);
    size_t n = decode_segments(route, segments);
    if (is_under(route->path, SPAN_LIT("/v1")))
        route->kind = read_v1(route, segments, n);
    else if (n > 0 && span_is(segments[0], "callbacks"))
        read_provider_path(route, segments, n, ROUTE_CALLBACK);
    else if (n > 0 && span_is(segments[0], "answer"))
        read_provider_path(route, segments, n, ROUTE_ANSWER);
    else
        route->stray =
            is_under(route->path, SPAN_LIT("/callbacks")) || is_under(route->path, SPAN_LIT("/answer"));
}

void route_add_path(struct buf *b, const struct route *route, enum route_spelling spelling)
{
    const struct span parts[] = {route->provider, route->channel, route->tenant, route->call_id};
    size_t n = route->attempt > 0 ? 4 : 2;
    buf_adds(b, route->kind == ROUTE_ANSWER ? "/answer" : "/callbacks");
    for (size_t i = 0; i < n; i++) {
        buf_addc(b, '/');
        if (spelling == ROUTE_ESCAPED)
            url_add_encoded(b, parts[i]);
        else
            url_add_segment(b, parts[i]);
    }
    if (route->attempt > 0) {
        buf_addc(b, '/');
        buf_addint(b, route->attempt);
    }
}

/* Separated by ", ", as the Allow header wants them. */
const char *route_methods(enum route_kind kind)
{
    switch (kind) {
    case ROUTE_CALLBACK:
    case ROUTE_ANSWER:
        return "GET, POST, OPTIONS";
    case ROUTE_CALLS:
    case ROUTE_CONTROL:
        return "POST, OPTIONS";
    case ROUTE_DNC:
        return "GET, HEAD, PUT, DELETE, OPTIONS";
    case ROUTE_CALL:
    case ROUTE_CAMPAIGN:
        return "GET, HEAD, OPTIONS";
    case ROUTE_NONE:
    case ROUTE_V1:
        break;
    }
    return "";
}

bool route_takes(enum route_kind kind, const char *method)
{
    const char *methods = route_methods(kind);
    size_t n = strlen(method);
    while (*methods != '\0') {
        size_t length = strcspn(methods, ",");
        if (length == n && memcmp(methods, method, n) == 0)
            return true;
        methods += length + strspn(methods + length, ", ");
    }
    return false;
}

bool route_read_ref(struct span ref, struct span *tenant, struct span *call_id, int *attempt)
{
    const char *first = ref.n > 0 ? memchr(ref.p, '/', ref.n) : NULL;
    if (first == NULL)
        return false;
    size_t rest_n = (size_t)(ref.p + ref.n - first - 1);
    const char *second = memchr(first + 1, '/', rest_n);
    if (second == NULL)
        return false;
    *tenant = span_of(ref.p, (size_t)(first - ref.p));
    *call_id = span_of(first + 1, (size_t)(second - first - 1));
    return request_valid_tenant(*tenant) && request_valid_call_id(*call_id) &&
           read_attempt(span_of(second + 1, (size_t)(ref.p + ref.n - second - 1)), attempt);
}
