/* What a provider is sent: placements and look-ups; and whether its channel is taken at all. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/url.h"
#include "common/json/json.h"
#include "tests/corpus/corpus.h"

/* ---- the HTTP request ---- */

static void add_form(struct buf *came, const struct form *form)
{
    json_key(came, "form");
    buf_adds(came, "[");
    for (size_t i = 0; i < form->n; i++) {
        json_sep(came);
        buf_adds(came, "[");
        json_str(came, form->fields[i].name);
        json_sep(came);
        json_str(came, form->fields[i].value);
        buf_adds(came, "]");
    }
    buf_adds(came, "]");
}

/* As text where the case has it so; else as the JSON or the form that it is. */
static void add_body(struct corpus_case *c, struct buf *came, const struct http_request *http)
{
    struct form form = {.fields = NULL};
    struct span body = buf_span(&http->body);
    bool as_text = json_object_get(c->expect, "body") != NULL;
    bool as_form = json_object_get(c->expect, "form") || strstr(http->headers.p, "form-urlencoded");
    json_t *json = as_text || body.n == 0 ? NULL : json_parse(body, CORPUS_MAX_TEXT, NULL);
    if (json)
        json_kraw(came, "json", body);
    else if (!as_text && as_form && body.n > 0 && form_parse(&form, body, NULL) == 0)
        add_form(came, &form);
    else if (body.n > 0)
        json_kstr(came, "body", body);
    form_done(&form);
    json_decref(json);
}

static bool is_checked_apart(struct corpus_case *c, struct span name)
{
    return json_object_get(c->expect, "jwt") && span_is(name, "Authorization");
}

static void add_header(struct corpus_case *c, struct buf *came, struct span line, struct span *authorization)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon || (size_t)(colon - line.p) + 2 > line.n || colon[1] != ' ') {
        corpus_problem(c, "headers: \"%.*s\" is none", SPAN_ARG(line));
        return;
    }
    struct span name = span_of(line.p, (size_t)(colon - line.p));
    struct span value = span_of(colon + 2, line.n - name.n - 2);
    if (is_checked_apart(c, name)) {
        *authorization = value;
        return;
    }
    json_sep(came);
    json_str(came, name);
    buf_adds(came, ":");
    json_str(came, value);
}

static void add_headers(struct corpus_case *c, struct buf *came, struct span lines)
{
    struct span authorization = SPAN_NONE;
    if (lines.n == 0)
        return;
    json_key(came, "headers");
    buf_adds(came, "{");
    while (lines.n > 0) {
        const char *end = memchr(lines.p, '\n', lines.n);
        size_t n = end ? (size_t)(end - lines.p) : lines.n;
        add_header(c, came, span_of(lines.p, n), &authorization);
        lines = span_of(lines.p + n + !!end, lines.n - n - !!end);
    }
    buf_adds(came, "}");
    if (authorization.n > 0)
        corpus_add_jwt(c, came, authorization);
}

static void check_fits(struct corpus_case *c, const struct http_request *http)
{
    if (!buf_ok(&http->url) || !buf_ok(&http->headers) || !buf_ok(&http->user) || !buf_ok(&http->password) ||
        !buf_ok(&http->body))
        corpus_problem(c, "the request is larger than what can be sent");
}

static void add_http(struct corpus_case *c, struct buf *came, const struct http_request *http)
{
    check_fits(c, http);
    json_kstrz(came, "method", http->method);
    json_kstr(came, "url", buf_span(&http->url));
    add_headers(c, came, buf_span(&http->headers));
    if (http->user.n > 0)
        json_kstr(came, "user", buf_span(&http->user));
    if (http->password.n > 0)
        json_kstr(came, "password", buf_span(&http->password));
    add_body(c, came, http);
}

/* ---- placements ---- */

static void place(struct corpus_case *c, struct buf *came, const struct request *request)
{
    struct http_request http;
    struct err err = ERR_INIT;
    struct placement placement = {
        .channel = c->channel,
        .request = request,
        .from = request->from.n > 0 ? request->from : span_str(c->channel->from),
        .attempt = (int)json_integer_value(json_object_get(c->input, "attempt")),
        .public_url = json_get_span(c->input, "public_url"),
    };
    if (placement.attempt < 1)
        corpus_problem(c, "place.attempt: expected a number from 1 on");
    http_request_init(&http);
    if (c->channel->provider->place(&placement, &http, &err) != 0)
        corpus_add_sentence(c, came, "refused", err.text);
    else if (http.once)
        add_http(c, came, &http);
    else
        corpus_problem(c, "a placement that libcurl may send twice: `once` is false");
    http_request_done(&http);
}

static void run_place(struct corpus_case *c, struct buf *came)
{
    struct request request;
    if (corpus_request(c, NULL, &request))
        place(c, came, &request);
    request_done(&request);
}

static const char *const place_keys[] = {"attempt", "public_url", NULL};
const struct corpus_kind corpus_place = {
    .name = "place", .keys = place_keys, .uses_request = true, .run = run_place};

/* ---- look-ups, and hanging up ---- */

static void ask_by_id(struct corpus_case *c, struct buf *came,
                      int (*build)(const struct channel *channel, struct span provider_call_id,
                                   struct http_request *http, struct err *err))
{
    struct http_request http;
    struct err err = ERR_INIT;
    if (!build) {
        corpus_problem(c, "%s cannot be asked", c->channel->provider->name);
        return;
    }
    http_request_init(&http);
    if (build(c->channel, json_get_span(c->input, "provider_call_id"), &http, &err) != 0)
        corpus_add_sentence(c, came, "refused", err.text);
    else
        add_http(c, came, &http);
    http_request_done(&http);
}

static void run_lookup(struct corpus_case *c, struct buf *came)
{
    ask_by_id(c, came, c->channel->provider->lookup);
}

static void run_hang_up(struct corpus_case *c, struct buf *came)
{
    ask_by_id(c, came, c->channel->provider->hang_up);
}

static const char *const id_keys[] = {"provider_call_id", NULL};
const struct corpus_kind corpus_lookup = {.name = "lookup", .keys = id_keys, .run = run_lookup};
const struct corpus_kind corpus_hang_up = {.name = "hang_up", .keys = id_keys, .run = run_hang_up};

struct doubt corpus_doubt(struct corpus_case *c, const char *key, const struct request *request)
{
    int64_t placed_ms = corpus_instant(c, key);
    return (struct doubt){.to = request->to,
                          .from = request->from.n > 0 ? request->from : span_str(c->channel->from),
                          .from_ms = placed_ms - 5000,
                          .to_ms = placed_ms + c->channel->request_timeout_ms + 5000};
}

static void find(struct corpus_case *c, struct buf *came, const struct request *request)
{
    struct doubt doubt = corpus_doubt(c, "placed_at", request);
    struct http_request http;
    struct err err = ERR_INIT;
    http_request_init(&http);
    if (c->channel->provider->find(c->channel, &doubt, &http, &err) != 0)
        corpus_add_sentence(c, came, "refused", err.text);
    else
        add_http(c, came, &http);
    http_request_done(&http);
}

static void run_find(struct corpus_case *c, struct buf *came)
{
    struct request request;
    if (!c->channel->provider->find)
        corpus_problem(c, "find: %s does not list calls", c->channel->provider->name);
    else if (corpus_request(c, NULL, &request))
        find(c, came, &request);
    request_done(&request);
}

static const char *const find_keys[] = {"placed_at", NULL};
const struct corpus_kind corpus_find = {
    .name = "find", .keys = find_keys, .uses_request = true, .run = run_find};

/* ---- the channels file ---- */

static void run_open(struct corpus_case *c, struct buf *came)
{
    if (!json_is_true(c->input))
        corpus_problem(c, "open: expected true");
    if (!c->channel)
        corpus_add_sentence(c, came, "refused", c->refused.p);
}

const struct corpus_kind corpus_open = {.name = "open", .run = run_open};
