/* workers/gateway/query and access: the token of a callback, the bearer of /v1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "workers/gateway/access.h"
#include "workers/gateway/query.h"

static void assert_stripped(const char *query, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    query_add_without_token(&b, span_str(query));
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void a_query_without_a_token_stays_byte_for_byte(void **state)
{
    static const char *const queries[] = {"",    "region=east&x=%2F", "a=1&&b=%zz", "&",         "a=1&",
                                          "a&b", "tokens=1&atoken=2", "a=token",    "a=1&a=2;b", "%00=1"};
    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        assert_stripped(queries[i], queries[i]);
}

static void the_token_is_taken_out_wherever_it_stands(void **state)
{
    (void)state;
    assert_stripped("token=x", "");
    assert_stripped("token", "");
    assert_stripped("token=x&a=1", "a=1");
    assert_stripped("a=1&token=x", "a=1");
    assert_stripped("a=1&token=x&b=2", "a=1&b=2");
    assert_stripped("token=x&a=1&token=y", "a=1");
    assert_stripped("%74oken=x&a=1", "a=1");
    assert_stripped("%74%6f%6b%65%6E=x&a=1", "a=1");
}

static void the_token_is_the_first_one_decoded(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    assert_true(query_add_token(&b, SPAN_LIT("a=1&token=x%2By&token=z")));
    assert_string_equal(b.p, "x+y");
    assert_false(query_add_token(&b, SPAN_LIT("a=1")));
    assert_false(query_add_token(&b, SPAN_NONE));
    buf_done(&b);
}

static void only_the_bearer_of_the_token_is_let_in(void **state)
{
    (void)state;
    assert_true(access_granted(SPAN_LIT("Bearer a-token"), "a-token"));
    assert_true(access_granted(SPAN_LIT("bearer a-token"), "a-token"));
    assert_false(access_granted(SPAN_NONE, "a-token"));
    assert_false(access_granted(SPAN_LIT(""), "a-token"));
    assert_false(access_granted(SPAN_LIT("Bearer"), "a-token"));
    assert_false(access_granted(SPAN_LIT("Bearer "), "a-token"));
    assert_false(access_granted(SPAN_LIT("a-token"), "a-token"));
    assert_false(access_granted(SPAN_LIT("Bearer a-toke"), "a-token"));
    assert_false(access_granted(SPAN_LIT("Bearer a-token-and-more"), "a-token"));
    assert_false(access_granted(SPAN_LIT("Bearer A-token"), "a-token"));
    assert_false(access_granted(SPAN_LIT("Basic a-token"), "a-token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_without_a_token_stays_byte_for_byte),
        cmocka_unit_test(the_token_is_taken_out_wherever_it_stands),
        cmocka_unit_test(the_token_is_the_first_one_decoded),
        cmocka_unit_test(only_the_bearer_of_the_token_is_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
