#include "workers/providers/channel_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/phone.h"
#include "common/base/url.h"

enum {
    FIELD_MAX = 128,
    SECRET_MAX = 64 * 1024, /* a private key has a few KiB */
    NAME_MAX_LEN = 64,
    CONCURRENT_MAX = 1000000,
    TIMEOUT_MIN_MS = 100,
    /* Other workers settle a claim soon after it: nobody should wait longer. */
    TIMEOUT_MAX_MS = 5 * 60 * 1000,
    IDLE_MAX_MS = 60 * 60 * 1000,
    DIGESTED_MAX = 8 * 1024 * 1024,
};

/* Less than a call in ten seconds is a mistaken unit more often than a rate. */
static const double RATE_MIN = 0.1, RATE_MAX = 100000;

/* ---- problems ---- */

void reader_problem(struct channels_reader *r, const char *field, const char *fmt, ...)
{
    va_list args;
    r->failed = r->any = true;
    buf_adds(r->problems, r->path);
    if (r->name) {
        buf_adds(r->problems, ": channels.");
        buf_adds(r->problems, r->name);
    }
    if (*field) {
        buf_adds(r->problems, r->name ? "." : ": ");
        buf_adds(r->problems, field);
    }
    buf_adds(r->problems, ": ");
    va_start(args, fmt);
    buf_addv(r->problems, fmt, args);
    va_end(args);
    buf_addc(r->problems, '\n');
}

/* ---- files and secrets ---- */

/* Appends the file; 0, else errno (EFBIG when it is larger than the buffer takes). */
int reader_file(struct buf *b, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    char part[4096];
    ssize_t n = 0;
    while (buf_ok(b) && (n = read(fd, part, sizeof part)) > 0)
        buf_add(b, part, (size_t)n);
    int error = n < 0 ? errno : buf_ok(b) ? 0 : EFBIG;
    explicit_bzero(part, sizeof part);
    close(fd);
    return error;
}

void reader_wipe(struct buf *b)
{
    if (b->cap > 0)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

/* Without the newline that editors leave at the end. */
static char *secret_from_file(struct channels_reader *r, const char *field, const char *path)
{
    struct buf b;
    char *secret = NULL;
    buf_init(&b, SECRET_MAX);
    int error = reader_file(&b, path);
    size_t n = b.n;
    while (n > 0 && (b.p[n - 1] == '\n' || b.p[n - 1] == '\r'))
        n--;
    if (error)
        reader_problem(r, field, "file %s: %s", path, strerror(error));
    else if (n == 0)
        reader_problem(r, field, "file %s: is empty", path);
    else if (memchr(b.p, '\0', n))
        reader_problem(r, field, "file %s: has a NUL byte, expected text", path);
    else
        secret = mem_strndup(b.p, n);
    reader_wipe(&b);
    return secret;
}

static char *secret_from_env(struct channels_reader *r, const char *field, const char *name)
{
    const char *value = getenv(name);
    if (value && *value)
        return mem_strdup(value);
    reader_problem(r, field, "environment variable %s: is not set", name);
    return NULL;
}

/* Text of its own, {"env": NAME} or {"file": PATH}; NULL after a problem. Never quotes what it read. */
static char *read_secret(struct channels_reader *r, const char *field, const json_t *value)
{
    if (json_is_string(value) && json_string_length(value) > 0)
        return mem_strdup(json_string_value(value));
    if (json_is_object(value) && json_object_size(value) == 1) {
        const char *env = json_string_value(json_object_get(value, "env"));
        const char *file = json_string_value(json_object_get(value, "file"));
        if (env && *env)
            return secret_from_env(r, field, env);
        if (file && *file)
            return secret_from_file(r, field, file);
    }
    reader_problem(r, field, "expected a text that is not empty, {\"env\": NAME} or {\"file\": PATH}");
    return NULL;
}

/* ---- the fields of a channel ---- */

/* A name goes into URLs, Redis keys and metric labels. */
static bool valid_name(struct span name)
{
    if (name.n == 0 || name.n > NAME_MAX_LEN || span_is(name, ".") || span_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c)))
            return false;
    }
    return true;
}

static void read_provider(struct channels_reader *r, struct channel *channel, const json_t *value)
{
    static const char *const planned[] = {"plivo", "telnyx", "infobip"};
    const char *name = json_string_value(value);
    if (!name) {
        reader_problem(r, "provider", value ? "expected the name of a provider" : "is missing");
        return;
    }
    channel->provider = provider_by_name(span_str(name));
    if (channel->provider)
        return;
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++) {
        if (strcmp(name, planned[i]) == 0) {
            reader_problem(r, "provider", "%s has no adapter in this build", name);
            return;
        }
    }
    reader_problem(r, "provider", "\"%s\" is no provider", name);
}

static void read_from(struct channels_reader *r, struct channel *channel, const json_t *value)
{
    const char *from = json_string_value(value);
    if (!value)
        return;
    if (from &&
        (phone_valid(span_str(from)) || strncmp(from, "sip:", 4) == 0 || strncmp(from, "client:", 7) == 0))
        channel->from = mem_strdup(from);
    else
        reader_problem(r, "from", "expected a number like \"+254711082000\"");
}

static void field_of(char out[FIELD_MAX], const char *object, const char *name)
{
    snprintf(out, FIELD_MAX, "%s.%s", object, name);
}

static void read_credentials(struct channels_reader *r, struct channel *channel, json_t *object)
{
    char field[FIELD_MAX];
    const char *name;
    json_t *value;
    if (object && !json_is_object(object)) {
        reader_problem(r, "credentials", "expected an object");
        return;
    }
    json_object_foreach(object, name, value)
    {
        int i = provider_setting_index(channel->provider, name);
        field_of(field, "credentials", name);
        if (i < 0)
            reader_problem(r, field, "%s has no such credential", channel->provider->name);
        else
            channel->credentials[i] = read_secret(r, field, value);
    }
    for (const struct provider_setting *s = channel->provider->settings; s->name; s++) {
        field_of(field, "credentials", s->name);
        if (s->required && !json_object_get(object, s->name))
            reader_problem(r, field, "is missing");
    }
}

static void read_callback_secrets(struct channels_reader *r, struct channel *channel, const json_t *value)
{
    if (!value)
        return;
    if (!json_is_array(value)) {
        channel->callback_secrets[0] = read_secret(r, "callback_secret", value);
        return;
    }
    size_t n = json_array_size(value);
    if (n == 0 || n > CHANNEL_MAX_SECRETS) {
        reader_problem(r, "callback_secret", "a list of %zu, expected 1 to %d", n, CHANNEL_MAX_SECRETS);
        return;
    }
    for (size_t i = 0; i < n; i++)
        channel->callback_secrets[i] = read_secret(r, "callback_secret", json_array_get(value, i));
}

/* 127.0.0.0/8 is loopback; a name that begins with "127." need not be. */
static bool is_loopback(struct span host)
{
    struct in_addr address;
    char text[INET_ADDRSTRLEN];
    if (span_is(host, "localhost") || span_is(host, "::1"))
        return true;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static void read_base_url(struct channels_reader *r, struct channel *channel, const json_t *value,
                          bool *loopback)
{
    const char *text = value ? json_string_value(value) : channel->provider->default_base_url;
    struct url_parts parts;
    struct err err = ERR_INIT;
    if (!text) {
        reader_problem(r, "base_url", value ? "expected a URL" : "is missing");
        return;
    }
    if (url_split(span_str(text), &parts, &err) != 0) {
        reader_problem(r, "base_url", "%s", err.text);
        return;
    }
    if (!span_is(parts.scheme, "https") && !span_is(parts.scheme, "http"))
        reader_problem(r, "base_url", "expected https:// (or http://)");
    else if (parts.userinfo.p || parts.query.p || parts.fragment.p || parts.host.n == 0 ||
             url_has_stray_at(&parts) || memchr(parts.host.p, ',', parts.host.n))
        reader_problem(r, "base_url", "expected scheme, one host, port and path only");
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '/')
        n--;
    channel->base_url = mem_strndup(text, n);
    *loopback = is_loopback(parts.host);
}

static void read_calls_per_second(struct channels_reader *r, struct channel *channel, const json_t *value)
{
    double rate = json_number_value(value);
    if (!value)
        return;
    if (!json_is_number(value) || !(rate >= RATE_MIN && rate <= RATE_MAX))
        reader_problem(r, "calls_per_second", "expected a number from %.1f to %.0f", RATE_MIN, RATE_MAX);
    else
        channel->calls_per_second = rate;
}

int reader_concurrent_calls(struct channels_reader *r, const char *field, const json_t *value)
{
    int64_t calls;
    if (!value)
        return 0;
    if (json_whole(value, &calls) && calls >= 1 && calls <= CONCURRENT_MAX)
        return (int)calls;
    reader_problem(r, field, "expected a whole number from 1 to %d", CONCURRENT_MAX);
    return 0;
}

static void read_duration(struct channels_reader *r, const char *field, const json_t *value, int64_t min_ms,
                          int64_t max_ms, int64_t *ms)
{
    int64_t read_ms;
    if (!value)
        return;
    if (json_is_string(value) && clock_parse_duration(span_str(json_string_value(value)), &read_ms) &&
        read_ms >= min_ms && read_ms <= max_ms) {
        *ms = read_ms;
        return;
    }
    struct buf min, max;
    buf_init(&min, 32);
    buf_init(&max, 32);
    clock_add_duration(&min, min_ms);
    clock_add_duration(&max, max_ms);
    reader_problem(r, field, "expected a duration with its unit, like \"10s\", from %s to %s", min.p, max.p);
    buf_done(&min);
    buf_done(&max);
}

bool reader_country_code(struct span code)
{
    if (code.n == 0 || code.n > 7 || code.p[0] == '0')
        return false;
    for (size_t i = 0; i < code.n; i++) {
        if (code.p[i] < '0' || code.p[i] > '9')
            return false;
    }
    return true;
}

/* A list of texts; each must pass `valid`. NULL-terminated; empty when absent. */
static char **read_list(struct channels_reader *r, const char *field, const json_t *value,
                        bool (*valid)(struct span), const char *expected)
{
    size_t n = json_array_size(value), used = 0;
    char **list = mem_calloc(n + 1, sizeof *list);
    if (value && !json_is_array(value))
        reader_problem(r, field, "expected a list");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (text && valid(span_str(text)))
            list[used++] = mem_strdup(text);
        else
            reader_problem(r, field, "entry %zu: expected %s", i + 1, expected);
    }
    return list;
}

/* What is absent keeps its default. */
static void read_flag(struct channels_reader *r, const char *field, const json_t *value, bool *flag)
{
    if (!value)
        return;
    if (!json_is_boolean(value))
        reader_problem(r, field, "expected true or false");
    *flag = json_is_true(value);
}

void reader_unknown(struct channels_reader *r, json_t *object, const char *const *known)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, name) != 0)
            k++;
        if (!*k)
            reader_problem(r, name, "no such field");
    }
}

/* Whoever can reach the network between could change what is sent; whoever knows the URL could send
 * callbacks. */
static void check_security(struct channels_reader *r, const struct channel *channel, bool loopback)
{
    const struct provider *provider = channel->provider;
    if (channel->insecure || loopback)
        return;
    if (channel->base_url && strncmp(channel->base_url, "http://", 7) == 0)
        reader_problem(
            r, "base_url",
            "plain http is refused away from loopback, unless the channel says \"insecure\": true");
    if ((!provider->signs_callbacks || provider->signs_with_callback_secret) && !channel->callback_secrets[0])
        reader_problem(r, "callback_secret",
                       "is missing, and without it nothing can verify the callbacks of %s; "
                       "to accept that, say \"insecure\": true",
                       provider->name);
}

/* What the provider checks by itself relies on the credentials that its table requires. */
static void open_provider(struct channels_reader *r, struct channel *channel)
{
    struct err err = ERR_INIT;
    if (channel->provider->open && channel->provider->open(channel, &err) != 0)
        reader_problem(r, "", "%s", err.text);
}

static void read_provider_fields(struct channels_reader *r, struct channel *channel, const json_t *object)
{
    bool loopback = false, failed = r->failed;
    r->failed = false;
    read_credentials(r, channel, json_object_get(object, "credentials"));
    if (!r->failed)
        open_provider(r, channel);
    read_base_url(r, channel, json_object_get(object, "base_url"), &loopback);
    check_security(r, channel, loopback);
    r->failed |= failed;
}

static void read_fields(struct channels_reader *r, struct channel *channel, json_t *object)
{
    static const char *const known[] = {"provider",
                                        "from",
                                        "credentials",
                                        "base_url",
                                        "calls_per_second",
                                        "concurrent_calls",
                                        "request_timeout",
                                        "idle_timeout",
                                        "country_codes",
                                        "fallback",
                                        "callback_secret",
                                        "insecure",
                                        "one_call_per_number",
                                        NULL};
    reader_unknown(r, object, known);
    read_provider(r, channel, json_object_get(object, "provider"));
    read_from(r, channel, json_object_get(object, "from"));
    read_calls_per_second(r, channel, json_object_get(object, "calls_per_second"));
    channel->concurrent_calls =
        reader_concurrent_calls(r, "concurrent_calls", json_object_get(object, "concurrent_calls"));
    read_duration(r, "request_timeout", json_object_get(object, "request_timeout"), TIMEOUT_MIN_MS,
                  TIMEOUT_MAX_MS, &channel->request_timeout_ms);
    read_duration(r, "idle_timeout", json_object_get(object, "idle_timeout"), 0, IDLE_MAX_MS,
                  &channel->idle_timeout_ms);
    channel->country_codes = read_list(r, "country_codes", json_object_get(object, "country_codes"),
                                       reader_country_code, "digits like \"254\"");
    channel->fallback =
        read_list(r, "fallback", json_object_get(object, "fallback"), valid_name, "the name of a channel");
    read_callback_secrets(r, channel, json_object_get(object, "callback_secret"));
    read_flag(r, "insecure", json_object_get(object, "insecure"), &channel->insecure);
    read_flag(r, "one_call_per_number", json_object_get(object, "one_call_per_number"),
              &channel->one_call_per_number);
    if (channel->provider)
        read_provider_fields(r, channel, object);
}

/* Always a channel, so that others may name it in `fallback` without a second problem. */
static int add_text(const char *text, size_t n, void *arg)
{
    buf_add(arg, text, n);
    return 0;
}

/* The settings as they stand in the file, then what the secrets were read as. */
static void take_digest(struct channel *channel, const json_t *object)
{
    struct buf all;
    buf_init(&all, DIGESTED_MAX);
    json_dump_callback(object, add_text, &all, JSON_COMPACT | JSON_SORT_KEYS);
    for (int i = 0; i < CHANNEL_MAX_CREDENTIALS; i++)
        buf_addf(&all, "%c%s", '\n', channel->credentials[i] != NULL ? channel->credentials[i] : "");
    for (int i = 0; i < CHANNEL_MAX_SECRETS; i++)
        buf_addf(&all, "%c%s", '\n',
                 channel->callback_secrets[i] != NULL ? channel->callback_secrets[i] : "");
    crypto_sha256(buf_span(&all), channel->digest);
    reader_wipe(&all);
}

struct channel *channel_read(struct channels_reader *r, const char *name, json_t *object)
{
    struct channel *channel = mem_calloc(1, sizeof *channel);
    *channel = (struct channel){.name = mem_strdup(name),
                                .refs = 1,
                                .request_timeout_ms = 10000,
                                .idle_timeout_ms = 15000,
                                .one_call_per_number = true};
    r->name = name;
    r->failed = false;
    if (!valid_name(span_str(name)))
        reader_problem(r, "", "a name is 1 to %d of A-Z a-z 0-9 . _ -", NAME_MAX_LEN);
    if (json_is_object(object)) {
        read_fields(r, channel, object);
        take_digest(channel, object);
    } else {
        reader_problem(r, "", "expected an object");
        channel->country_codes = mem_calloc(1, sizeof(char *));
        channel->fallback = mem_calloc(1, sizeof(char *));
    }
    r->name = NULL;
    return channel;
}
