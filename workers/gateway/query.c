#include "workers/gateway/query.h"

#include "common/base/url.h"

enum { NAME_MAX_BYTES = 3 * (sizeof("token") - 1) }; /* every letter as %XX */

/* Cuts `in` before the first `c` (or at its end) and moves it past. False when nothing was left. */
static bool cut(struct span *in, char c, struct span *piece)
{
    if (in->p == NULL)
        return false;
    const char *end = in->n > 0 ? memchr(in->p, c, in->n) : NULL;
    *piece = span_of(in->p, end != NULL ? (size_t)(end - in->p) : in->n);
    *in = end != NULL ? span_of(end + 1, in->n - piece->n - 1) : SPAN_NONE;
    return true;
}

static bool is_token(struct span piece, struct span *value)
{
    struct buf decoded;
    struct span name = SPAN_NONE;
    cut(&piece, '=', &name);
    *value = piece;
    if (name.n > NAME_MAX_BYTES)
        return false;
    buf_init(&decoded, NAME_MAX_BYTES);
    url_decode(&decoded, name, true);
    bool is = span_is(buf_span(&decoded), "token");
    buf_done(&decoded);
    return is;
}

void query_add_without_token(struct buf *out, struct span query)
{
    struct span piece, value;
    bool first = true;
    while (cut(&query, '&', &piece)) {
        if (is_token(piece, &value))
            continue;
        if (!first)
            buf_addc(out, '&');
        buf_addspan(out, piece);
        first = false;
    }
}

bool query_add_token(struct buf *out, struct span query)
{
    struct span piece, value;
    while (cut(&query, '&', &piece)) {
        if (!is_token(piece, &value))
            continue;
        url_decode(out, value, true);
        return true;
    }
    return false;
}
