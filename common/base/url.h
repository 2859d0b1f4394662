/*
 * URLs and forms: percent coding, application/x-www-form-urlencoded bodies, and splitting a URL into its
 * parts.
 */
#ifndef IVR_COMMON_URL_H
#define IVR_COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

/* Percent-encodes all but RFC 3986's unreserved characters (for a path segment or a query value). */
void url_add_encoded(struct buf *b, struct span text);
/* The same for a path segment that comes back to us through proxies: ':' and '@' stand there as they are, and
 * a proxy that decodes what needs no code changes nothing. */
void url_add_segment(struct buf *b, struct span text);
/* As a form value: the same, but a space becomes '+'. */
void form_add_encoded(struct buf *b, struct span text);
/* [&]name=value, both encoded; '&' unless the buffer is empty. */
void form_add(struct buf *b, const char *name, struct span value);

/* Decodes %XX (and '+' as space when `plus`) into `out`, appending. A malformed escape is kept as it stands:
 * false. */
bool url_decode(struct buf *out, struct span text, bool plus);

/* One decoded parameter. The spans point into the form's own memory. */
struct form_field {
    struct span name;
    struct span value;
};

/* A decoded form or query string. Nothing in it is refused, since only its reader knows which fields matter:
 * values and names may hold NULs and bytes that are no UTF-8, and a malformed escape stands for itself. */
struct form {
    struct form_field *fields; /* in the order received, repeats kept */
    size_t n;
    struct buf text; /* owns what the fields point to */
};

enum { FORM_MAX_FIELDS = 200 };

/* Decodes a body or query of at most 64 KiB, ERR_LIMIT with more bytes or fields: `form` is then empty. Empty
 * pieces ("a=1&&b=2") and a byte order mark are skipped; a name without '=' has an empty value. form_done()
 * in any case. */
int form_parse(struct form *form, struct span text, struct err *err);
void form_done(struct form *form);
/* The first value under that name; SPAN_NONE when absent (an empty value has p != NULL). */
struct span form_get(const struct form *form, const char *name);

/* The parts of an absolute URL, borrowed from it, still encoded. */
struct url_parts {
    struct span scheme;   /* "https" */
    struct span userinfo; /* "user:pass", SPAN_NONE without */
    struct span host;     /* without brackets */
    int port;             /* -1 when not given */
    struct span path;     /* from the first '/' on, may be empty; without query */
    struct span query;    /* after '?', SPAN_NONE without */
    struct span fragment; /* after '#', SPAN_NONE without */
};

/* Any scheme with "://"; only unix and file may have no host. ERR_INVALID names what is wrong and quotes
 * nothing. Several hosts ("h1:p,h2:p") are left in `host` with port -1. */
int url_split(struct span url, struct url_parts *parts, struct err *err);
/* An '@' behind the host: most likely a password with a '/', '?' or '#' in it that is not percent-encoded, so
 * that its first half passes for host and port. */
bool url_has_stray_at(const struct url_parts *parts);

/* All that may be quoted of a URL: scheme and host. "https://example.org/..." of one that goes on,
 * "https://..." or "..." where it is not certain what the host is. */
void url_add_shown(struct buf *b, struct span url);

#endif
