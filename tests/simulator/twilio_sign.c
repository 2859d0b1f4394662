#include "tests/simulator/twilio_sign.h"

#include <string.h>
#include <time.h>

#include "common/base/crypto.h"

static int compare_bytes(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_fields(const struct form_field *a, const struct form_field *b)
{
    int order = compare_bytes(a->name, b->name);
    return order ? order : compare_bytes(a->value, b->value);
}

/* By insertion: bodies are written in this order already, so one pass finds nothing to move. */
static void sort_fields(struct form_field *fields, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct form_field field = fields[i];
        size_t at = i;
        for (; at > 0 && compare_fields(&fields[at - 1], &field) > 0; at--)
            fields[at] = fields[at - 1];
        fields[at] = field;
    }
}

void sim_twilio_sign(struct buf *out, struct span token, struct span url, struct form_field *fields, size_t n,
                     struct buf *scratch)
{
    uint8_t mac[SHA1_LEN];
    sort_fields(fields, n);
    buf_clear(scratch);
    buf_addspan(scratch, url);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare_fields(&fields[i - 1], &fields[i]) == 0)
            continue;
        buf_addspan(scratch, fields[i].name);
        buf_addspan(scratch, fields[i].value);
    }
    crypto_hmac_sha1(token, buf_span(scratch), mac);
    crypto_add_base64(out, mac, sizeof mac);
}

void sim_add_rfc2822(struct buf *out, int64_t wall_ms)
{
    /* Thousands of calls share a second: the text is made once for each. */
    static time_t last = -1;
    static char text[48];
    static size_t text_n;
    time_t second = (time_t)(wall_ms / 1000);
    if (second != last) {
        struct tm parts;
        gmtime_r(&second, &parts);
        text_n = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &parts);
        last = second;
    }
    buf_add(out, text, text_n);
}
