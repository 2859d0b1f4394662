/*
 * Vectors: the HS256 token that Vonage's Python SDK publishes, one in the form of a signed webhook, and an
 * RS256 token that another library made (jwt_keys.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/base/crypto.h"
#include "common/http/jwt.h"
#include "common/json/json.h"
#include "tests/unit/jwt_keys.h"

#define SECRET SPAN_LIT("qwertyuiopasdfghjklzxcvbnm123456")

static const char published[] =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI"
    "6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM";

static const char webhook[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJpYXQiOjE1ODc0OTQ5NjIsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSI"
    "sInBheWxvYWRfaGFzaCI6IjNhZjJlMTdiMjEzMmYwNjgyMTYzZmUzNzU1N2RjMGY4MTZjMjkzYTVkZWVlMDUwMTU2NDc3NGZjMWI1Mz"
    "lhM2QiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4O"
    "WFiIn0.a5cG1G2nHQrz_Sg8pU45-seUmNsV3IeOWLCy_ofPrIk";

/* The payload of `webhook`: a completed event as recorded. */
static const char event[] =
    "{\"headers\":{},\"end_time\":\"2020-07-01T20:45:42.000Z\",\"uuid\":\"0A0000000123ABCD1\",\"network\":"
    "\"US-VIRTUAL-LEVEL3\",\"duration\":\"7\",\"start_time\":\"2020-07-01T20:45:35.000Z\",\"rate\":"
    "\"0.00450000\",\"price\":\"0.00052500\",\"from\":\"14845552121\",\"to\":\"16105553939\","
    "\"conversation_uuid\":\"CON-2541d01c-253e-48be-a8e0-da4bbe4c3722\",\"status\":\"completed\","
    "\"direction\":\"inbound\",\"timestamp\":\"2020-07-01T20:45:41.712Z\"}";

static bool opens(struct span token, struct span secret)
{
    json_t *claims = jwt_open_hs256(token, secret);
    json_decref(claims);
    return claims != NULL;
}

static struct jwt_key *key_of(const char *pem)
{
    struct jwt_key *key;
    struct err err = ERR_INIT;
    assert_int_equal(jwt_key_new(&key, span_str(pem), &err), 0);
    return key;
}

/* ---- HS256 ---- */

static void the_published_token_opens_with_its_secret_alone(void **state)
{
    (void)state;
    json_t *claims = jwt_open_hs256(span_str(published), SECRET);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), 1697634680);
    assert_true(span_is(json_get_span(claims, "iss"), "Online JWT Builder"));
    json_decref(claims);
    assert_false(opens(span_str(published), SPAN_LIT("asdf")));
    assert_false(opens(span_str(published), SPAN_NONE));
}

static void the_webhook_s_claims_name_the_hash_of_its_payload(void **state)
{
    uint8_t hash[SHA256_LEN];
    struct buf hex;
    (void)state;
    json_t *claims = jwt_open_hs256(span_str(webhook), SECRET);
    buf_init(&hex, 64);
    crypto_sha256(span_str(event), hash);
    crypto_add_hex(&hex, hash, sizeof hash);
    assert_int_equal(strlen(event), 390);
    assert_true(span_eq(json_get_span(claims, "payload_hash"), buf_span(&hex)));
    assert_true(span_is(json_get_span(claims, "application_id"), "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"));
    buf_done(&hex);
    json_decref(claims);
}

static void what_we_sign_opens_again(void **state)
{
    struct buf token;
    (void)state;
    buf_init(&token, JWT_MAX);
    buf_adds(&token, "Bearer ");
    jwt_add_hs256(&token, SECRET, SPAN_LIT("{\"iat\":7}"));
    assert_true(opens(span_of(token.p + 7, token.n - 7), SECRET));
    assert_false(opens(buf_span(&token), SECRET));
    buf_done(&token);
}

static void no_byte_of_a_token_can_change(void **state)
{
    char copy[sizeof webhook];
    (void)state;
    for (size_t i = 0; i < sizeof webhook - 1; i++) {
        memcpy(copy, webhook, sizeof copy);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_false(opens(span_str(copy), SECRET));
        /* The bits behind the last byte are such a change, too: 'k' and 'l' decode alike where they are kept.
         */
        copy[i] = (char)(webhook[i] + 1);
        assert_false(opens(span_str(copy), SECRET));
        assert_false(opens(span_of(webhook, i), SECRET));
    }
    assert_true(opens(span_of(webhook, sizeof webhook - 1), SECRET));
}

/* A token over any header and claims, whose MAC fits. */
static bool opens_with(struct span header, struct span claims)
{
    uint8_t mac[SHA256_LEN];
    struct buf token;
    buf_init(&token, 64 * 1024);
    crypto_add_base64url(&token, (const uint8_t *)header.p, header.n);
    buf_addc(&token, '.');
    crypto_add_base64url(&token, (const uint8_t *)claims.p, claims.n);
    crypto_hmac_sha256(SECRET, buf_span(&token), mac);
    buf_addc(&token, '.');
    crypto_add_base64url(&token, mac, sizeof mac);
    bool opened = opens(buf_span(&token), SECRET);
    buf_done(&token);
    return opened;
}

#define HS256 SPAN_LIT("{\"alg\":\"HS256\"}")

static void the_algorithm_is_the_caller_s_choice(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":[\"HS256\"]}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
        "[\"alg\",\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"",
        "",
    };
    (void)state;
    assert_true(opens_with(HS256, SPAN_LIT("{}")));
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_false(opens_with(span_str(headers[i]), SPAN_LIT("{}")));
    /* Without a signature: what "none" would be. */
    assert_false(opens(SPAN_LIT("eyJhbGciOiJub25lIn0.e30."), SECRET));
    assert_false(opens(SPAN_LIT("eyJhbGciOiJIUzI1NiJ9.e30."), SECRET));
}

static void claims_are_one_json_object(void **state)
{
    static const char *const claims[] = {"", "[]", "7", "{\"iat\":1,\"iat\":2}", "{} {}", "{\"a\":\"\xFF\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++)
        assert_false(opens_with(HS256, span_str(claims[i])));
}

static void a_token_has_three_parts_and_a_limit(void **state)
{
    static const char *const tokens[] = {"", ".", "..", "...", "a.b.c", "e30", "e30.e30", "e30.e30.e30.e30"};
    char large[JWT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        assert_false(opens(span_str(tokens[i]), SECRET));
    memset(large, ' ', sizeof large);
    memcpy(large, "{}", 2);
    assert_true(opens_with(HS256, span_of(large, 4000)));
    assert_false(opens_with(HS256, span_of(large, sizeof large)));
}

/* ---- RS256 ---- */

static void rs256_agrees_with_another_library(void **state)
{
    struct jwt_key *key = key_of(RSA_PEM);
    struct buf token;
    (void)state;
    buf_init(&token, JWT_MAX);
    assert_int_equal(jwt_add_rs256(&token, key, span_str(RS256_CLAIMS), NULL), 0);
    assert_string_equal(token.p, RS256_TOKEN);
    json_t *claims = jwt_open_rs256(buf_span(&token), key);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 1587495862);
    json_decref(claims);
    token.p[token.n - 20] ^= 1;
    assert_null(jwt_open_rs256(buf_span(&token), key));
    assert_null(jwt_open_rs256(span_str(published), key));
    assert_false(opens(span_str(RS256_TOKEN), SPAN_LIT(RSA_PEM)));
    buf_done(&token);
    jwt_key_free(&key);
    assert_null(key);
    jwt_key_free(&key);
}

static void a_key_without_its_last_newline_is_read(void **state)
{
    struct jwt_key *key;
    (void)state;
    assert_int_equal(jwt_key_new(&key, span_of(RSA_PEM, sizeof(RSA_PEM) - 2), NULL), 0);
    jwt_key_free(&key);
}

static void a_public_key_opens_and_cannot_sign(void **state)
{
    (void)state;
    struct jwt_key *private = key_of(RSA_PEM), *public;
    BIO *pem = BIO_new(BIO_s_mem()), *in = BIO_new_mem_buf(RSA_PEM, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    struct buf token;
    char *text;
    assert_int_equal(PEM_write_bio_PUBKEY(pem, pkey), 1);
    long n = BIO_get_mem_data(pem, &text);
    assert_int_equal(jwt_public_key_new(&public, span_of(text, (size_t)n), NULL), 0);
    buf_init(&token, JWT_MAX);
    assert_int_equal(jwt_add_rs256(&token, private, SPAN_LIT("{\"iat\":7}"), NULL), 0);
    json_t *claims = jwt_open_rs256(buf_span(&token), public);
    assert_non_null(claims);
    assert_int_not_equal(jwt_add_rs256(&token, public, SPAN_LIT("{}"), NULL), 0);
    jwt_key_free(&public);
    assert_int_equal(jwt_public_key_new(&public, SPAN_LIT(RSA_PEM), NULL), ERR_INVALID);
    assert_null(public);
    json_decref(claims);
    buf_done(&token);
    jwt_key_free(&private);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(pem);
}

static void assert_no_key(struct span pem, const char *says)
{
    struct jwt_key *key;
    struct err err = ERR_INIT;
    assert_int_equal(jwt_key_new(&key, pem, &err), ERR_INVALID);
    assert_null(key);
    assert_non_null(strstr(err.text, says));
    assert_int_equal(ERR_peek_error(), 0);
}

static void what_is_no_rsa_key_is_refused(void **state)
{
    (void)state;
    assert_no_key(SPAN_NONE, "PEM");
    assert_no_key(SPAN_LIT("not-a-key"), "PEM");
    assert_no_key(SPAN_LIT("-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----"), "PEM");
    assert_no_key(span_of(RSA_PEM, sizeof(RSA_PEM) - 100), "PEM");
    assert_no_key(span_str(EC_PEM), "RSA");
}

/* It must neither be read with an empty password nor ask for one. */
static void an_encrypted_key_is_refused(void **state)
{
    BIO *plain = BIO_new_mem_buf(RSA_PEM, -1), *encrypted = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(plain, NULL, NULL, NULL);
    char *pem;
    (void)state;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(encrypted, pkey, EVP_aes_128_cbc(), "x", 1, NULL, NULL),
                     1);
    long n = BIO_get_mem_data(encrypted, &pem);
    assert_no_key(span_of(pem, (size_t)n), "not encrypted");
    EVP_PKEY_free(pkey);
    BIO_free(plain);
    BIO_free(encrypted);
}

static void a_key_too_short_for_the_algorithm_is_refused(void **state)
{
    (void)state;
    assert_no_key(span_str(SMALL_PEM), "512 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_token_opens_with_its_secret_alone),
        cmocka_unit_test(the_webhook_s_claims_name_the_hash_of_its_payload),
        cmocka_unit_test(what_we_sign_opens_again),
        cmocka_unit_test(no_byte_of_a_token_can_change),
        cmocka_unit_test(the_algorithm_is_the_caller_s_choice),
        cmocka_unit_test(claims_are_one_json_object),
        cmocka_unit_test(a_token_has_three_parts_and_a_limit),
        cmocka_unit_test(rs256_agrees_with_another_library),
        cmocka_unit_test(a_key_without_its_last_newline_is_read),
        cmocka_unit_test(a_public_key_opens_and_cannot_sign),
        cmocka_unit_test(what_is_no_rsa_key_is_refused),
        cmocka_unit_test(an_encrypted_key_is_refused),
        cmocka_unit_test(a_key_too_short_for_the_algorithm_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
