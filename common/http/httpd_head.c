#include "common/http/httpd_head.h"

#include <string.h>
#include <strings.h>

enum { MAX_LENGTH_DIGITS = 18 };

/* While a head is read: what its fields say of the body and the connection. */
struct head_reading {
    struct httpd_head *head;
    struct span rest;
    int minor; /* HTTP/1.minor */
    unsigned hosts, lengths, codings;
    bool close, keep;
    const char *why;
};

static int refuse(struct head_reading *in, int status, const char *why)
{
    in->why = why;
    return status;
}

bool httpd_is_token(char c)
{
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alnum || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

size_t httpd_head_end(struct span text, size_t *scanned)
{
    size_t from = *scanned;
    while (from < text.n) {
        const char *lf = memchr(text.p + from, '\n', text.n - from);
        if (lf == NULL)
            break;
        size_t at = (size_t)(lf - text.p);
        if (at == 0 || text.p[at - 1] != '\r')
            return SIZE_MAX;
        if (at >= 3 && text.p[at - 2] == '\n')
            return at + 1;
        from = at + 1;
    }
    *scanned = text.n;
    return 0;
}

/* The next line without its CRLF; httpd_head_end() has seen that every LF has its CR. */
static struct span next_line(struct head_reading *in)
{
    const char *lf = memchr(in->rest.p, '\n', in->rest.n);
    struct span line = span_of(in->rest.p, (size_t)(lf - in->rest.p) - 1);
    in->rest = span_of(lf + 1, in->rest.n - line.n - 2);
    return line;
}

/* ---- the request line ---- */

static bool is_visible(char c)
{
    return (unsigned char)c > 0x20 && c != 0x7F;
}

static bool all(struct span text, bool (*fits)(char))
{
    for (size_t i = 0; i < text.n; i++)
        if (!fits(text.p[i]))
            return false;
    return true;
}

/* What a host and port may consist of; who reads it as a URL reads it once more. */
static bool is_host_char(char c)
{
    return is_visible(c) && strchr("/?#@\\\"<>^`{|}", c) == NULL;
}

static bool starts_with(struct span text, struct span prefix)
{
    return text.n >= prefix.n && strncasecmp(text.p, prefix.p, prefix.n) == 0;
}

/* "/path?query", "*" (of OPTIONS), or the absolute form, as it is sent to a proxy:
 * "http://host/path?query". */
static int read_target(struct head_reading *in, struct span target)
{
    static const struct span schemes[] = {SPAN_LIT("http://"), SPAN_LIT("https://")};
    struct httpd_head *head = in->head;
    head->target = target;
    if (target.p[0] == '/' || span_is(target, "*"))
        return 0;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!starts_with(target, schemes[i]))
            continue;
        struct span rest = span_of(target.p + schemes[i].n, target.n - schemes[i].n);
        const char *slash = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
        head->host = span_of(rest.p, slash != NULL ? (size_t)(slash - rest.p) : rest.n);
        head->target = slash != NULL ? span_of(slash, rest.n - head->host.n) : SPAN_LIT("/");
        if (head->host.n > 0 && all(head->host, is_host_char))
            return 0;
        break;
    }
    return refuse(in, 400, "the request target is neither a path nor a URL of http or https");
}

static int read_version(struct head_reading *in, struct span version)
{
    if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 || version.p[6] != '.' || version.p[5] < '0' ||
        version.p[5] > '9' || version.p[7] < '0' || version.p[7] > '9')
        return refuse(in, 400, "the request line does not end in HTTP/1.1 or HTTP/1.0");
    if (version.p[5] != '1')
        return refuse(in, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    in->minor = version.p[7] - '0';
    return 0;
}

/* Exactly "METHOD target HTTP/1.x", one blank between them. */
static int read_request_line(struct head_reading *in)
{
    struct span line = next_line(in);
    const char *first = memchr(line.p, ' ', line.n);
    const char *last = memrchr(line.p, ' ', line.n);
    if (first == NULL || first == last)
        return refuse(in, 400, "the first line is no request line");
    struct span method = span_of(line.p, (size_t)(first - line.p));
    struct span target = span_of(first + 1, (size_t)(last - first) - 1);
    if (method.n == 0 || method.n > HTTPD_MAX_METHOD || !all(method, httpd_is_token))
        return refuse(in, 400, "the method is none");
    if (target.n == 0 || !all(target, is_visible))
        return refuse(in, 400, "the request target has a blank or a control character");
    memcpy(in->head->method, method.p, method.n);
    int status = read_version(in, span_of(last + 1, (size_t)(line.p + line.n - last) - 1));
    return status != 0 ? status : read_target(in, target);
}

/* ---- fields ---- */

static bool is_field_char(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7F);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trimmed(struct span text)
{
    while (text.n > 0 && is_blank(text.p[text.n - 1]))
        text.n--;
    while (text.n > 0 && is_blank(text.p[0]))
        text = span_of(text.p + 1, text.n - 1);
    return text;
}

static bool equal_names(struct span name, struct span other)
{
    return name.n == other.n && strncasecmp(name.p, other.p, name.n) == 0;
}

static int read_length(struct head_reading *in, struct span value)
{
    uint64_t length = 0;
    if (++in->lengths > 1)
        return refuse(in, 400, "Content-Length stands twice");
    if (value.n == 0)
        return refuse(in, 400, "Content-Length is no number");
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return refuse(in, 400, "Content-Length is no number");
        if (i < MAX_LENGTH_DIGITS)
            length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    in->head->length = value.n > MAX_LENGTH_DIGITS ? UINT64_MAX : length;
    return 0;
}

static int read_coding(struct head_reading *in, struct span value)
{
    if (++in->codings > 1)
        return refuse(in, 400, "Transfer-Encoding stands twice");
    if (!equal_names(value, SPAN_LIT("chunked")))
        return refuse(in, 400, "Transfer-Encoding may only be chunked");
    in->head->chunked = true;
    return 0;
}

static int read_host(struct head_reading *in, struct span value)
{
    if (++in->hosts > 1)
        return refuse(in, 400, "Host stands twice");
    if (!all(value, is_host_char))
        return refuse(in, 400, "Host is no name and port");
    if (in->head->host.p == NULL) /* the absolute form's goes before it */
        in->head->host = value;
    return 0;
}

static int read_connection(struct head_reading *in, struct span value)
{
    while (value.n > 0) {
        const char *comma = memchr(value.p, ',', value.n);
        size_t n = comma != NULL ? (size_t)(comma - value.p) : value.n;
        struct span option = trimmed(span_of(value.p, n));
        in->close |= equal_names(option, SPAN_LIT("close"));
        in->keep |= equal_names(option, SPAN_LIT("keep-alive"));
        n += comma != NULL;
        value = span_of(value.p + n, value.n - n);
    }
    return 0;
}

static int read_expectation(struct head_reading *in, struct span value)
{
    in->head->expects_continue = equal_names(value, SPAN_LIT("100-continue"));
    return 0;
}

/* What the server itself needs of them. */
static int heed_field(struct head_reading *in, struct span name, struct span value)
{
    static const struct {
        struct span name;
        int (*read)(struct head_reading *in, struct span value);
    } table[] = {
        {SPAN_LIT("content-length"), read_length},
        {SPAN_LIT("transfer-encoding"), read_coding},
        {SPAN_LIT("host"), read_host},
        {SPAN_LIT("connection"), read_connection},
        {SPAN_LIT("expect"), read_expectation},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (equal_names(name, table[i].name))
            return table[i].read(in, value);
    return 0;
}

static int read_field(struct head_reading *in, struct span line)
{
    struct httpd_head *head = in->head;
    const char *colon = memchr(line.p, ':', line.n);
    struct span name = span_of(line.p, colon != NULL ? (size_t)(colon - line.p) : 0);
    if (name.n == 0 || !all(name, httpd_is_token))
        return refuse(in, 400, "a header line is no name and colon, with nothing between them");
    struct span value = trimmed(span_of(colon + 1, line.n - name.n - 1));
    if (!all(value, is_field_char))
        return refuse(in, 400, "a header has a control character");
    if (head->fields_n == HTTPD_MAX_FIELDS)
        return refuse(in, 431, "there are more than 100 headers");
    head->fields[head->fields_n++] = (struct httpd_field){
        .name_at = (uint16_t)(name.p - head->text),
        .name_n = (uint16_t)name.n,
        .value_at = (uint16_t)(value.p - head->text),
        .value_n = (uint16_t)value.n,
    };
    return heed_field(in, name, value);
}

/* What no line says alone. */
static int check_framing(struct head_reading *in)
{
    struct httpd_head *head = in->head;
    if (in->minor > 0 && in->hosts == 0)
        return refuse(in, 400, "HTTP/1.1 needs a Host header");
    if (in->codings > 0 && in->lengths > 0)
        return refuse(in, 400, "Content-Length stands beside Transfer-Encoding");
    if (in->codings > 0 && in->minor == 0)
        return refuse(in, 400, "HTTP/1.0 has no Transfer-Encoding");
    head->http_1_0 = in->minor == 0;
    head->keep_alive = !in->close && (in->minor > 0 || in->keep);
    head->expects_continue &= in->minor > 0;
    return 0;
}

int httpd_head_read(struct httpd_head *head, struct span text, const char **why)
{
    struct head_reading in = {.head = head, .rest = text};
    memset(head, 0, offsetof(struct httpd_head, fields));
    head->fields_n = 0;
    head->text = text.p;
    int status = text.n > HTTPD_HEAD_MAX ? refuse(&in, 431, "the head is too large") : read_request_line(&in);
    while (status == 0) {
        struct span line = next_line(&in);
        if (line.n == 0)
            break;
        status = read_field(&in, line);
    }
    if (status == 0)
        status = check_framing(&in);
    *why = in.why;
    return status;
}

struct span httpd_head_field(const struct httpd_head *head, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < head->fields_n; i++) {
        const struct httpd_field *field = &head->fields[i];
        if (equal_names(span_of(head->text + field->name_at, field->name_n), wanted))
            return span_of(head->text + field->value_at, field->value_n);
    }
    return SPAN_NONE;
}
