/* What a provider replies: to a placement, to a look-up, to a search. */
#include <string.h>

#include "common/json/json.h"
#include "tests/corpus/corpus.h"
#include "workers/providers/reply.h"

static const char *const reply_keys[] = {"status", "json", "body", NULL};
static const char *const response_keys[] = {"status", "json", "body", "location", NULL};

static int status_of(struct corpus_case *c)
{
    json_t *status = json_object_get(c->input, "status");
    if (!json_is_integer(status))
        corpus_problem(c, "%s.status: expected a number", c->kind->name);
    return (int)json_integer_value(status);
}

static void run_response(struct corpus_case *c, struct buf *came)
{
    static const char *const names[] = {[PLACED_ACCEPTED] = "accepted",
                                        [PLACED_REFUSED] = "refused",
                                        [PLACED_REFUSED_FOR_NOW] = "refused_for_now",
                                        [PLACED_NOT_NOW] = "not_now",
                                        [PLACED_CHANNEL] = "channel",
                                        [PLACED_IN_DOUBT] = "in_doubt"};
    struct corpus_bytes body;
    struct placed placed;
    const char *location = json_string_value(json_object_get(c->input, "location"));
    corpus_bytes(c, &body);
    const struct http_reply reply = {.outcome = HTTP_REPLY,
                                     .status = status_of(c),
                                     .body = corpus_bytes_span(&body),
                                     .redirected_to = location ? span_str(location) : SPAN_NONE};
    reply_read(c->channel, &reply, &placed);
    corpus_bytes_done(&body);
    json_kstrz(came, "kind", names[placed.kind]);
    if (placed.caller_id)
        json_kbool(came, "caller_id", true);
    corpus_add_evidence(c, came, &placed.evidence);
}

static void run_looked_up(struct corpus_case *c, struct buf *came)
{
    struct corpus_bytes body;
    struct evidence ev;
    if (!c->channel->provider->looked_up) {
        corpus_problem(c, "looked_up: %s cannot be asked", c->channel->provider->name);
        return;
    }
    memset(&ev, 0xA5, sizeof ev);
    corpus_bytes(c, &body);
    c->channel->provider->looked_up(c->channel, status_of(c), corpus_bytes_span(&body), &ev);
    corpus_bytes_done(&body);
    corpus_add_evidence(c, came, &ev);
}

static void found(struct corpus_case *c, struct buf *came, const struct request *request)
{
    struct doubt doubt = corpus_doubt(c, "placed_at", request);
    struct corpus_bytes body;
    struct evidence ev;
    memset(&ev, 0xA5, sizeof ev);
    corpus_bytes(c, &body);
    c->channel->provider->found(c->channel, &doubt, status_of(c), corpus_bytes_span(&body), &ev);
    corpus_bytes_done(&body);
    corpus_add_evidence(c, came, &ev);
}

static void run_found(struct corpus_case *c, struct buf *came)
{
    struct request request;
    if (!c->channel->provider->found)
        corpus_problem(c, "found: %s does not list calls", c->channel->provider->name);
    else if (corpus_request(c, NULL, &request))
        found(c, came, &request);
    request_done(&request);
}

static const char *const found_keys[] = {"status", "json", "body", "placed_at", NULL};
const struct corpus_kind corpus_found = {
    .name = "found", .keys = found_keys, .uses_request = true, .run = run_found};
const struct corpus_kind corpus_response = {.name = "response", .keys = response_keys, .run = run_response};
const struct corpus_kind corpus_looked_up = {.name = "looked_up", .keys = reply_keys, .run = run_looked_up};
