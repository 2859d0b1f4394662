#include "common/base/url.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/number.h"

enum { FORM_MAX_BYTES = 64 * 1024 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* What is left as it is beside the unreserved ones. */
static bool is_kept(char c, const char *also)
{
    return unreserved(c) || (c != '\0' && strchr(also, c) != NULL);
}

/* Most text needs no coding: what needs none is copied in one piece. */
static size_t kept_run(struct span text, size_t from, const char *also)
{
    size_t i = from;
    while (i < text.n && is_kept(text.p[i], also))
        i++;
    return i - from;
}

static void add_encoded(struct buf *b, struct span text, bool plus, const char *also)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        size_t run = kept_run(text, i, also);
        buf_add(b, text.p + i, run);
        i += run;
        if (i == text.n)
            return;
        unsigned char c = (unsigned char)text.p[i];
        if (plus && c == ' ')
            buf_addc(b, '+');
        else
            buf_add(b, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
}

void url_add_encoded(struct buf *b, struct span text)
{
    add_encoded(b, text, false, "");
}

void url_add_segment(struct buf *b, struct span text)
{
    add_encoded(b, text, false, ":@");
}

void form_add_encoded(struct buf *b, struct span text)
{
    add_encoded(b, text, true, "");
}

void form_add(struct buf *b, const char *name, struct span value)
{
    if (b->n > 0)
        buf_addc(b, '&');
    form_add_encoded(b, span_str(name));
    buf_addc(b, '=');
    form_add_encoded(b, value);
}

static size_t plain_run(struct span text, size_t from, bool plus)
{
    size_t i = from;
    while (i < text.n && text.p[i] != '%' && !(plus && text.p[i] == '+'))
        i++;
    return i - from;
}

bool url_decode(struct buf *out, struct span text, bool plus)
{
    bool well_formed = true;
    for (size_t i = 0; i < text.n; i++) {
        size_t run = plain_run(text, i, plus);
        buf_add(out, text.p + i, run);
        i += run;
        if (i == text.n)
            break;
        char c = text.p[i];
        if (c == '+') {
            c = ' ';
        } else {
            int high = i + 2 < text.n ? number_hex_digit(text.p[i + 1]) : -1;
            int low = i + 2 < text.n ? number_hex_digit(text.p[i + 2]) : -1;
            if (high < 0 || low < 0) {
                well_formed = false;
            } else {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        buf_addc(out, c);
    }
    return well_formed;
}

/* Cuts what stands before the first `c` off `rest`, and drops the `c`; all of it where there is none. */
static struct span cut(struct span *rest, char c)
{
    const char *found = rest->n ? memchr(rest->p, c, rest->n) : NULL;
    struct span head = *rest;
    if (!found) {
        *rest = span_of(rest->p + rest->n, 0);
        return head;
    }
    head.n = (size_t)(found - rest->p);
    *rest = span_of(found + 1, rest->n - head.n - 1);
    return head;
}

static size_t count_fields(struct span text)
{
    size_t n = 0;
    while (text.n > 0)
        n += cut(&text, '&').n > 0;
    return n;
}

/* The text buffer has room for the whole form, so it never moves and earlier spans stay good. */
static struct span decode_part(struct form *form, struct span part)
{
    size_t start = form->text.n;
    url_decode(&form->text, part, true);
    return span_of(form->text.p + start, form->text.n - start);
}

static void parse_fields(struct form *form, struct span text)
{
    while (text.n > 0) {
        struct span value = cut(&text, '&');
        if (value.n == 0)
            continue;
        struct span name = cut(&value, '=');
        struct form_field *field = &form->fields[form->n++];
        field->name = decode_part(form, name);
        field->value = decode_part(form, value);
    }
}

static struct span without_mark(struct span text)
{
    bool marked = text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0;
    return marked ? span_of(text.p + 3, text.n - 3) : text;
}

int form_parse(struct form *form, struct span text, struct err *err)
{
    *form = (struct form){0};
    buf_init(&form->text, FORM_MAX_BYTES);
    if (text.n > FORM_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "a form of %zu bytes, at most %d are taken", text.n, FORM_MAX_BYTES);
    text = without_mark(text);
    size_t n = count_fields(text);
    if (n > FORM_MAX_FIELDS)
        return err_set(err, ERR_LIMIT, "a form of %zu fields, at most %d are taken", n, FORM_MAX_FIELDS);
    if (n == 0)
        return 0;
    form->fields = mem_calloc(n, sizeof *form->fields);
    buf_room(&form->text, text.n);
    parse_fields(form, text);
    return 0;
}

void form_done(struct form *form)
{
    free(form->fields);
    form->fields = NULL;
    form->n = 0;
    buf_done(&form->text);
}

struct span form_get(const struct form *form, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < form->n; i++) {
        if (span_eq(form->fields[i].name, wanted))
            return form->fields[i].value;
    }
    return SPAN_NONE;
}

/* A URL never holds these as they are. A backslash is refused because readers disagree on whether it ends the
 * host. */
static bool forbidden(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7F || c == '\\' || c == '"' || c == '<' || c == '>';
}

static bool scheme_valid(struct span scheme)
{
    if (scheme.n == 0 || !is_alpha(scheme.p[0]))
        return false;
    for (size_t i = 1; i < scheme.n; i++) {
        char c = scheme.p[i];
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

static int parse_port(struct span text, int *port, struct err *err)
{
    if (text.n == 0) /* RFC 3986 allows "host:" */
        return 0;
    if (!number_read_int(text, 1, 65535, port))
        return err_set(err, ERR_INVALID, "the URL's port is not a number from 1 to 65535");
    return 0;
}

static int split_bracketed(struct span host_port, struct url_parts *parts, struct err *err)
{
    const char *end = memchr(host_port.p, ']', host_port.n);
    if (!end)
        return err_set(err, ERR_INVALID, "the URL's host opens a '[' that is not closed");
    parts->host = span_of(host_port.p + 1, (size_t)(end - host_port.p) - 1);
    struct span rest = span_of(end + 1, (size_t)(host_port.p + host_port.n - end) - 1);
    if (rest.n == 0)
        return 0;
    if (rest.p[0] != ':')
        return err_set(err, ERR_INVALID, "the URL has something other than a port after the ']' of its host");
    return parse_port(span_of(rest.p + 1, rest.n - 1), &parts->port, err);
}

static int split_host_port(struct span host_port, struct url_parts *parts, struct err *err)
{
    parts->host = host_port;
    if (host_port.n == 0 || memchr(host_port.p, ',', host_port.n))
        return 0;
    if (host_port.p[0] == '[')
        return split_bracketed(host_port, parts, err);
    parts->host = cut(&host_port, ':');
    return parse_port(host_port, &parts->port, err);
}

static int split_authority(struct span authority, struct url_parts *parts, struct err *err)
{
    size_t at = authority.n;
    while (at > 0 && authority.p[at - 1] != '@')
        at--;
    if (at > 0) {
        parts->userinfo = span_of(authority.p, at - 1);
        authority = span_of(authority.p + at, authority.n - at);
    }
    int rc = split_host_port(authority, parts, err);
    if (rc != 0)
        return rc;
    bool local = span_is(parts->scheme, "unix") || span_is(parts->scheme, "file");
    if (parts->host.n == 0 && !local)
        return err_set(err, ERR_INVALID, "the URL has no host");
    return 0;
}

/* Cuts from the first `c` on off `url` and gives what follows the `c`; SPAN_NONE without one. */
static struct span cut_tail(struct span *url, char c)
{
    const char *found = memchr(url->p, c, url->n);
    if (!found)
        return SPAN_NONE;
    struct span tail = span_of(found + 1, (size_t)(url->p + url->n - found) - 1);
    url->n = (size_t)(found - url->p);
    return tail;
}

int url_split(struct span url, struct url_parts *parts, struct err *err)
{
    *parts = (struct url_parts){.port = -1};
    for (size_t i = 0; i < url.n; i++) {
        if (forbidden(url.p[i]))
            return err_set(err, ERR_INVALID,
                           "the URL has a character at byte %zu that must be percent-encoded", i);
    }
    const char *mark = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
    if (!mark)
        return err_set(err, ERR_INVALID, "no URL: expected scheme://host");
    parts->scheme = span_of(url.p, (size_t)(mark - url.p));
    if (!scheme_valid(parts->scheme))
        return err_set(err, ERR_INVALID, "the URL's scheme is malformed");
    struct span rest = span_of(mark + 3, (size_t)(url.p + url.n - mark) - 3);
    parts->fragment = cut_tail(&rest, '#');
    parts->query = cut_tail(&rest, '?');
    const char *slash = memchr(rest.p, '/', rest.n);
    struct span authority = span_of(rest.p, slash ? (size_t)(slash - rest.p) : rest.n);
    parts->path = span_of(rest.p + authority.n, rest.n - authority.n);
    return split_authority(authority, parts, err);
}

static bool has(struct span text, char c)
{
    return text.n > 0 && memchr(text.p, c, text.n) != NULL;
}

bool url_has_stray_at(const struct url_parts *parts)
{
    return has(parts->path, '@') || has(parts->query, '@') || has(parts->fragment, '@');
}

void url_add_shown(struct buf *b, struct span url)
{
    struct url_parts parts;
    bool certain = url_split(url, &parts, NULL) == 0 && !url_has_stray_at(&parts);
    if (!scheme_valid(parts.scheme)) {
        buf_adds(b, "...");
        return;
    }
    buf_addspan(b, parts.scheme);
    buf_adds(b, "://");
    if (!certain) {
        buf_adds(b, "...");
        return;
    }
    buf_addspan(b, parts.host);
    if (parts.path.n > 1 || parts.query.p != NULL || parts.fragment.p != NULL)
        buf_adds(b, "/...");
}
