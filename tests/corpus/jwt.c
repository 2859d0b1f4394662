/* A bearer token of ours, read and verified with OpenSSL alone: none of the code that made it. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/json_memory.h"
#include "tests/corpus/corpus.h"

enum { TOKEN_MAX = 8192, CLOCK_SLACK_S = 60, DAY_S = 86400, JTI_MIN_LEN = 16 };

/* Appends the bytes of unpadded base64url; false where it is none. */
static bool add_decoded(struct buf *b, struct span text)
{
    unsigned char padded[TOKEN_MAX + 4], bytes[TOKEN_MAX + 4];
    if (text.n == 0 || text.n > TOKEN_MAX || text.n % 4 == 1 || memchr(text.p, '=', text.n))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '+' || text.p[i] == '/')
            return false;
        padded[i] = (unsigned char)(text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i]);
    }
    size_t padding = (4 - text.n % 4) % 4;
    memset(padded + text.n, '=', padding);
    int n = EVP_DecodeBlock(bytes, padded, (int)(text.n + padding));
    if (n < 0)
        return false;
    buf_add(b, bytes, (size_t)n - padding);
    return true;
}

static EVP_PKEY *read_key(const struct channel *channel)
{
    struct span pem = channel_credential(channel, "private_key");
    BIO *bio = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static bool signature_fits(const struct channel *channel, struct span signed_part, struct span signature)
{
    EVP_PKEY *key = read_key(channel);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fits = key && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(context, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)signed_part.p, signed_part.n) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return fits;
}

/* ---- claims that are another with each token ---- */

static bool is_time(json_t *value, int64_t from_s, int64_t to_s)
{
    int64_t s = json_integer_value(value);
    return json_is_integer(value) && s >= from_s && s <= to_s;
}

static bool claim_is_right(const char *name, json_t *value)
{
    int64_t now_s = clock_wall_ms() / 1000;
    if (strcmp(name, "iat") == 0 || strcmp(name, "nbf") == 0)
        return is_time(value, now_s - CLOCK_SLACK_S, now_s + CLOCK_SLACK_S);
    if (strcmp(name, "exp") == 0)
        return is_time(value, now_s + 1, now_s + DAY_S);
    if (strcmp(name, "jti") == 0)
        return json_is_string(value) && json_string_length(value) >= JTI_MIN_LEN;
    return false;
}

/* What `expected` does not name must be one of the claims above; it is then left out, as what is compared. */
static void check_claims(json_t *claims, json_t *expected)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(claims, next, name, value)
    {
        if (!json_object_get(expected, name) && claim_is_right(name, value))
            json_object_del(claims, name);
    }
}

/* ---- the token ---- */

/* Cuts `in` before the first '.', or at its end, and moves it past. */
static struct span cut_part(struct span *in)
{
    const char *dot = in->n ? memchr(in->p, '.', in->n) : NULL;
    struct span part = span_of(in->p, dot ? (size_t)(dot - in->p) : in->n);
    size_t past = part.n + !!dot;
    *in = in->n ? span_of(in->p + past, in->n - past) : *in;
    return part;
}

static json_t *read_part(struct span part)
{
    struct buf text;
    buf_init(&text, TOKEN_MAX);
    json_t *object = add_decoded(&text, part) ? json_parse(buf_span(&text), TOKEN_MAX, NULL) : NULL;
    buf_done(&text);
    return object;
}

static void compare_parts(struct corpus_case *c, json_t *header, json_t *claims)
{
    json_t *expected = json_object_get(c->expect, "jwt");
    check_claims(claims, json_object_get(expected, "claims"));
    json_t *came = json_pack("{sOsO}", "header", header, "claims", claims);
    corpus_compare(c, "expect.jwt", expected, came);
    json_decref(came);
}

static void check_token(struct corpus_case *c, struct span token)
{
    struct span rest = token;
    struct span header_part = cut_part(&rest), claims_part = cut_part(&rest);
    struct span signed_part = span_of(token.p, header_part.n + 1 + claims_part.n);
    struct buf signature;
    buf_init(&signature, TOKEN_MAX);
    json_t *header = read_part(header_part), *claims = read_part(claims_part);
    if (!header || !claims || !add_decoded(&signature, rest))
        corpus_problem(c, "expect.jwt: what came is no token: %.*s", SPAN_ARG(token));
    else if (!signature_fits(c->channel, signed_part, buf_span(&signature)))
        corpus_problem(c, "expect.jwt: the signature does not fit credentials.private_key");
    else
        compare_parts(c, header, claims);
    json_decref(header);
    json_decref(claims);
    buf_done(&signature);
}

/* What was compared here already is repeated as it is expected. */
void corpus_add_jwt(struct corpus_case *c, struct buf *came, struct span authorization)
{
    static const char bearer[] = "Bearer ";
    size_t n = sizeof bearer - 1;
    if (authorization.n <= n || memcmp(authorization.p, bearer, n) != 0) {
        corpus_problem(c, "expect.jwt: expected Authorization: Bearer, came %.*s", SPAN_ARG(authorization));
        return;
    }
    check_token(c, span_of(authorization.p + n, authorization.n - n));
    char *expected = json_dumps(json_object_get(c->expect, "jwt"), 0);
    json_kraw(came, "jwt", span_str(expected));
    json_memory_free(expected);
}
