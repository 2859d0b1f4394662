#include "tests/corpus/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "common/json/json_memory.h"

static const struct corpus_kind *const kinds[] = {
    &corpus_place, &corpus_lookup, &corpus_hang_up,  &corpus_open,   &corpus_response, &corpus_looked_up,
    &corpus_find,  &corpus_found,  &corpus_callback, &corpus_verify, &corpus_answer};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

void corpus_problem(struct corpus_case *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_adds(&c->problems, "    ");
    buf_addv(&c->problems, fmt, args);
    buf_adds(&c->problems, "\n");
    va_end(args);
}

void corpus_check_keys(struct corpus_case *c, const char *name, json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k)
            corpus_problem(c, "%s%s%s: no such key", name, *name ? "." : "", key);
    }
}

void corpus_add_sentence(const struct corpus_case *c, struct buf *came, const char *key, const char *text)
{
    const char *part = json_string_value(json_object_get(c->expect, key));
    json_kstrz(came, key, part && *part && strstr(text, part) ? part : text);
}

/* ---- files ---- */

static void read_all(struct buf *text, FILE *f)
{
    char *room;
    size_t n;
    while ((room = buf_room(text, 4096)) && (n = fread(room, 1, 4096, f)) > 0)
        buf_grew(text, n);
}

json_t *corpus_read(struct corpus_case *c, const char *path)
{
    struct buf text;
    struct err err = ERR_INIT;
    FILE *f = fopen(path, "r");
    if (!f) {
        corpus_problem(c, "%s: %m", path);
        return NULL;
    }
    buf_init(&text, CORPUS_MAX_TEXT);
    read_all(&text, f);
    fclose(f);
    json_t *root = json_parse(buf_span(&text), CORPUS_MAX_TEXT, &err);
    if (!root)
        corpus_problem(c, "%s: %s", path, err.text);
    else if (!json_is_object(root))
        corpus_problem(c, "%s: expected an object", path);
    buf_done(&text);
    return root;
}

/* RFC 7396, into `target`. */
static void merge_patch(json_t *target, json_t *patch)
{
    const char *key;
    json_t *value;
    json_object_foreach(patch, key, value)
    {
        json_t *old = json_object_get(target, key);
        if (json_is_null(value)) {
            json_object_del(target, key);
        } else if (json_is_object(value)) {
            json_t *object = json_is_object(old) ? json_incref(old) : json_object();
            merge_patch(object, value);
            json_object_set_new(target, key, object);
        } else {
            json_object_set(target, key, value);
        }
    }
}

/* ---- the channel ---- */

static bool write_text(int fd, const char *text)
{
    size_t n = strlen(text);
    bool written = write(fd, text, n) == (ssize_t)n;
    return close(fd) == 0 && written;
}

/* Through the real reading of a channels file, so that the provider's `open` runs. */
static void load_channel(struct corpus_case *c, json_t *channel)
{
    char path[] = P_tmpdir "/ivr-corpus-XXXXXX";
    json_t *file = json_pack("{s{sO}}", "channels", "main", channel);
    char *text = json_dumps(file, 0);
    int fd = mkstemp(path);
    if (fd < 0 || !write_text(fd, text))
        corpus_problem(c, "%s: %m", path);
    else if (channels_load(&c->channels, path, &c->refused) == 0)
        c->channel = channels_find(c->channels, SPAN_LIT("main"));
    unlink(path);
    json_memory_free(text);
    json_decref(file);
}

static void open_channel(struct corpus_case *c, const char *provider)
{
    char path[512];
    snprintf(path, sizeof path, CORPUS_DIR "/%s/channel.json", provider);
    json_t *channel = corpus_read(c, path);
    if (!channel)
        return;
    merge_patch(channel, json_object_get(c->root, "channel"));
    load_channel(c, channel);
    json_decref(channel);
    if (c->channel && strcmp(c->channel->provider->name, provider) != 0)
        corpus_problem(c, "%s: provider: \"%s\", expected that of the folder", path,
                       c->channel->provider->name);
    if (!c->channel && c->kind != &corpus_open)
        corpus_problem(c, "channel: %s", c->refused.p);
}

/* ---- the request ---- */

static bool parse_request(struct corpus_case *c, json_t *object, struct request *request)
{
    char field[64];
    bool not_json;
    struct err err = ERR_INIT;
    char *text = json_dumps(object, 0);
    int code = request_parse(request, span_str(text), &err, field, &not_json);
    json_memory_free(text);
    if (code != 0)
        corpus_problem(c, "request: %s", err.text);
    for (size_t i = 0; code == 0 && i < request->unknown_n; i++)
        corpus_problem(c, "request.%.*s: no such key", SPAN_ARG(request->unknown[i]));
    return code == 0 && request->unknown_n == 0;
}

bool corpus_request(struct corpus_case *c, json_t *message, struct request *request)
{
    json_t *patch = json_object_get(c->root, "request");
    json_t *object = corpus_read(c, CORPUS_DIR "/_request.json");
    *request = (struct request){.call_id = SPAN_NONE};
    if (!object)
        return false;
    merge_patch(object, patch);
    if (!message)
        message = json_object_get(patch, "message");
    if (message)
        json_object_set(object, "message", message);
    bool parsed = parse_request(c, object, request);
    json_decref(object);
    return parsed;
}

/* ---- a case ---- */

static void find_kind(struct corpus_case *c)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        json_t *input = json_object_get(c->root, kinds[i]->name);
        if (!input)
            continue;
        if (c->kind)
            corpus_problem(c, "%s: a case has one kind, and this has %s", kinds[i]->name, c->kind->name);
        c->kind = kinds[i];
        c->input = input;
    }
    if (!c->kind)
        corpus_problem(c,
                       "no kind of case, expected one of place, open, response, callback, lookup, hang_up, "
                       "looked_up, find, found, answer, verify");
}

static void check_form(struct corpus_case *c)
{
    const char *known[] = {"what", "channel", "expect", c->kind->name, NULL, NULL};
    const char *what = json_string_value(json_object_get(c->root, "what"));
    if (c->kind->uses_request)
        known[4] = "request";
    corpus_check_keys(c, "", c->root, known);
    if (!what || !*what)
        corpus_problem(c, "what: expected a sentence: what the case shows");
    if (!json_is_object(c->expect))
        corpus_problem(c, "expect: expected an object");
    if (c->kind->keys && !json_is_object(c->input))
        corpus_problem(c, "%s: expected an object", c->kind->name);
    else if (c->kind->keys)
        corpus_check_keys(c, c->kind->name, c->input, c->kind->keys);
}

static void run(struct corpus_case *c)
{
    struct buf came;
    struct err err = ERR_INIT;
    buf_init(&came, CORPUS_MAX_TEXT);
    buf_adds(&came, "{");
    c->kind->run(c, &came);
    buf_adds(&came, "}");
    json_t *object = json_parse(buf_span(&came), CORPUS_MAX_TEXT, &err);
    if (!object)
        corpus_problem(c, "what came is no JSON: %s: %s", err.text, came.p);
    else if (c->problems.n == 0 || json_object_size(object) > 0)
        corpus_compare(c, "expect", c->expect, object);
    json_decref(object);
    buf_done(&came);
}

/* What is signed is the bytes, and what was written in some other way has its oddity already. */
static void run_with_oddities(struct corpus_case *c)
{
    struct buf problems;
    if (c->kind == &corpus_verify)
        return;
    buf_init(&problems, CORPUS_MAX_TEXT);
    do {
        c->odd++;
        c->oddity = NULL;
        run(c);
        if (c->problems.n > 0)
            buf_addf(&problems, "  with %s:\n%s", c->oddity ? c->oddity : "nothing besides", c->problems.p);
        buf_clear(&c->problems);
    } while (c->oddity);
    buf_addspan(&c->problems, buf_span(&problems));
    buf_done(&problems);
}

void corpus_case_run(struct corpus_case *c, const char *provider, const char *path)
{
    *c = (struct corpus_case){.kind = NULL};
    buf_init(&c->problems, CORPUS_MAX_TEXT);
    buf_init(&c->refused, CORPUS_MAX_TEXT);
    c->root = corpus_read(c, path);
    if (c->problems.n > 0)
        return;
    c->expect = json_object_get(c->root, "expect");
    find_kind(c);
    if (c->kind)
        check_form(c);
    if (c->problems.n == 0)
        open_channel(c, provider);
    if (c->problems.n == 0)
        run(c);
    if (c->problems.n == 0)
        run_with_oddities(c);
}

void corpus_case_done(struct corpus_case *c)
{
    channels_free(&c->channels);
    json_decref(c->root);
    buf_done(&c->problems);
    buf_done(&c->refused);
}
