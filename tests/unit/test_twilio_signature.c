/* The vectors are those of Twilio's own libraries (twilio-python, twilio-node), recomputed; the token is
 * theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "workers/providers/channels.h"
#include "workers/providers/twilio.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define P    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
#define U    "/myapp.php?foo=1&bar=2"

/* What a request brings: headers by name. */
struct headers {
    const char *twilio, *signalwire, *host;
};

static struct span header(const struct callback *callback, const char *name)
{
    const struct headers *headers = callback->arg;
    if (strcasecmp(name, "X-Twilio-Signature") == 0)
        return span_str(headers->twilio);
    if (strcasecmp(name, "X-SignalWire-Signature") == 0)
        return span_str(headers->signalwire);
    return strcasecmp(name, "Host") == 0 ? span_str(headers->host) : SPAN_NONE;
}

static struct channel channel_with(char *token)
{
    return (struct channel){.provider = &twilio_provider, .credentials = {[1] = token}};
}

static enum verified verify_headers(const char *public_url, const char *target, const char *type,
                                    const char *body, struct headers headers)
{
    char token[] = "12345";
    struct channel channel = channel_with(token);
    struct callback callback = {.method = type ? "POST" : "GET",
                                .target = span_str(target),
                                .content_type = span_str(type),
                                .body = span_str(body),
                                .header = header,
                                .arg = &headers};
    return twilio_verify(&channel, span_str(public_url), &callback);
}

static enum verified verify(const char *public_url, const char *target, const char *body,
                            const char *signature)
{
    return verify_headers(public_url, target, FORM, body, (struct headers){.twilio = signature});
}

static void the_ten_vectors_of_twilio_s_libraries_fit(void **state)
{
    static const struct {
        const char *origin, *target, *type, *body, *signature;
    } rows[] = {
        {"https://mycompany.com", U, FORM, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        {"https://mycompany.com:443", U, FORM, P, "kvajT1Ptam85bY51eRf/AJRuM3w="},
        {"http://mycompany.com:80", U, FORM, P, "0ZXoZLH/DfblKGATFgpif+LLRf4="},
        {"http://mycompany.com:1234", U, FORM, P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
        {"https://user:pass@mycompany.com", U, FORM, P, "CukzLTc1tT5dXEDIHm/tKBanW10="},
        {"https://mycompany.com", U "&Body=It's+amazing", FORM, P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="},
        {"https://mycompany.com", U, FORM, "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
         "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
        {"https://mycompany.com", U, FORM,
         "MessagingBinding.Address=%2B1325xxxxxxx&MessagingBinding.Address=%2B1415xxxxxxx",
         "83O6e2vORAoJHUNzJjDWN1jz+BA="},
        {"https://mycompany.com",
         U "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620", "application/json",
         "{\"property\": \"value\", \"boolean\": true}", "a9nBmqA0ju/hNViExpshrM61xv4="},
        {"https://mycompany.com:443",
         U "&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "application/json",
         "{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct headers headers = {.twilio = rows[i].signature};
        assert_int_equal(verify_headers(rows[i].origin, rows[i].target, rows[i].type, rows[i].body, headers),
                         VERIFIED_SIGNATURE);
    }
}

static void the_url_may_be_signed_with_or_without_its_port(void **state)
{
    (void)state;
    assert_int_equal(verify("https://mycompany.com:443", U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
                     VERIFIED_SIGNATURE);
    assert_int_equal(verify("https://mycompany.com:1234", U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
                     VERIFIED_SIGNATURE);
    assert_int_equal(verify("https://mycompany.com", U, P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
                     VERIFIED_SIGNATURE);
    assert_int_equal(verify("http://mycompany.com", U, P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
                     VERIFIED_SIGNATURE);
}

static void assert_signed_url_fits(const char *signed_url, const char *public_url, const char *target)
{
    struct buf signature;
    buf_init(&signature, 64);
    twilio_add_signature(&signature, SPAN_LIT("12345"), span_str(signed_url), SPAN_LIT(P));
    assert_int_equal(verify(public_url, target, P, signature.p), VERIFIED_SIGNATURE);
    buf_done(&signature);
}

static void the_url_may_be_signed_with_or_without_our_fragment(void **state)
{
    (void)state;
    assert_signed_url_fits("https://a.test/callbacks/x#rc=5&rp=all", "https://a.test", "/callbacks/x");
    assert_signed_url_fits("https://a.test/callbacks/x", "https://a.test", "/callbacks/x");
}

static void special_characters_may_be_signed_in_any_encoding(void **state)
{
    (void)state;
    assert_signed_url_fits("https://a.test/x?q=it%27s", "https://a.test", "/x?q=it's");
    assert_signed_url_fits("https://a.test/x?q=a%20b&r=", "https://a.test", "/x?q=a+b&r");
    assert_signed_url_fits("https://a.test/x?q=a+b", "https://a.test", "/x?q=a+b");
}

static void the_path_of_the_public_url_is_there_once(void **state)
{
    (void)state;
    assert_signed_url_fits("https://a.test/ivr/callbacks/x", "https://a.test/ivr", "/callbacks/x");
    assert_signed_url_fits("https://a.test/ivr/callbacks/x", "https://a.test/ivr", "/ivr/callbacks/x");
    assert_signed_url_fits("https://a.test/ivr/ivrx", "https://a.test/ivr", "/ivrx");
    assert_signed_url_fits("http://[::1]:80/x", "http://[::1]", "/x");
}

static void without_public_url_the_host_header_counts(void **state)
{
    struct headers headers = {.twilio = "RSOYDt4T1cUTdK1PDd93/VVr8B8=", .host = "mycompany.com"};
    (void)state;
    assert_int_equal(verify_headers(NULL, U, FORM, P, headers), VERIFIED_SIGNATURE);
    headers.twilio = "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=";
    headers.host = "mycompany.com:1234";
    assert_int_equal(verify_headers(NULL, U, FORM, P, headers), VERIFIED_SIGNATURE);
    headers.host = NULL;
    assert_int_equal(verify_headers(NULL, U, FORM, P, headers), VERIFIED_NO);
}

static void signalwire_s_header_counts_too(void **state)
{
    struct headers headers = {.signalwire = "RSOYDt4T1cUTdK1PDd93/VVr8B8="};
    (void)state;
    assert_int_equal(verify_headers("https://mycompany.com", U, FORM, P, headers), VERIFIED_SIGNATURE);
}

static void of_a_get_only_the_url_is_signed(void **state)
{
    struct buf signature;
    (void)state;
    buf_init(&signature, 64);
    twilio_add_signature(&signature, SPAN_LIT("12345"), SPAN_LIT("https://a.test/x?" P), SPAN_NONE);
    struct headers headers = {.twilio = signature.p};
    assert_int_equal(verify_headers("https://a.test", "/x?" P, NULL, "", headers), VERIFIED_SIGNATURE);
    assert_int_equal(verify_headers("https://a.test", "/x?" P, FORM, P, headers), VERIFIED_NO);
    buf_done(&signature);
}

static void a_signed_body_that_is_no_utf8_is_still_verified(void **state)
{
    static const char body[] = "a=%FF%00&b=%zz&&c";
    struct buf signature;
    (void)state;
    buf_init(&signature, 64);
    twilio_add_signature(&signature, SPAN_LIT("12345"), SPAN_LIT("https://a.test/x"), SPAN_LIT(body));
    assert_int_equal(verify("https://a.test", "/x", body, signature.p), VERIFIED_SIGNATURE);
    buf_done(&signature);
}

static void anything_changed_is_refused(void **state)
{
    static const char good[] = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    (void)state;
    assert_int_equal(verify("https://mycompany.com", U, P "&X=1", good), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.com", U "&x=1", P, good), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.org", U, P, good), VERIFIED_NO);
    assert_int_equal(verify("http://mycompany.com", U, P, good), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.com", U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B9="), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.com", U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8"), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.com", U, P, ""), VERIFIED_NO);
    assert_int_equal(verify("https://mycompany.com", U, P, NULL), VERIFIED_NO);
}

static void a_json_body_needs_its_hash_in_the_signed_url(void **state)
{
    static const char target[] =
        U "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    struct headers headers = {.twilio = "a9nBmqA0ju/hNViExpshrM61xv4="};
    (void)state;
    assert_int_equal(verify_headers("https://mycompany.com", target, "application/json", "{}", headers),
                     VERIFIED_NO);
    struct buf signature;
    buf_init(&signature, 64);
    twilio_add_signature(&signature, SPAN_LIT("12345"), SPAN_LIT("https://mycompany.com/x"), SPAN_NONE);
    headers.twilio = signature.p;
    assert_int_equal(verify_headers("https://mycompany.com", "/x", "application/json", "{}", headers),
                     VERIFIED_NO);
    buf_done(&signature);
}

static void a_channel_without_token_verifies_nothing(void **state)
{
    struct headers headers = {.twilio = "RSOYDt4T1cUTdK1PDd93/VVr8B8="};
    struct channel channel = channel_with(NULL);
    struct callback callback = {
        .method = "POST", .target = SPAN_LIT(U), .body = SPAN_LIT(P), .header = header, .arg = &headers};
    (void)state;
    assert_int_equal(twilio_verify(&channel, SPAN_LIT("https://mycompany.com"), &callback), VERIFIED_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ten_vectors_of_twilio_s_libraries_fit),
        cmocka_unit_test(the_url_may_be_signed_with_or_without_its_port),
        cmocka_unit_test(the_url_may_be_signed_with_or_without_our_fragment),
        cmocka_unit_test(special_characters_may_be_signed_in_any_encoding),
        cmocka_unit_test(the_path_of_the_public_url_is_there_once),
        cmocka_unit_test(without_public_url_the_host_header_counts),
        cmocka_unit_test(signalwire_s_header_counts_too),
        cmocka_unit_test(of_a_get_only_the_url_is_signed),
        cmocka_unit_test(a_signed_body_that_is_no_utf8_is_still_verified),
        cmocka_unit_test(anything_changed_is_refused),
        cmocka_unit_test(a_json_body_needs_its_hash_in_the_signed_url),
        cmocka_unit_test(a_channel_without_token_verifies_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
