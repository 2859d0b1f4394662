#include "workers/providers/channels.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "workers/providers/channel_read.h"
#include "workers/providers/country_hours.h"
#include "workers/providers/tenant_caps.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

struct channels {
    struct channel **items;
    size_t n;
    struct channel *fallback; /* default_channel; NULL without */
    struct country_hours hours;
    struct tenant_caps caps;
};

/* ---- the file as a whole ---- */

enum colour { WHITE, GREY, BLACK };

static size_t index_of(const struct channels *channels, const char *name)
{
    size_t i = 0;
    while (i < channels->n && strcmp(channels->items[i]->name, name) != 0)
        i++;
    return i;
}

/* Depth first; an edge to a channel that is still being visited closes a cycle. */
static void visit(struct channels_reader *r, const struct channels *channels, size_t i, enum colour *colours)
{
    struct channel *channel = channels->items[i];
    colours[i] = GREY;
    for (char **name = channel->fallback; *name; name++) {
        size_t next = index_of(channels, *name);
        r->name = channel->name;
        if (next == channels->n)
            reader_problem(r, "fallback", "\"%s\" is no channel of this file", *name);
        else if (colours[next] == GREY)
            reader_problem(r, "fallback", "\"%s\" falls back to this channel in turn: a cycle", *name);
        else if (colours[next] == WHITE)
            visit(r, channels, next, colours);
    }
    r->name = NULL;
    colours[i] = BLACK;
}

static void check_fallbacks(struct channels_reader *r, const struct channels *channels)
{
    enum colour *colours = mem_calloc(channels->n + 1, sizeof *colours);
    for (size_t i = 0; i < channels->n; i++) {
        if (colours[i] == WHITE)
            visit(r, channels, i, colours);
    }
    free(colours);
}

static void read_default(struct channels_reader *r, struct channels *channels, const json_t *value)
{
    const char *name = json_string_value(value);
    if (!value)
        return;
    if (!name) {
        reader_problem(r, "default_channel", "expected the name of a channel");
        return;
    }
    channels->fallback = channels_find(channels, span_str(name));
    if (!channels->fallback)
        reader_problem(r, "default_channel", "\"%s\" is no channel of this file", name);
}

static void read_root(struct channels_reader *r, struct channels *channels, json_t *root)
{
    static const char *const known[] = {"channels",      "default_channel", "tenants",
                                        "calling_hours", "$schema",         NULL};
    json_t *object = json_object_get(root, "channels"), *value;
    const char *name;
    if (!json_is_object(root)) {
        reader_problem(r, "", "expected an object");
        return;
    }
    reader_unknown(r, root, known);
    if (json_object_size(object) == 0) {
        reader_problem(r, "channels", object ? "expected an object with at least one channel" : "is missing");
        return;
    }
    channels->items = mem_calloc(json_object_size(object), sizeof(struct channel *));
    json_object_foreach(object, name, value)
    {
        channels->items[channels->n++] = channel_read(r, name, value);
    }
    check_fallbacks(r, channels);
    read_default(r, channels, json_object_get(root, "default_channel"));
    country_hours_read(r, &channels->hours, json_object_get(root, "calling_hours"));
    tenant_caps_read(r, &channels->caps, json_object_get(root, "tenants"));
}

static void read_text(struct channels_reader *r, struct channels *channels, struct span text)
{
    struct err err = ERR_INIT;
    json_t *root = json_parse(text, FILE_MAX, &err);
    if (root)
        read_root(r, channels, root);
    else
        reader_problem(r, "", "%s", err.text);
    json_decref(root);
}

int channels_load(struct channels **channels, const char *path, struct buf *problems)
{
    struct channels_reader r = {.path = path, .problems = problems};
    struct buf text;
    *channels = mem_calloc(1, sizeof **channels);
    buf_init(&text, FILE_MAX);
    int error = reader_file(&text, path);
    if (error)
        reader_problem(&r, "", "%s", strerror(error));
    else
        read_text(&r, *channels, buf_span(&text));
    reader_wipe(&text); /* it may hold secrets */
    if (!r.any)
        return 0;
    channels_free(channels);
    return ERR_CONFIG;
}

bool channels_lacks(const char *path, struct span name)
{
    struct buf text;
    json_t *root = NULL;
    buf_init(&text, FILE_MAX);
    if (reader_file(&text, path) == 0)
        root = json_parse(buf_span(&text), FILE_MAX, NULL);
    const json_t *channels = json_object_get(root, "channels");
    bool lacks = json_is_object(channels) && json_object_getn(channels, name.p, name.n) == NULL;
    json_decref(root);
    reader_wipe(&text);
    return lacks;
}

void channels_free(struct channels **channels)
{
    struct channels *old = *channels;
    if (!old)
        return;
    *channels = NULL;
    for (size_t i = 0; i < old->n; i++)
        channel_unref(&old->items[i]);
    free(old->items);
    country_hours_done(&old->hours);
    tenant_caps_done(&old->caps);
    free(old);
}

/* ---- using it ---- */

struct channel *channels_find(const struct channels *channels, struct span name)
{
    for (size_t i = 0; i < channels->n; i++) {
        if (span_is(name, channels->items[i]->name))
            return channels->items[i];
    }
    return NULL;
}

static size_t matching_digits(const struct channel *channel, struct span digits)
{
    size_t longest = 0;
    for (char **code = channel->country_codes; *code; code++) {
        size_t n = strlen(*code);
        if (n > longest && n <= digits.n && memcmp(digits.p, *code, n) == 0)
            longest = n;
    }
    return longest;
}

struct channel *channels_choose(const struct channels *channels, struct span requested, struct span to)
{
    struct channel *chosen = channels->fallback;
    size_t longest = 0;
    if (requested.n > 0)
        return channels_find(channels, requested);
    if (to.n == 0 || to.p[0] != '+')
        return chosen;
    for (size_t i = 0; i < channels->n; i++) {
        size_t n = matching_digits(channels->items[i], span_of(to.p + 1, to.n - 1));
        if (n > longest) {
            longest = n;
            chosen = channels->items[i];
        }
    }
    return chosen;
}

size_t channels_count(const struct channels *channels)
{
    return channels->n;
}

struct channel *channels_at(const struct channels *channels, size_t i)
{
    return i < channels->n ? channels->items[i] : NULL;
}

const char *channels_default(const struct channels *channels)
{
    return channels->fallback ? channels->fallback->name : NULL;
}

const struct hours *channels_hours(const struct channels *channels, struct span to)
{
    return country_hours_find(&channels->hours, to);
}

const struct hours *channels_hours_at(const struct channels *channels, size_t i, const char **code)
{
    if (i >= channels->hours.n)
        return NULL;
    *code = channels->hours.items[i].code;
    return &channels->hours.items[i].hours;
}

int channels_tenant_cap(const struct channels *channels, struct span tenant)
{
    return tenant_caps_find(&channels->caps, tenant);
}

const char *channels_tenants_at(const struct channels *channels, size_t i, int *cap)
{
    if (i >= channels->caps.n)
        return NULL;
    *cap = channels->caps.items[i].concurrent_calls;
    return channels->caps.items[i].tenant;
}

struct channel *channel_ref(struct channel *channel)
{
    channel->refs++;
    return channel;
}

static void free_secret(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

static void free_list(char **list)
{
    for (char **text = list; text && *text; text++)
        free(*text);
    free(list);
}

void channel_unref(struct channel **channel)
{
    struct channel *old = *channel;
    if (!old)
        return;
    *channel = NULL;
    if (--old->refs > 0)
        return;
    if (old->adapter && old->provider->close)
        old->provider->close(old);
    for (int i = 0; i < CHANNEL_MAX_CREDENTIALS; i++)
        free_secret(&old->credentials[i]);
    for (int i = 0; i < CHANNEL_MAX_SECRETS; i++)
        free_secret(&old->callback_secrets[i]);
    free_list(old->country_codes);
    free_list(old->fallback);
    free(old->name);
    free(old->from);
    free(old->base_url);
    free(old);
}

struct span channel_credential(const struct channel *channel, const char *name)
{
    int i = provider_setting_index(channel->provider, name);
    return i < 0 ? SPAN_NONE : span_str(channel->credentials[i]);
}

static void add_token(struct buf *b, const char *secret, struct span path)
{
    uint8_t mac[SHA256_LEN];
    crypto_hmac_sha256(span_str(secret), path, mac);
    crypto_add_base64url(b, mac, sizeof mac);
}

void channel_add_token(struct buf *b, const struct channel *channel, struct span path)
{
    if (channel->callback_secrets[0])
        add_token(b, channel->callback_secrets[0], path);
}

bool channel_token_ok(const struct channel *channel, struct span path, bool fixed, struct span token)
{
    bool ok = false;
    struct buf expected;
    buf_init(&expected, 64);
    for (int i = 0; i < CHANNEL_MAX_SECRETS && channel->callback_secrets[i]; i++) {
        buf_clear(&expected);
        add_token(&expected, channel->callback_secrets[i], path);
        ok |= crypto_equal(buf_span(&expected), token);
        if (fixed)
            ok |= crypto_equal(span_str(channel->callback_secrets[i]), token);
    }
    buf_done(&expected);
    return ok;
}
