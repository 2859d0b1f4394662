#include "common/base/phone.h"

#include "common/base/crypto.h"

enum {
    DIGITS_MIN = 7,
    DIGITS_MAX = 15,
    LONG_DIGITS = 10, /* from here on enough stays hidden when nine characters are shown */
    HEAD = 5,
    TAIL = 4,
    SHORT_TAIL = 2,
    HASH_BYTES = 16,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool phone_valid(struct span number)
{
    if (number.n < 1 + DIGITS_MIN || number.n > 1 + DIGITS_MAX || number.p[0] != '+' || number.p[1] == '0')
        return false;
    for (size_t i = 1; i < number.n; i++) {
        if (!is_digit(number.p[i]))
            return false;
    }
    return true;
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* The last `n` bytes, or fewer where the cut would fall into a UTF-8 character. */
static struct span tail_of(struct span text, size_t n)
{
    size_t from = text.n > n ? text.n - n : text.n;
    while (from < text.n && inside_character(text.p[from]))
        from++;
    return span_of(text.p + from, text.n - from);
}

static struct span head_of(struct span text, size_t n)
{
    while (n > 0 && inside_character(text.p[n]))
        n--;
    return span_of(text.p, n);
}

/* Always four stars: how many digits are hidden must not show either. */
static void add_mask(struct buf *b, struct span number)
{
    size_t digits = 0;
    for (size_t i = 0; i < number.n; i++)
        digits += is_digit(number.p[i]);
    bool is_long = digits >= LONG_DIGITS;
    if (is_long)
        buf_addspan(b, head_of(number, HEAD));
    buf_adds(b, "****");
    buf_addspan(b, tail_of(number, is_long ? TAIL : SHORT_TAIL));
}

static void add_hash(struct buf *b, struct span number, struct span key)
{
    uint8_t mac[SHA256_LEN];
    crypto_hmac_sha256(key, number, mac);
    buf_adds(b, "h:");
    crypto_add_hex(b, mac, HASH_BYTES);
}

void phone_add_shown(struct buf *b, struct span number, enum phone_shown shown, struct span key)
{
    switch (shown) {
    case PHONE_PLAIN:
        buf_addspan(b, number);
        return;
    case PHONE_HASH:
        add_hash(b, number, key);
        return;
    case PHONE_MASK:
        break;
    }
    add_mask(b, number);
}
