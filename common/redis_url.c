#include "common/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/span.h"
#include "common/url.h"

enum { REDIS_DEFAULT_PORT = 6379, REDIS_MAX_DB = 9999, PART_MAX = 4096 };

/* A known scheme that needs what this build does not have, and how to say so. */
static const struct {
    const char *scheme;
    const char *why;
} refused_schemes[] = {
    {"rediss", "TLS to Redis is not available in this build, use redis:// or unix://"},
    {"redis+sentinel", "Sentinel is not available in this build, name one server with redis:// or unix://"},
    {"redis+cluster",
     "Redis Cluster is not available in this build, name one server with redis:// or unix://"},
};

/* Decoded copy; NULL when an escape is malformed or the result holds a NUL byte. */
static char *decoded(struct span part)
{
    struct buf text;
    char *copy = NULL;

    buf_init(&text, PART_MAX);
    if (url_decode(&text, part, false) && buf_ok(&text) && memchr(text.p, 0, text.n) == NULL)
        copy = mem_strndup(text.p, text.n);
    buf_done(&text);
    return copy;
}

static bool parse_db(struct span digits, int *db)
{
    int value = 0;

    if (digits.n == 0 || digits.n > 4)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
        value = value * 10 + (digits.p[i] - '0');
    }
    *db = value;
    return value <= REDIS_MAX_DB;
}

/* "db=n", or nothing. */
static bool parse_query(struct span query, int *db)
{
    if (query.n == 0)
        return true;
    if (query.n < 3 || memcmp(query.p, "db=", 3) != 0)
        return false;
    return parse_db(span_of(query.p + 3, query.n - 3), db);
}

static int parse_userinfo(struct redis_address *address, struct span info, struct err *err)
{
    const char *colon = info.n > 0 ? memchr(info.p, ':', info.n) : NULL;
    size_t user_n = colon ? (size_t)(colon - info.p) : info.n;

    if (user_n > 0 && (address->user = decoded(span_of(info.p, user_n))) == NULL)
        return err_set(err, ERR_CONFIG, "the user name in the Redis URL is not percent-encoded correctly");
    if (colon == NULL || user_n + 1 == info.n)
        return 0;
    address->password = decoded(span_of(colon + 1, info.n - user_n - 1));
    if (address->password == NULL)
        return err_set(err, ERR_CONFIG, "the password in the Redis URL is not percent-encoded correctly");
    return 0;
}

static char *shown_tcp(const struct url_parts *parts, int port, int db)
{
    struct buf text;

    buf_init(&text, PART_MAX);
    buf_addf(&text, "redis://%.*s:%d/%d", SPAN_ARG(parts->host), port, db);
    size_t n;
    return buf_take(&text, &n);
}

static int parse_tcp(struct redis_address *address, const char *url, struct err *err)
{
    struct url_parts parts;

    if (url_split(span_str(url), &parts, err) != 0) {
        /* The splitter may quote the URL, which can hold the password. */
        return err_set(err, ERR_CONFIG,
                       "the Redis URL is malformed, expected redis://[user:password@]host[:port][/db]");
    }
    if (parts.host.n == 0)
        return err_set(err, ERR_CONFIG, "the Redis URL names no host");
    if (memchr(parts.host.p, ',', parts.host.n) != NULL)
        return err_set(err, ERR_CONFIG, "the Redis URL names several hosts, redis:// takes one");
    if (parts.path.n > 1 && !parse_db(span_of(parts.path.p + 1, parts.path.n - 1), &address->db))
        return err_set(err, ERR_CONFIG, "the Redis URL's database \"%.*s\" is no number from 0 to %d",
                       (int)parts.path.n - 1, parts.path.p + 1, REDIS_MAX_DB);
    if (!parse_query(parts.query, &address->db) || parts.fragment.n > 0)
        return err_set(err, ERR_CONFIG, "the Redis URL has parameters that are not known, only ?db=n is");
    if (parse_userinfo(address, parts.userinfo, err) != 0)
        return ERR_CONFIG;
    if ((address->host = decoded(parts.host)) == NULL)
        return err_set(err, ERR_CONFIG, "the host in the Redis URL is not percent-encoded correctly");
    address->port = parts.port >= 0 ? parts.port : REDIS_DEFAULT_PORT;
    address->shown = shown_tcp(&parts, address->port, address->db);
    return 0;
}

/* unix:///run/redis.sock and unix://[user:password@]/run/redis.sock; the path is everything up to '?'. */
static int parse_unix(struct redis_address *address, const char *rest, struct err *err)
{
    size_t n = strcspn(rest, "?");
    struct span path = span_of(rest, n);
    const char *at = memchr(rest, '@', n);
    const char *slash = memchr(rest, '/', n);

    if (at != NULL && (slash == NULL || at < slash)) {
        if (parse_userinfo(address, span_of(rest, (size_t)(at - rest)), err) != 0)
            return ERR_CONFIG;
        path = span_of(at + 1, n - (size_t)(at + 1 - rest));
    }
    if (path.n == 0)
        return err_set(err, ERR_CONFIG, "the Redis URL names no socket, expected unix:///path/to/redis.sock");
    if (!parse_query(rest[n] == '?' ? span_str(rest + n + 1) : SPAN_NONE, &address->db))
        return err_set(err, ERR_CONFIG, "the Redis URL has parameters that are not known, only ?db=n is");
    if ((address->path = decoded(path)) == NULL)
        return err_set(err, ERR_CONFIG, "the socket path in the Redis URL is not percent-encoded correctly");
    /* sun_path is 108 bytes everywhere on Linux; a longer one would be cut and reach another socket. */
    if (strlen(address->path) >= 108)
        return err_set(err, ERR_CONFIG, "the socket path in the Redis URL is longer than 107 bytes");
    address->shown = mem_strdup(address->path);
    return 0;
}

static int parse_scheme(struct redis_address *address, const char *url, struct err *err)
{
    const char *end = strstr(url, "://");
    size_t n = end ? (size_t)(end - url) : 0;

    if (end == NULL)
        return err_set(err, ERR_CONFIG,
                       "the Redis URL has no scheme, expected redis://host:port/db or unix://path");
    if (span_is(span_of(url, n), "redis"))
        return parse_tcp(address, url, err);
    if (span_is(span_of(url, n), "unix"))
        return parse_unix(address, end + 3, err);
    for (size_t i = 0; i < sizeof(refused_schemes) / sizeof(refused_schemes[0]); i++) {
        if (span_is(span_of(url, n), refused_schemes[i].scheme))
            return err_set(err, ERR_CONFIG, "%s: %s", refused_schemes[i].scheme, refused_schemes[i].why);
    }
    return err_set(err, ERR_CONFIG, "the Redis URL's scheme is not known, expected redis:// or unix://");
}

int redis_address_parse(struct redis_address *address, const char *url, const char *password, struct err *err)
{
    *address = (struct redis_address){0};
    if (parse_scheme(address, url, err) != 0)
        return ERR_CONFIG;
    if (password != NULL) {
        free(address->password);
        address->password = mem_strdup(password);
    }
    return 0;
}

void redis_address_done(struct redis_address *address)
{
    free(address->host);
    free(address->path);
    free(address->user);
    free(address->password);
    free(address->shown);
    *address = (struct redis_address){0};
}
