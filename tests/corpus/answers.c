/* What a call is told to do. */
#include "common/json/json.h"
#include "tests/corpus/corpus.h"

enum { DOCUMENT_MAX = 256 * 1024 };

/* As text, or as JSON where that is what the case compares. */
static void add_document(struct corpus_case *c, struct buf *came, const struct buf *document)
{
    json_t *json = json_object_get(c->expect, "json");
    json_t *read = json ? json_parse(buf_span(document), DOCUMENT_MAX, NULL) : NULL;
    if (read)
        json_kraw(came, "json", buf_span(document));
    else
        json_kstr(came, "body", buf_span(document));
    json_decref(read);
}

static void run(struct corpus_case *c, struct buf *came)
{
    const struct provider *provider = c->channel->provider;
    json_t *message = json_object_get(c->input, "message");
    struct request request = {.call_id = SPAN_NONE};
    const char *type = NULL;
    if (!provider->answer)
        corpus_problem(c, "answer: %s takes instructions only inside the placement", provider->name);
    else if (!message == !json_is_true(json_object_get(c->input, "hang_up")))
        corpus_problem(c, "answer: expected either a message or \"hang_up\": true");
    else if (!message || corpus_request(c, message, &request)) {
        struct buf document;
        buf_init(&document, DOCUMENT_MAX);
        provider->answer(message ? &request : NULL, &document, &type);
        json_kstrz(came, "content_type", type);
        add_document(c, came, &document);
        buf_done(&document);
    }
    request_done(&request);
}

static const char *const keys[] = {"message", "hang_up", NULL};
const struct corpus_kind corpus_answer = {.name = "answer", .keys = keys, .uses_request = true, .run = run};
