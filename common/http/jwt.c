#include "common/http/jwt.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/json/json.h"

/* An RSA signature is as long as the key: 2 KiB are 16384 bits. */
enum { SIGNATURE_MAX = 2048, KEY_MIN_BITS = 2048 };

struct jwt_key {
    EVP_PKEY *pkey;
};

/* ---- the key ---- */

/* Without it OpenSSL would ask for the password on the terminal. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

typedef EVP_PKEY *read_pem_fn(BIO *, EVP_PKEY **, pem_password_cb *, void *);

static EVP_PKEY *read_pem(struct span pem, read_pem_fn *read)
{
    BIO *bio = pem.n > 0 && pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *pkey = bio ? read(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

static int check_key(EVP_PKEY *pkey, struct err *err)
{
    if (!EVP_PKEY_is_a(pkey, "RSA"))
        return err_set(err, ERR_INVALID, "is a key of another kind, expected an RSA key");
    if (EVP_PKEY_bits(pkey) < KEY_MIN_BITS)
        return err_set(err, ERR_INVALID, "is an RSA key of %d bits, RS256 needs %d or more",
                       EVP_PKEY_bits(pkey), KEY_MIN_BITS);
    return 0;
}

/* Takes `pkey` over. */
static int keep_key(struct jwt_key **key, EVP_PKEY *pkey, struct err *err)
{
    if (check_key(pkey, err) != 0) {
        EVP_PKEY_free(pkey);
        return ERR_INVALID;
    }
    *key = mem_calloc(1, sizeof **key);
    (*key)->pkey = pkey;
    return 0;
}

int jwt_key_new(struct jwt_key **key, struct span pem, struct err *err)
{
    *key = NULL;
    EVP_PKEY *pkey = read_pem(pem, PEM_read_bio_PrivateKey);
    if (!pkey)
        return err_set(err, ERR_INVALID,
                       "is no private key, expected PEM with its line breaks, not encrypted: "
                       "-----BEGIN PRIVATE KEY----- and so on");
    return keep_key(key, pkey, err);
}

int jwt_public_key_new(struct jwt_key **key, struct span pem, struct err *err)
{
    *key = NULL;
    EVP_PKEY *pkey = read_pem(pem, PEM_read_bio_PUBKEY);
    if (!pkey)
        return err_set(
            err, ERR_INVALID,
            "is no public key, expected PEM with its line breaks: -----BEGIN PUBLIC KEY----- and so on");
    return keep_key(key, pkey, err);
}

void jwt_key_free(struct jwt_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

/* ---- writing ---- */

/* Appends HEADER.CLAIMS; where it starts is returned. */
static size_t add_signed_part(struct buf *out, struct span header, struct span claims)
{
    size_t start = out->n;
    crypto_add_base64url(out, (const uint8_t *)header.p, header.n);
    buf_addc(out, '.');
    crypto_add_base64url(out, (const uint8_t *)claims.p, claims.n);
    return start;
}

static void add_signature(struct buf *out, const uint8_t *signature, size_t n)
{
    buf_addc(out, '.');
    crypto_add_base64url(out, signature, n);
}

/* *n is the room in `signature`, then its length. */
static bool sign_rs256(const struct jwt_key *key, struct span data, uint8_t *signature, size_t *n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, signature, n, (const unsigned char *)data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return done;
}

int jwt_add_rs256(struct buf *out, const struct jwt_key *key, struct span claims, struct err *err)
{
    uint8_t signature[SIGNATURE_MAX];
    size_t n = sizeof signature;
    struct buf token;
    buf_init(&token, JWT_MAX);
    add_signed_part(&token, SPAN_LIT("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"), claims);
    bool done = buf_ok(&token) && sign_rs256(key, buf_span(&token), signature, &n);
    if (done) {
        add_signature(&token, signature, n);
        buf_addspan(out, buf_span(&token));
    }
    buf_done(&token);
    return done ? 0 : err_set(err, ERR_SYSTEM, "this key cannot sign with RS256");
}

void jwt_add_hs256(struct buf *out, struct span secret, struct span claims)
{
    uint8_t mac[SHA256_LEN];
    size_t start = add_signed_part(out, SPAN_LIT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), claims);
    if (!buf_ok(out))
        return;
    crypto_hmac_sha256(secret, span_of(out->p + start, out->n - start), mac);
    add_signature(out, mac, sizeof mac);
}

/* ---- reading ---- */

/* A token in its parts, still encoded. */
struct jwt_parts {
    struct span header, claims, signature;
    struct span signed_part; /* HEADER.CLAIMS */
};

static bool split(struct span token, struct jwt_parts *parts)
{
    const char *first = token.n && token.n <= JWT_MAX ? memchr(token.p, '.', token.n) : NULL;
    const char *last = first ? memrchr(token.p, '.', token.n) : NULL;
    if (!first || first == last)
        return false;
    size_t header_n = (size_t)(first - token.p), signed_n = (size_t)(last - token.p);
    parts->header = span_of(token.p, header_n);
    parts->claims = span_of(first + 1, signed_n - header_n - 1); /* a third dot in it does not decode */
    parts->signature = span_of(last + 1, token.n - signed_n - 1);
    parts->signed_part = span_of(token.p, signed_n);
    return true;
}

static json_t *decode_object(struct span part)
{
    struct buf text;
    buf_init(&text, JWT_MAX);
    json_t *value = crypto_decode_base64url(&text, part) ? json_parse(buf_span(&text), JWT_MAX, NULL) : NULL;
    buf_done(&text);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool header_says(struct span header, const char *alg)
{
    json_t *object = decode_object(header);
    bool fits = span_is(json_get_span(object, "alg"), alg) && !json_object_get(object, "crit");
    json_decref(object);
    return fits;
}

/* Splits and checks the header; the decoded signature is appended to `signature`. */
static bool begin_open(struct span token, const char *alg, struct jwt_parts *parts, struct buf *signature)
{
    return split(token, parts) && header_says(parts->header, alg) &&
           crypto_decode_base64url(signature, parts->signature);
}

static bool rs256_fits(const struct jwt_key *key, struct span data, struct span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fits = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return fits;
}

json_t *jwt_open_rs256(struct span token, const struct jwt_key *key)
{
    struct jwt_parts parts;
    struct buf signature;
    buf_init(&signature, SIGNATURE_MAX);
    bool fits = begin_open(token, "RS256", &parts, &signature) &&
                rs256_fits(key, parts.signed_part, buf_span(&signature));
    buf_done(&signature);
    return fits ? decode_object(parts.claims) : NULL;
}

json_t *jwt_open_hs256(struct span token, struct span secret)
{
    uint8_t mac[SHA256_LEN];
    struct jwt_parts parts;
    struct buf signature;
    buf_init(&signature, SIGNATURE_MAX);
    bool fits = begin_open(token, "HS256", &parts, &signature);
    if (fits) {
        crypto_hmac_sha256(secret, parts.signed_part, mac);
        fits = crypto_equal(span_of((const char *)mac, sizeof mac), buf_span(&signature));
    }
    buf_done(&signature);
    return fits ? decode_object(parts.claims) : NULL;
}
