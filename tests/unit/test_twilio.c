/* What tests/corpus/twilio cannot say: bytes that no JSON holds, sizes that no file should have, and channels
 * that no channels file brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workers/providers/channels.h"
#include "workers/providers/twilio/twilio.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"

static void a_response_that_is_no_utf8_is_in_doubt(void **state)
{
    struct placed out;
    (void)state;
    memset(&out, 0xA5, sizeof out);
    twilio_provider.placed(NULL, 201, SPAN_LIT("{\"sid\": \"CA1\xFF\"}"), &out);
    assert_int_equal(out.kind, PLACED_IN_DOUBT);
    assert_int_equal(out.evidence.status, STATUS_GATEWAY_UNAVAILABLE);
    assert_string_equal(out.evidence.provider_call_id, "");
}

static void a_status_that_http_does_not_have_is_in_doubt(void **state)
{
    static const int statuses[] = {0, 99, 399, 600, 700, -1};
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct placed out;
        twilio_provider.placed(NULL, statuses[i], SPAN_LIT("{\"code\": 21211, \"message\": \"x\"}"), &out);
        assert_int_equal(out.kind, PLACED_IN_DOUBT);
    }
}

static int read_callback(struct span body, struct err *err)
{
    struct callback callback = {.method = "POST", .content_type = SPAN_LIT(FORM), .body = body};
    struct evidence ev;
    memset(&ev, 0xA5, sizeof ev);
    int code = twilio_provider.callback(&callback, &ev, err);
    assert_int_equal(ev.status, STATUS_NONE);
    return code;
}

static void a_callback_of_raw_bytes_cannot_be_read(void **state)
{
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(read_callback(SPAN_LIT("CallSid=CA1\xFF"), &err), ERR_INVALID);
    assert_int_equal(err.code, ERR_INVALID);
    assert_true(strlen(err.text) > 10);
}

static void a_body_past_the_limit_is_an_error(void **state)
{
    size_t n = 900000;
    char *body = malloc(n);
    (void)state;
    memset(body, 'x', n);
    memcpy(body, "CallSid=CA1&CallStatus=", 23);
    assert_int_equal(read_callback(span_of(body, n), NULL), ERR_INVALID);
    free(body);
}

/* ---- signatures ---- */

static struct span header(const struct callback *callback, const char *name)
{
    (void)callback;
    return strcmp(name, "X-Twilio-Signature") == 0 ? SPAN_LIT("RSOYDt4T1cUTdK1PDd93/VVr8B8=") : SPAN_NONE;
}

/* The first of the corpus' vectors, whose token is 12345. */
static enum verified verify(char *token, struct span (*headers)(const struct callback *, const char *))
{
    struct channel channel = {.provider = &twilio_provider, .credentials = {[1] = token}};
    struct callback callback = {.method = "POST",
                                .target = SPAN_LIT("/myapp.php?foo=1&bar=2"),
                                .content_type = SPAN_LIT(FORM),
                                .body = SPAN_LIT("CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234"
                                                 "&From=%2B14158675309&To=%2B18005551212"),
                                .header = headers};
    return twilio_verify(&channel, SPAN_LIT("https://mycompany.com"), &callback);
}

static void without_token_or_headers_nothing_is_verified(void **state)
{
    char token[] = "12345", empty[] = "";
    (void)state;
    assert_int_equal(verify(token, header), VERIFIED_SIGNATURE);
    assert_int_equal(verify(NULL, header), VERIFIED_NO);
    assert_int_equal(verify(empty, header), VERIFIED_NO);
    assert_int_equal(verify(token, NULL), VERIFIED_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_is_no_utf8_is_in_doubt),
        cmocka_unit_test(a_status_that_http_does_not_have_is_in_doubt),
        cmocka_unit_test(a_callback_of_raw_bytes_cannot_be_read),
        cmocka_unit_test(a_body_past_the_limit_is_an_error),
        cmocka_unit_test(without_token_or_headers_nothing_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
