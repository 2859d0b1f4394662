/* A bearer token of ours, read and verified with OpenSSL alone: none of the code that made it. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/json/json_memory.h"
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

/* Instants in seconds, each between two distances from now. */
static const struct claim_time {
    const char *name;
    bool required;
    int64_t from_s, to_s;
} claim_times[] = {
    {"iat", true, -CLOCK_SLACK_S, CLOCK_SLACK_S},
    {"nbf", false, -CLOCK_SLACK_S, CLOCK_SLACK_S},
    {"exp", true, 1, DAY_S},
};

/* What was looked at is left out of what is compared. */
static void check_time(struct corpus_case *c, json_t *claims, const struct claim_time *claim)
{
    json_t *value = json_object_get(claims, claim->name);
    int64_t distance_s = json_integer_value(value) - clock_wall_ms() / 1000;
    if (!value && !claim->required)
        return;
    if (!json_is_integer(value) || distance_s < claim->from_s || distance_s > claim->to_s)
        corpus_problem(c, "expect.jwt.claims.%s: expected seconds from now%+d to now%+d, came %s",
                       claim->name, (int)claim->from_s, (int)claim->to_s, value ? "others" : "nothing");
    json_object_del(claims, claim->name);
}

static void check_claims(struct corpus_case *c, json_t *claims, json_t *expected)
{
    for (size_t i = 0; i < sizeof claim_times / sizeof claim_times[0]; i++) {
        if (!json_object_get(expected, claim_times[i].name))
            check_time(c, claims, &claim_times[i]);
    }
    if (json_object_get(expected, "jti"))
        return;
    if (json_string_length(json_object_get(claims, "jti")) < JTI_MIN_LEN)
        corpus_problem(c, "expect.jwt.claims.jti: expected %d characters that no other token has",
                       JTI_MIN_LEN);
    json_object_del(claims, "jti");
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
    check_claims(c, claims, json_object_get(expected, "claims"));
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
