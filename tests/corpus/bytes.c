#include "tests/corpus/corpus.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "common/json/json_memory.h"

#define RECEIVED "2026-11-22T18:50:50Z"

static void add_form(struct corpus_case *c, struct buf *b, json_t *form)
{
    size_t i;
    json_t *pair;
    json_array_foreach(form, i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        if (!name || !value || json_array_size(pair) != 2) {
            corpus_problem(c, "%s.form[%zu]: expected [\"name\", \"value\"]", c->kind->name, i);
            return;
        }
        if (b->n > 0)
            buf_addc(b, '&');
        form_add_encoded(b, span_str(name));
        buf_addc(b, '=');
        form_add_encoded(b, span_str(value));
    }
}

static void add_json(struct buf *b, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    buf_adds(b, text);
    json_memory_free(text);
}

void corpus_bytes(struct corpus_case *c, struct corpus_bytes *bytes)
{
    json_t *form = json_object_get(c->input, "form"), *json = json_object_get(c->input, "json");
    json_t *body = json_object_get(c->input, "body");
    struct buf b;
    buf_init(&b, CORPUS_MAX_TEXT);
    if (!!form + !!json + !!body > 1)
        corpus_problem(c, "%s: form, json and body are one thing said in three ways: keep one",
                       c->kind->name);
    if (form)
        add_form(c, &b, form);
    else if (json)
        add_json(&b, json);
    else
        buf_addspan(&b, json_get_span(c->input, "body"));
    if (c->odd > 0 && (form || json_is_object(json)))
        c->oddity = corpus_odd(&b, form != NULL, c->odd - 1);
    *bytes = (struct corpus_bytes){.p = mem_alloc(b.n ? b.n : 1), .n = b.n};
    if (form || json)
        bytes->type = form ? "application/x-www-form-urlencoded" : "application/json";
    if (b.n > 0)
        memcpy(bytes->p, b.p, b.n);
    buf_done(&b);
}

void corpus_bytes_done(struct corpus_bytes *bytes)
{
    free(bytes->p);
    bytes->p = NULL;
}

struct span corpus_bytes_span(const struct corpus_bytes *bytes)
{
    return span_of(bytes->p, bytes->n);
}

int64_t corpus_instant(struct corpus_case *c, const char *key)
{
    json_t *value = json_object_get(c->input, key);
    int64_t wall_ms = 0;
    if (!clock_parse_rfc3339(value ? json_get_span(c->input, key) : SPAN_LIT(RECEIVED), &wall_ms))
        corpus_problem(c, "%s.%s: expected an instant like \"" RECEIVED "\"", c->kind->name, key);
    return wall_ms;
}
