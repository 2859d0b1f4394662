#include "common/redis/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/url.h"
#include "common/redis/redis_tls.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, REDIS_MAX_DB = 9999, PART_MAX = 4096, MAX_SEEDS = 64 };

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
    return digits.n <= 4 && number_read_int(digits, 0, REDIS_MAX_DB, db);
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
    buf_addf(&text, "%.*s://%.*s:%d/%d", SPAN_ARG(parts->scheme), SPAN_ARG(parts->host), port, db);
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
        return err_set(err, ERR_CONFIG, "the Redis URL's database is no number from 0 to %d", REDIS_MAX_DB);
    if (!parse_query(parts.query, &address->db) || parts.fragment.n > 0)
        return err_set(err, ERR_CONFIG, "the Redis URL has parameters that are not known, only ?db=n is");
    if (parse_userinfo(address, parts.userinfo, err) != 0)
        return ERR_CONFIG;
    if ((address->host = decoded(parts.host)) == NULL)
        return err_set(err, ERR_CONFIG, "the host in the Redis URL is not percent-encoded correctly");
    address->port = parts.port >= 0 ? parts.port : REDIS_PORT;
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

static int parse_tls(struct redis_address *address, const char *url, struct err *err)
{
    if (!redis_tls_available())
        return err_set(err, ERR_CONFIG,
                       "rediss: this build has no TLS to Redis (it needs hiredis 1.x with hiredis_ssl, "
                       "as in Debian 13), use redis:// or unix://");
    address->tls = true;
    return parse_tcp(address, url, err);
}

/* ---- several hosts ---- */

/* "host", "host:port", "[::1]:port". */
static bool parse_endpoint(struct redis_endpoint *endpoint, struct span text, int default_port)
{
    const char *end = text.p + text.n;
    const char *bracket = text.n > 0 && *text.p == '[' ? memchr(text.p, ']', text.n) : NULL;
    const char *from = bracket != NULL ? bracket + 1 : text.p;
    const char *colon = from < end ? memchr(from, ':', (size_t)(end - from)) : NULL;
    struct span host = span_of(text.p, (size_t)((colon != NULL ? colon : end) - text.p));
    int port = default_port;

    if (bracket != NULL) {
        if (from != (colon != NULL ? colon : end))
            return false;
        host = span_of(text.p + 1, (size_t)(bracket - text.p - 1));
    }
    if (colon != NULL && !number_read_int(span_of(colon + 1, (size_t)(end - colon - 1)), 1, 65535, &port))
        return false;
    if (host.n == 0)
        return false;
    endpoint->port = port;
    endpoint->host = decoded(host);
    return endpoint->host != NULL;
}

static int parse_seeds(struct redis_address *address, struct span hosts, int default_port, struct err *err)
{
    address->seeds = mem_calloc(MAX_SEEDS, sizeof(*address->seeds));
    for (size_t from = 0; from <= hosts.n;) {
        const char *comma = from < hosts.n ? memchr(hosts.p + from, ',', hosts.n - from) : NULL;
        size_t n = (comma != NULL ? (size_t)(comma - hosts.p) : hosts.n) - from;

        if (address->seeds_n == MAX_SEEDS)
            return err_set(err, ERR_CONFIG, "the Redis URL names more than %d hosts", MAX_SEEDS);
        if (n == 0 ||
            !parse_endpoint(&address->seeds[address->seeds_n], span_of(hosts.p + from, n), default_port))
            return err_set(err, ERR_CONFIG,
                           "the Redis URL's host %zu is malformed, expected host:port,host:port",
                           address->seeds_n + 1);
        address->seeds_n++;
        from += n + 1;
    }
    return 0;
}

/* "MASTER" or "MASTER/db". */
static int parse_master(struct redis_address *address, struct span path, struct err *err)
{
    const char *slash = path.n > 0 ? memchr(path.p, '/', path.n) : NULL;
    size_t name_n = slash != NULL ? (size_t)(slash - path.p) : path.n;

    if (name_n == 0)
        return err_set(err, ERR_CONFIG,
                       "the Redis URL names no master, expected redis+sentinel://h1:p,h2:p/MASTER/DB");
    if (slash != NULL && path.n > name_n + 1 &&
        !parse_db(span_of(slash + 1, path.n - name_n - 1), &address->db))
        return err_set(err, ERR_CONFIG, "the Redis URL's database is no number from 0 to %d", REDIS_MAX_DB);
    if ((address->master = decoded(span_of(path.p, name_n))) == NULL)
        return err_set(err, ERR_CONFIG,
                       "the master's name in the Redis URL is not percent-encoded correctly");
    return 0;
}

/* What a cluster's URL has behind its hosts: nothing, "/" or "/0". */
static int parse_no_db(struct span path, struct err *err)
{
    if (path.n == 0 || span_is(path, "0"))
        return 0;
    return err_set(err, ERR_CONFIG, "the Redis URL names a database, a cluster has none but 0");
}

static int parse_many(struct redis_address *address, const char *url, enum redis_kind kind, struct err *err)
{
    const char *rest = strstr(url, "://") + 3;
    struct span authority = span_of(rest, strcspn(rest, "/?#"));
    const char *after = rest + authority.n;
    struct span path = *after == '/' ? span_of(after + 1, strcspn(after + 1, "?#")) : SPAN_NONE;
    const char *at = memrchr(authority.p, '@', authority.n);
    struct span hosts = authority;
    struct buf shown;
    size_t n;

    address->kind = kind;
    if (strpbrk(after, "?#") != NULL)
        return err_set(err, ERR_CONFIG, "the Redis URL has parameters, this scheme takes none");
    if (at != NULL) {
        if (parse_userinfo(address, span_of(authority.p, (size_t)(at - authority.p)), err) != 0)
            return ERR_CONFIG;
        hosts = span_of(at + 1, authority.n - (size_t)(at + 1 - authority.p));
    }
    if (parse_seeds(address, hosts, kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT, err) != 0)
        return ERR_CONFIG;
    if ((kind == REDIS_SENTINEL ? parse_master(address, path, err) : parse_no_db(path, err)) != 0)
        return ERR_CONFIG;
    buf_init(&shown, PART_MAX);
    buf_addf(&shown, "%.*s%.*s%s%.*s", (int)(rest - url), url, SPAN_ARG(hosts), path.n > 0 ? "/" : "",
             SPAN_ARG(path));
    address->shown = buf_take(&shown, &n);
    return 0;
}

/* ---- all of them ---- */

/* A '/' in a password ends host and port early; the rest of it would be taken for a database, a master or a
 * socket, and shown as that. The name of a socket may have an '@' where nothing stands before its path. */
static bool has_stray_at(const char *url)
{
    const char *rest = strstr(url, "://");
    const char *end = rest != NULL ? strpbrk(rest + 3, "/?#") : NULL;
    if (end == NULL || strchr(end, '@') == NULL)
        return false;
    bool path_only = end == rest + 3 || end[-1] == '@';
    return !(path_only && strncmp(url, "unix:", 5) == 0);
}

static int parse_scheme(struct redis_address *address, const char *url, struct err *err)
{
    const char *end = strstr(url, "://");
    struct span scheme = span_of(url, end ? (size_t)(end - url) : 0);

    if (end == NULL)
        return err_set(err, ERR_CONFIG,
                       "the Redis URL has no scheme, expected redis://host:port/db or unix://path");
    if (span_is(scheme, "redis"))
        return parse_tcp(address, url, err);
    if (span_is(scheme, "rediss"))
        return parse_tls(address, url, err);
    if (span_is(scheme, "unix"))
        return parse_unix(address, end + 3, err);
    if (span_is(scheme, "redis+sentinel"))
        return parse_many(address, url, REDIS_SENTINEL, err);
    if (span_is(scheme, "redis+cluster"))
        return parse_many(address, url, REDIS_CLUSTER, err);
    return err_set(err, ERR_CONFIG,
                   "the Redis URL's scheme is not known, expected redis://, rediss://, unix://, "
                   "redis+sentinel:// or redis+cluster://");
}

int redis_address_parse(struct redis_address *address, const char *url, const char *password, struct err *err)
{
    *address = (struct redis_address){.kind = REDIS_SINGLE};
    if (has_stray_at(url))
        return err_set(err, ERR_CONFIG,
                       "the Redis URL has an \"@\" behind its hosts: in a password \"/\" is written %%2F, "
                       "\"?\" %%3F, \"#\" %%23 and \"@\" %%40");
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
    for (size_t i = 0; i < address->seeds_n; i++)
        free(address->seeds[i].host);
    free(address->seeds);
    free(address->master);
    free(address->host);
    free(address->path);
    free(address->user);
    free(address->password);
    free(address->shown);
    *address = (struct redis_address){0};
}

static char *copy_of(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

void redis_address_server(struct redis_address *server, const struct redis_address *like, struct span host,
                          int port)
{
    struct buf shown;
    size_t n;

    *server = (struct redis_address){.kind = REDIS_SINGLE, .port = port, .tls = like->tls};
    server->host = mem_strndup(host.p, host.n);
    server->user = copy_of(like->user);
    server->password = copy_of(like->password);
    buf_init(&shown, PART_MAX);
    buf_addf(&shown, "%s:%d", server->host, port);
    server->shown = buf_take(&shown, &n);
}
