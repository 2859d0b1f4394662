/* What a case of the corpus cannot say: time goes on, and a key is parsed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/http/jwt.h"
#include "common/json/json.h"
#include "tests/unit/jwt_keys.h"
#include "workers/providers/channels.h"
#include "workers/providers/vonage/vonage.h"

enum { NOW_S = 1763837450 };

static char name[] = "main", application_id[] = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
static char pem[] = RSA_PEM;

static struct channel channel_open(void)
{
    struct channel channel = {
        .name = name, .provider = &vonage_provider, .credentials = {application_id, pem}};
    struct err err = ERR_INIT;
    assert_int_equal(vonage_provider.open(&channel, &err), 0);
    assert_non_null(channel.adapter);
    return channel;
}

/* The token at that second; its iat is checked. */
static void token_at(struct buf *token, const struct channel *channel, int64_t now_s, int64_t issued_s)
{
    struct jwt_key *key;
    buf_init(token, JWT_MAX);
    assert_int_equal(vonage_add_bearer(token, channel, now_s * 1000 + 999, NULL), 0);
    assert_memory_equal(token->p, "Bearer ", 7);
    assert_int_equal(jwt_key_new(&key, span_str(pem), NULL), 0);
    json_t *claims = jwt_open_rs256(span_of(token->p + 7, token->n - 7), key);
    assert_non_null(claims);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), issued_s);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), issued_s + 900);
    json_decref(claims);
    jwt_key_free(&key);
}

static bool same_token(const struct channel *channel, int64_t first_s, int64_t then_s, int64_t issued_s)
{
    struct buf first, then;
    token_at(&first, channel, first_s, first_s);
    token_at(&then, channel, then_s, issued_s);
    bool same = span_eq(buf_span(&first), buf_span(&then));
    buf_done(&first);
    buf_done(&then);
    return same;
}

static void one_token_serves_until_shortly_before_its_end(void **state)
{
    struct channel channel = channel_open();
    int64_t end_s = NOW_S + VONAGE_TOKEN_S - VONAGE_TOKEN_MARGIN_S;
    (void)state;
    assert_true(same_token(&channel, NOW_S, end_s - 1, NOW_S));
    assert_false(same_token(&channel, end_s, end_s + VONAGE_TOKEN_S, end_s + VONAGE_TOKEN_S));
    vonage_provider.close(&channel);
    assert_null(channel.adapter);
}

/* The provider refuses a token from the future. */
static void a_clock_that_went_back_makes_a_new_token(void **state)
{
    struct channel channel = channel_open();
    (void)state;
    assert_false(same_token(&channel, NOW_S, NOW_S - 1, NOW_S - 1));
    assert_true(same_token(&channel, 7, 8, 7));
    vonage_provider.close(&channel);
}

static void each_token_has_an_id_of_its_own(void **state)
{
    struct channel one = channel_open(), other = channel_open();
    struct buf first, second;
    (void)state;
    token_at(&first, &one, 7, 7);
    token_at(&second, &other, 7, 7);
    assert_false(span_eq(buf_span(&first), buf_span(&second)));
    buf_done(&first);
    buf_done(&second);
    vonage_provider.close(&one);
    vonage_provider.close(&other);
}

static void a_channel_that_cannot_be_opened_keeps_nothing(void **state)
{
    static char wrong[] = "-----BEGIN PRIVATE KEY-----", long_id[5000];
    struct channel channel = {
        .name = name, .provider = &vonage_provider, .credentials = {application_id, wrong}};
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(vonage_provider.open(&channel, &err), ERR_CONFIG);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_memory_equal(err.text, "credentials.private_key: ", 25);
    assert_null(channel.adapter);
    memset(long_id, 'a', sizeof long_id - 1);
    channel.credentials[0] = long_id;
    channel.credentials[1] = pem;
    assert_int_equal(vonage_provider.open(&channel, &err), ERR_CONFIG);
    assert_string_equal(err.text, "credentials.application_id: is too long");
    assert_null(channel.adapter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_token_serves_until_shortly_before_its_end),
        cmocka_unit_test(a_clock_that_went_back_makes_a_new_token),
        cmocka_unit_test(each_token_has_an_id_of_its_own),
        cmocka_unit_test(a_channel_that_cannot_be_opened_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
