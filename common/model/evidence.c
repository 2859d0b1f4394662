#include "common/model/evidence.h"

#include <string.h>

#include "common/base/phone.h"

void evidence_init(struct evidence *ev)
{
    *ev = (struct evidence){.ring_seconds = -1, .talk_seconds = -1, .cost_micros = -1};
}

/* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F. */
static bool is_control(const char *p, size_t n)
{
    unsigned char first = (unsigned char)p[0];
    if (n == 1)
        return first < 0x20 || first == 0x7F;
    return n == 2 && first == 0xC2 && (unsigned char)p[1] < 0xA0;
}

/* `out` has room for max bytes and a NUL. */
static void copy_clean(char *out, size_t max, struct span in)
{
    size_t n = 0;
    while (in.n > 0) {
        size_t step = span_utf8_char(in);
        const char *from = in.p;
        size_t take = step ? step : 1;
        in = span_of(in.p + take, in.n - take);
        if (step == 0)
            from = "?";
        else if (is_control(from, take)) {
            from = " ";
            take = 1;
        }
        if (n + take > max)
            break;
        memcpy(out + n, from, take);
        n += take;
    }
    out[n] = '\0';
}

void evidence_set_reason(struct evidence *ev, enum reason_kind kind, struct span code, struct span detail)
{
    copy_clean(ev->reason_code, EVIDENCE_CODE_MAX, code);
    copy_clean(ev->reason_detail, EVIDENCE_DETAIL_MAX, detail);
    ev->reason_kind = ev->reason_code[0] || ev->reason_detail[0] ? kind : REASON_NONE;
}

void evidence_set_hop_detail(struct evidence *ev, struct span detail)
{
    copy_clean(ev->hop_detail, EVIDENCE_DETAIL_MAX, detail);
}

bool evidence_set_provider_call_id(struct evidence *ev, struct span id)
{
    if (id.n == 0 || id.n > EVIDENCE_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] <= ' ' || id.p[i] > '~')
            return false;
    }
    memcpy(ev->provider_call_id, id.p, id.n);
    ev->provider_call_id[id.n] = '\0';
    return true;
}

bool evidence_set_called(struct evidence *ev, struct span number)
{
    if (!phone_valid(number) || number.n > EVIDENCE_CALLED_MAX)
        return false;
    memcpy(ev->called, number.p, number.n);
    ev->called[number.n] = '\0';
    return true;
}

/* Digits from *at on into *value as long as fewer than `most` were kept; returns how many there were. */
static size_t read_digits(struct span text, size_t *at, size_t most, int64_t *value)
{
    size_t n = 0;
    for (; *at < text.n && text.p[*at] >= '0' && text.p[*at] <= '9'; ++*at, n++) {
        if (n < most)
            *value = *value * 10 + (text.p[*at] - '0');
    }
    return n;
}

enum { WHOLE_DIGITS = 9, MICRO_DIGITS = 6 };

/* -1 when it does not fit. */
static int64_t read_micros(struct span text)
{
    size_t at = text.n > 0 && text.p[0] == '-' ? 1 : 0;
    int64_t value = 0;
    size_t whole = read_digits(text, &at, WHOLE_DIGITS, &value);
    size_t part = 0;
    if (at < text.n && text.p[at] == '.') {
        at++;
        part = read_digits(text, &at, MICRO_DIGITS, &value);
    }
    if (at != text.n || whole + part == 0 || whole > WHOLE_DIGITS)
        return -1;
    for (; part < MICRO_DIGITS; part++)
        value *= 10;
    return value;
}

static bool read_currency(struct span text, char out[8])
{
    if (text.n == 0 || text.n > 7)
        return false;
    memset(out, 0, 8);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c < 'A' || c > 'Z')
            return false;
        out[i] = c;
    }
    return true;
}

bool evidence_set_cost(struct evidence *ev, struct span amount, struct span currency)
{
    char name[8];
    int64_t micros = read_micros(amount);
    if (micros < 0 || !read_currency(currency, name))
        return false;
    ev->cost_micros = micros;
    memcpy(ev->currency, name, sizeof name);
    return true;
}
