/* What a provider sends by itself: callbacks, and their signatures. */
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "tests/corpus/corpus.h"

static struct span header_of(const struct callback *callback, const char *name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)callback->arg, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return span_str(json_string_value(value));
    }
    return SPAN_NONE;
}

static struct span content_type_of(struct corpus_case *c, const struct corpus_bytes *body)
{
    bool given = json_object_get(c->input, "content_type") != NULL;
    return given ? json_get_span(c->input, "content_type") : span_str(body->type);
}

static struct callback read_callback(struct corpus_case *c, const struct corpus_bytes *body)
{
    const char *method = json_string_value(json_object_get(c->input, "method"));
    return (struct callback){
        .method = method ? method : "POST",
        .target = json_get_span(c->input, "target"),
        .query = json_get_span(c->input, "query"),
        .content_type = content_type_of(c, body),
        .body = corpus_bytes_span(body),
        .received_ms = corpus_instant(c, "at"),
        .header = header_of,
        .arg = json_object_get(c->input, "headers"),
    };
}

/* ---- callbacks ---- */

/* What is found without reading the whole: which call it is of, and whether it asks. */
static void add_finding(struct buf *came, const char *key, bool found, const struct buf *text)
{
    if (found)
        json_kstr(came, key, buf_span(text));
}

static void add_findings(struct buf *came, const struct provider *provider, const struct callback *callback)
{
    struct buf id, ref;
    buf_init(&id, CORPUS_MAX_TEXT);
    buf_init(&ref, CORPUS_MAX_TEXT);
    bool has_id = provider->callback_id(callback, &id);
    bool has_ref = provider->callback_ref && provider->callback_ref(callback, &ref);
    add_finding(came, "id", has_id, &id);
    add_finding(came, "ref", has_ref, &ref);
    if (provider->callback_asks && provider->callback_asks(callback))
        json_kbool(came, "asks", true);
    buf_done(&id);
    buf_done(&ref);
}

static void check_findings(struct corpus_case *c, const struct callback *callback)
{
    static const char *const keys[] = {"id", "ref", "asks"};
    json_t *expected = json_object();
    struct buf came;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (json_object_get(c->input, keys[i]))
            json_object_set(expected, keys[i], json_object_get(c->input, keys[i]));
    }
    buf_init(&came, CORPUS_MAX_TEXT);
    buf_adds(&came, "{");
    add_findings(&came, c->channel->provider, callback);
    buf_adds(&came, "}");
    json_t *object = json_parse(buf_span(&came), CORPUS_MAX_TEXT, NULL);
    corpus_compare(c, "callback", expected, object);
    json_decref(object);
    json_decref(expected);
    buf_done(&came);
}

static void run_callback(struct corpus_case *c, struct buf *came)
{
    struct corpus_bytes body;
    struct evidence ev;
    struct err err = ERR_INIT;
    corpus_bytes(c, &body);
    struct callback callback = read_callback(c, &body);
    memset(&ev, 0xA5, sizeof ev); /* what the adapter leaves as it was is seen */
    if (c->channel->provider->callback(&callback, &ev, &err) != 0)
        corpus_add_sentence(c, came, "unreadable", err.text);
    else
        corpus_add_evidence(c, came, &ev);
    check_findings(c, &callback);
    corpus_bytes_done(&body);
}

static const char *const callback_keys[] = {"method", "content_type", "query", "at", "form", "json",
                                            "body",   "ref",          "asks",  "id", NULL};
const struct corpus_kind corpus_callback = {.name = "callback", .keys = callback_keys, .run = run_callback};

/* ---- signatures ---- */

static void run_verify(struct corpus_case *c, struct buf *came)
{
    static const char *const names[] = {[VERIFIED_NO] = "no",
                                        [VERIFIED_NONE] = "none",
                                        [VERIFIED_TOKEN] = "token",
                                        [VERIFIED_SIGNATURE] = "signature"};
    const struct provider *provider = c->channel->provider;
    struct corpus_bytes body;
    if (!provider->verify) {
        corpus_problem(c, "verify: %s signs nothing", provider->name);
        return;
    }
    corpus_bytes(c, &body);
    struct callback callback = read_callback(c, &body);
    const char *query = callback.target.n ? memchr(callback.target.p, '?', callback.target.n) : NULL;
    if (query)
        callback.query = span_str(query + 1);
    struct span public_url = json_get_span(c->input, "public_url");
    json_kstrz(came, "verified", names[provider->verify(c->channel, public_url, &callback)]);
    corpus_bytes_done(&body);
}

static const char *const verify_keys[] = {"method", "content_type", "target", "public_url", "headers",
                                          "at",     "form",         "json",   "body",       NULL};
const struct corpus_kind corpus_verify = {.name = "verify", .keys = verify_keys, .run = run_verify};
