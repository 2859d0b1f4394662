#include "common/base/crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* OpenSSL refuses a digest only when it is broken or configured away: no signature could ever be right
 * again. */
static _Noreturn void die(const char *text, size_t n)
{
    ssize_t ignored = write(STDERR_FILENO, text, n);
    (void)ignored;
    abort();
}
#define DIE(text) die(text "\n", sizeof(text "\n") - 1)

/* OpenSSL takes a NULL key or input for "the same as before". */
static const unsigned char *bytes_of(struct span s)
{
    return (const unsigned char *)(s.n ? s.p : "");
}

void crypto_sha256(struct span data, uint8_t out[SHA256_LEN])
{
    if (EVP_Digest(bytes_of(data), data.n, out, NULL, EVP_sha256(), NULL) != 1)
        DIE("OpenSSL has no SHA-256");
}

void crypto_hmac_sha1(struct span key, struct span data, uint8_t out[SHA1_LEN])
{
    if (!HMAC(EVP_sha1(), bytes_of(key), (int)key.n, bytes_of(data), data.n, out, NULL))
        DIE("OpenSSL has no HMAC-SHA1");
}

void crypto_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_LEN])
{
    if (!HMAC(EVP_sha256(), bytes_of(key), (int)key.n, bytes_of(data), data.n, out, NULL))
        DIE("OpenSSL has no HMAC-SHA256");
}

void crypto_add_hex(struct buf *b, const uint8_t *bytes, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    char *to = buf_room(b, 2 * n);
    if (!to)
        return;
    for (size_t i = 0; i < n; i++) {
        *to++ = hex[bytes[i] >> 4];
        *to++ = hex[bytes[i] & 15];
    }
    buf_grew(b, 2 * n);
}

/* Three bytes give four characters; one or two at the end give two or three, filled up with '=' where `pad`
 * says so. */
static void add_base64(struct buf *b, const uint8_t *bytes, size_t n, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (have > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (have > 2)
            group |= bytes[i + 2];
        char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63], alphabet[group >> 6 & 63],
                        alphabet[group & 63]};
        for (size_t k = have + 1; k < 4; k++)
            four[k] = '=';
        buf_add(b, four, pad ? 4 : have + 1);
    }
}

void crypto_add_base64(struct buf *b, const uint8_t *bytes, size_t n)
{
    add_base64(b, bytes, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

void crypto_add_base64url(struct buf *b, const uint8_t *bytes, size_t n)
{
    add_base64(b, bytes, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

/* -1 where it is none of the 64. */
static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Six bits a character, a byte as soon as there are eight; what is left over must be zero. */
static bool decode_base64url(char *to, struct span text)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.n; i++) {
        int value = base64url_value(text.p[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *to++ = (char)(bits >> have & 0xFF);
        }
    }
    return (bits & ((1u << have) - 1)) == 0;
}

bool crypto_decode_base64url(struct buf *out, struct span text)
{
    size_t n = text.n / 4 * 3 + text.n % 4 * 6 / 8;
    char *to = text.n % 4 == 1 ? NULL : buf_room(out, n);
    bool decoded = to && decode_base64url(to, text);
    if (to)
        buf_grew(out, decoded ? n : 0);
    return decoded;
}

bool crypto_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void crypto_random(void *out, size_t n)
{
    uint8_t *to = out;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            DIE("the system has no random bytes");
        to += got;
        n -= (size_t)got;
    }
}
