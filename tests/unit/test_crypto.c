#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/crypto.h"

static void check_hex(const uint8_t *bytes, size_t n, const char *expected)
{
    struct buf b;
    buf_init(&b, 200);
    crypto_add_hex(&b, bytes, n);
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void sha256_agrees_with_fips_180(void **state)
{
    (void)state;
    uint8_t out[SHA256_LEN];
    crypto_sha256(SPAN_LIT("abc"), out);
    check_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(SPAN_NONE, out);
    check_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmacs_agree_with_rfc_2202_and_4231(void **state)
{
    (void)state;
    uint8_t sha1[SHA1_LEN], sha256[SHA256_LEN];
    crypto_hmac_sha1(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), sha1);
    check_hex(sha1, sizeof sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    crypto_hmac_sha256(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), sha256);
    check_hex(sha256, sizeof sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char key[131];
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256(span_of(key, sizeof key),
                       SPAN_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), sha256);
    check_hex(sha256, sizeof sha256, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void an_empty_key_and_no_data_are_no_special_case(void **state)
{
    (void)state;
    uint8_t sha1[SHA1_LEN], sha256[SHA256_LEN];
    crypto_hmac_sha256(SPAN_LIT("left over?"), SPAN_LIT("x"), sha256);
    crypto_hmac_sha1(SPAN_NONE, SPAN_NONE, sha1);
    check_hex(sha1, sizeof sha1, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    crypto_hmac_sha256(SPAN_NONE, SPAN_NONE, sha256);
    check_hex(sha256, sizeof sha256, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void twilios_documented_signature_comes_out(void **state)
{
    (void)state;
    uint8_t mac[SHA1_LEN];
    struct buf b;
    buf_init(&b, 200);
    crypto_hmac_sha1(
        SPAN_LIT("12345"),
        SPAN_LIT("https://mycompany.com/myapp.php?foo=1&bar=2"
                 "CallSidCA1234567890ABCDECaller+14158675309Digits1234From+14158675309To+18005551212"),
        mac);
    crypto_add_base64(&b, mac, sizeof mac);
    assert_string_equal(b.p, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    buf_done(&b);
}

static void base64_agrees_with_rfc_4648(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    struct buf b;
    buf_init(&b, 200);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&b);
        crypto_add_base64(&b, (const uint8_t *)cases[i][0], strlen(cases[i][0]));
        assert_string_equal(b.p, cases[i][1]);
        buf_clear(&b);
        crypto_add_base64url(&b, (const uint8_t *)cases[i][0], strlen(cases[i][0]));
        assert_int_equal(b.n, strcspn(cases[i][1], "="));
        assert_memory_equal(b.p, cases[i][1], b.n);
    }
    buf_clear(&b);
    crypto_add_base64(&b, (const uint8_t *)"\xFB\xFF\xBF", 3);
    crypto_add_base64url(&b, (const uint8_t *)"\xFB\xFF\xBF", 3);
    assert_string_equal(b.p, "+/+/-_-_");
    buf_done(&b);
}

static bool decodes_to(const char *text, const char *bytes, size_t n)
{
    struct buf b;
    buf_init(&b, 200);
    buf_adds(&b, "kept ");
    bool decoded = crypto_decode_base64url(&b, span_str(text));
    assert_memory_equal(b.p, "kept ", 5);
    assert_int_equal(b.p[b.n], '\0');
    assert_true(decoded || b.n == 5);
    bool equal = decoded && span_eq(span_of(b.p + 5, b.n - 5), span_of(bytes, n));
    buf_done(&b);
    return equal;
}

static void base64url_is_read_in_its_one_form(void **state)
{
    static const char *const wrong[] = {"Zg==", "Zg=",  "Z",    "Zm9vY", "Zh",
                                        "Zm9",  "Zm 9", "-_-/", "-_+_",  "Zm9v\n"};
    (void)state;
    assert_true(decodes_to("", "", 0));
    assert_true(decodes_to("Zg", "f", 1));
    assert_true(decodes_to("Zm8", "fo", 2));
    assert_true(decodes_to("Zm9v", "foo", 3));
    assert_true(decodes_to("Zm9vYg", "foob", 4));
    assert_true(decodes_to("-_-_", "\xFB\xFF\xBF", 3));
    assert_true(decodes_to("AAAA", "\0\0\0", 3));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(decodes_to(wrong[i], "", 0) || decodes_to(wrong[i], "f", 1) ||
                     decodes_to(wrong[i], "foo", 3));
}

static void comparison_sees_every_difference(void **state)
{
    (void)state;
    assert_true(crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secret")));
    assert_false(crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secreT")));
    assert_false(crypto_equal(SPAN_LIT("secret"), SPAN_LIT("Secret")));
    assert_false(crypto_equal(SPAN_LIT("secret"), SPAN_LIT("secre")));
    assert_false(crypto_equal(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")));
    assert_false(crypto_equal(SPAN_LIT("a"), SPAN_NONE));
    assert_true(crypto_equal(SPAN_NONE, SPAN_NONE));
}

static void random_bytes_do_not_repeat(void **state)
{
    (void)state;
    char a[600], b[600];
    crypto_random(a, sizeof a);
    crypto_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    crypto_random(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_agrees_with_fips_180),
        cmocka_unit_test(hmacs_agree_with_rfc_2202_and_4231),
        cmocka_unit_test(an_empty_key_and_no_data_are_no_special_case),
        cmocka_unit_test(twilios_documented_signature_comes_out),
        cmocka_unit_test(base64_agrees_with_rfc_4648),
        cmocka_unit_test(base64url_is_read_in_its_one_form),
        cmocka_unit_test(comparison_sees_every_difference),
        cmocka_unit_test(random_bytes_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
