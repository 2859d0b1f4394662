/* Requests as text, and what request_parse() says of them. */
#ifndef IVR_UNIT_REQUEST_FIXTURE_H
#define IVR_UNIT_REQUEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"
#include "common/model/request.h"

#define IDS   "\"call_id\": \"c-1\", \"tenant\": \"acme\", \"campaign\": \"maize\", \"to\": \"+254722000111\""
#define SAY   "\"message\": {\"say\": \"Habari\"}"
#define BASIC IDS ", " SAY
#define HOURS "\"calling_hours\": {\"timezone\": \"Africa/Nairobi\", \"from\": \"08:00\", \"to\": \"19:30\""

struct parsed_request {
    struct request request;
    struct err err;
    char field[64];
    bool not_json;
    int rc;
};

static inline struct parsed_request parse(struct span text)
{
    struct parsed_request out = {.err = ERR_INIT};
    memset(&out.request, 0xA5, sizeof out.request);
    out.rc = request_parse(&out.request, text, &out.err, out.field, &out.not_json);
    return out;
}

/* The text lives only during the call: what the request points to must be its own. */
static inline struct parsed_request parse_members(const char *members)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_addc(&text, '{');
    buf_adds(&text, members);
    buf_addc(&text, '}');
    struct parsed_request out = parse(buf_span(&text));
    buf_done(&text);
    return out;
}

static inline struct parsed_request accept(const char *members)
{
    struct parsed_request out = parse_members(members);
    if (out.rc)
        fail_msg("%s: %s", members, out.err.text);
    return out;
}

static inline void assert_refused(const char *members, const char *field)
{
    struct parsed_request out = parse_members(members);
    if (out.rc != ERR_INVALID || strcmp(out.field, field) != 0 ||
        strncmp(out.err.text, field, strlen(field)) != 0)
        fail_msg("%s: %d, field \"%s\", \"%s\"", members, out.rc, out.field, out.err.text);
    assert_int_equal(out.err.code, ERR_INVALID);
    assert_false(out.not_json);
    assert_true(strlen(out.err.text) > 10);
    request_done(&out.request);
}

/* Refused for `field` when `members` stand beside everything that is required. */
static inline void assert_option_refused(const char *members, const char *field)
{
    char text[1024];
    snprintf(text, sizeof text, BASIC ", %s", members);
    assert_refused(text, field);
}

#define ASSERT_SPAN(span, text) assert_true(span_is(span, text))

/* Each field that there is, none with its default. */
__attribute__((unused)) static const char everything[] =
    IDS ", \"channel\": \"ke-main\", \"from\": \"+254711082000\", \"message\": {\"say\": \"Bei\", "
        "\"language\": \"sw-KE\"},"
        "\"ring_timeout\": 30, \"time_limit\": 600, \"not_before\": \"2026-11-22T18:50:50.5Z\","
        "\"expires_at\": \"2026-11-23T23:50:50+03:00\"," HOURS ", \"days\": [\"tue\", \"mon\"]},"
        "\"retry\": {\"max_attempts\": 3, \"on\": [\"Gateway_unavailable\", \"No_answer\"], \"delays\": [1, "
        "2, 3]},"
        "\"redial_in_doubt\": true, \"priority\": 0, \"metadata\": {\"b\": [1, null], \"a\": {\"y\": 0.1, "
        "\"x\": \"\\u20ac\"}}";

#endif
