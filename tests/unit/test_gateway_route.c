/* workers/gateway/route: what a path means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "workers/gateway/route.h"

static enum route_kind kind_of(struct route *route, const char *path)
{
    route_read(route, span_str(path), SPAN_NONE);
    return route->kind;
}

static void assert_span(struct span span, const char *text)
{
    if (!span_is(span, text))
        fail_msg("\"%.*s\" is not \"%s\"", SPAN_ARG(span), text);
}

static void the_long_form_names_the_attempt(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/callbacks/twilio/ke-main/acme/c-1/12"), ROUTE_CALLBACK);
    assert_span(r.provider, "twilio");
    assert_span(r.channel, "ke-main");
    assert_span(r.tenant, "acme");
    assert_span(r.call_id, "c-1");
    assert_int_equal(r.attempt, 12);
    assert_int_equal(kind_of(&r, "/answer/twilio/ke-main/acme/c-1/999999999"), ROUTE_ANSWER);
    assert_int_equal(r.attempt, 999999999);
}

static void the_short_form_names_the_channel_only(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/callbacks/twilio/ke-main"), ROUTE_CALLBACK);
    assert_int_equal(r.attempt, 0);
    assert_int_equal(r.tenant.n, 0);
    assert_int_equal(kind_of(&r, "/answer/twilio/ke-main"), ROUTE_ANSWER);
}

static void segments_are_decoded_after_splitting(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/callbacks/twilio/ke%2Dmain/acme/a%3ab/1"), ROUTE_CALLBACK);
    assert_span(r.channel, "ke-main");
    assert_span(r.call_id, "a:b");
    assert_span(r.path, "/callbacks/twilio/ke%2Dmain/acme/a%3ab/1");
    assert_int_equal(kind_of(&r, "/callbacks/twilio/a%2Fb"), ROUTE_CALLBACK);
    assert_span(r.channel, "a/b");
}

static void what_does_not_fit_is_nothing_of_ours(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "*",
        "callbacks/twilio/main",
        "/callbacks",
        "/callbacks/",
        "/callbacks/twilio",
        "/callbacks/twilio/",
        "/callbacks/twilio/main//",
        "//callbacks//twilio//main",
        "/callbacks/twilio/main/acme",
        "/callbacks/twilio/main/acme/c-1",
        "/callbacks/twilio/main/acme/c-1/",
        "/callbacks/twilio/main/acme/c-1/1//",
        "/callbacks/twilio/main/acme/c-1/1/more",
        "/callbacks/twilio/main/acme/c-1/0",
        "/callbacks/twilio/main/acme/c-1/01",
        "/callbacks/twilio/main/acme/c-1/-1",
        "/callbacks/twilio/main/acme/c-1/minus",
        "/callbacks/twilio/main/acme/c-1/1234567890",
        "/callbacks/twilio/main/acme/%2e%2e/1",
        "/callbacks/twilio/main/./c-1/1",
        "/callbacks/twilio/main/acme/a%2Fb/1",
        "/callbacks/twilio/main/acme/a%20b/1",
        "/callbacks/twilio/main/acme/%00/1",
        "/callbacks/twilio/ma%00in",
        "/callbacks/twilio/main/%ff/c-1/1",
        "/callbacks/twilio/%zz",
        "/callbacks/twilio/main/../../v1/calls",
        "/answers/twilio/main",
        "/v1calls",
        "/%",
    };
    struct route r;
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (kind_of(&r, paths[i]) != ROUTE_NONE)
            fail_msg("%s is kind %d", paths[i], (int)r.kind);
}

static void a_path_of_any_length_is_read(void **state)
{
    static char path[20000];
    struct route r;
    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    memcpy(path, "/callbacks/twilio/", 18);
    assert_int_equal(kind_of(&r, path), ROUTE_NONE);
    memset(path, '/', sizeof(path) - 1);
    assert_int_equal(kind_of(&r, path), ROUTE_NONE);
}

static void assert_path(const char *path, enum route_spelling spelling, const char *wanted)
{
    struct route r;
    struct buf b;
    assert_int_not_equal(kind_of(&r, path), ROUTE_NONE);
    buf_init(&b, 4096);
    route_add_path(&b, &r, spelling);
    assert_string_equal(b.p, wanted);
    buf_done(&b);
}

static void a_path_is_the_same_however_it_is_spelled(void **state)
{
    static const char *const spellings[] = {
        "/callbacks/twilio/ke-main/acme/a:b_c/1",       "/callbacks/twilio/ke-main/acme/a%3ab_c/1",
        "/callbacks/twilio/ke-main/acme/a%3Ab%5Fc/1",   "/callbacks/tw%69lio/ke%2Dmain/%61cme/a:b_c/%31",
        "/%63allbacks/twilio/ke-main/acme/a%3A%62_c/1", "/callbacks/twilio/ke-main/acme/a:b_c/1/",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        assert_path(spellings[i], ROUTE_CANONICAL, "/callbacks/twilio/ke-main/acme/a:b_c/1");
        assert_path(spellings[i], ROUTE_ESCAPED, "/callbacks/twilio/ke-main/acme/a%3Ab_c/1");
    }
    assert_path("/answer/twilio/ke%2dmain/acme/a%3ab/12", ROUTE_CANONICAL,
                "/answer/twilio/ke-main/acme/a:b/12");
    assert_path("/callbacks/twilio/a%2fb%40c%20d/", ROUTE_CANONICAL, "/callbacks/twilio/a%2Fb@c%20d");
    assert_path("/callbacks/twilio/a%2fb@c", ROUTE_ESCAPED, "/callbacks/twilio/a%2Fb%40c");
}

static void one_slash_at_the_end_is_no_segment(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/callbacks/twilio/ke-main/acme/c-1/12/"), ROUTE_CALLBACK);
    assert_int_equal(r.attempt, 12);
    assert_int_equal(kind_of(&r, "/callbacks/twilio/ke-main/"), ROUTE_CALLBACK);
    assert_int_equal(r.attempt, 0);
    assert_int_equal(kind_of(&r, "/answer/twilio/ke-main/acme/c-1/12/"), ROUTE_ANSWER);
    assert_int_equal(kind_of(&r, "/v1/calls/"), ROUTE_CALLS);
    assert_int_equal(kind_of(&r, "/"), ROUTE_NONE);
}

static void what_is_lost_below_callbacks_is_told_from_the_rest(void **state)
{
    static const char *const stray[] = {"/callbacks",
                                        "/callbacks/",
                                        "/callbacks/twilio",
                                        "/callbacks/twilio/%zz",
                                        "/callbacks/x//y",
                                        "/answer/twilio/main/acme",
                                        "/callbacks/twilio/main/acme/c 1/1"};
    static const char *const other[] = {"/", "/v1/x", "/callbacksx", "/healthz", "/answers/x"};
    struct route r;
    (void)state;
    for (size_t i = 0; i < sizeof(stray) / sizeof(stray[0]); i++)
        if (kind_of(&r, stray[i]) != ROUTE_NONE || !r.stray)
            fail_msg("%s is not lost", stray[i]);
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if ((void)kind_of(&r, other[i]), r.stray)
            fail_msg("%s is lost", other[i]);
    (void)kind_of(&r, "/callbacks/twilio/main/acme");
    assert_span(r.provider, "twilio");
    (void)kind_of(&r, "/callbacks/twilio/main");
    assert_false(r.stray);
}

static void v1_knows_calls_and_campaigns(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/v1/calls"), ROUTE_CALLS);
    assert_int_equal(kind_of(&r, "/v1/calls/acme/c-1"), ROUTE_CALL);
    assert_span(r.tenant, "acme");
    assert_span(r.call_id, "c-1");
    assert_int_equal(kind_of(&r, "/v1/campaigns/acme/maize-w47"), ROUTE_CAMPAIGN);
    assert_span(r.campaign, "maize-w47");
}

static void operators_say_pause_resume_and_cancel(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/v1/campaigns/acme/maize-w47/pause"), ROUTE_CONTROL);
    assert_int_equal(r.control_kind, CONTROL_CAMPAIGN);
    assert_int_equal(r.control_what, CONTROL_PAUSE);
    assert_span(r.tenant, "acme");
    assert_span(r.campaign, "maize-w47");
    assert_int_equal(kind_of(&r, "/v1/tenants/acme/resume"), ROUTE_CONTROL);
    assert_int_equal(r.control_kind, CONTROL_TENANT);
    assert_int_equal(r.control_what, CONTROL_RESUME);
    assert_int_equal(kind_of(&r, "/v1/channels/ke-main/cancel"), ROUTE_CONTROL);
    assert_int_equal(r.control_kind, CONTROL_CHANNEL);
    assert_int_equal(r.control_what, CONTROL_CANCEL);
    assert_span(r.channel, "ke-main");
    assert_int_equal(kind_of(&r, "/v1/calls/acme/pause/pause"), ROUTE_CONTROL);
    assert_span(r.call_id, "pause");
    assert_int_equal(kind_of(&r, "/v1/calls/acme/pause"), ROUTE_CALL);
    assert_int_equal(kind_of(&r, "/v1/campaigns/acme/cancel"), ROUTE_CAMPAIGN);
    assert_string_equal(route_methods(ROUTE_CONTROL), "POST, OPTIONS");
}

static void numbers_are_listed_by_tenant_or_for_all(void **state)
{
    struct route r;
    (void)state;
    assert_int_equal(kind_of(&r, "/v1/dnc/acme/+254722000111"), ROUTE_DNC);
    assert_span(r.tenant, "acme");
    assert_span(r.number, "+254722000111");
    assert_int_equal(kind_of(&r, "/v1/dnc/*/%2B254722000111"), ROUTE_DNC);
    assert_span(r.tenant, "*");
    assert_span(r.number, "+254722000111");
    assert_true(route_takes(ROUTE_DNC, "DELETE"));
    assert_false(route_takes(ROUTE_DNC, "POST"));
}

static void anything_else_under_v1_still_asks_for_the_token(void **state)
{
    static const char *const paths[] = {
        "/v1",
        "/v1/",
        "/v1/calls//",
        "/v1/calls/acme",
        "/v1/calls/acme/..%2f..",
        "/v1/campaigns",
        "/v1/c/acme/x",
        "/v1/campaigns/acme/maize/stop",
        "/v1/campaigns/acme/../pause",
        "/v1/tenants/acme",
        "/v1/tenants/a%20b/pause",
        "/v1/channels/ke-main/x/pause",
        "/v1/dnc/acme/254722000111",
        "/v1/dnc/*",
        "/v1/dnc/a*/+254722000111",
        "/v1/calls/acme/c/1",
        "/v1/campaigns/acme/..",
        "/v1/a/b/c/d/e/f/g",
    };
    struct route r;
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (kind_of(&r, paths[i]) != ROUTE_V1)
            fail_msg("%s is kind %d", paths[i], (int)r.kind);
}

static void the_public_path_may_be_there_or_cut_off(void **state)
{
    static const struct span prefix = SPAN_LIT("/voice");
    struct route r;
    (void)state;
    route_read(&r, SPAN_LIT("/voice/callbacks/twilio/main"), prefix);
    assert_int_equal(r.kind, ROUTE_CALLBACK);
    assert_span(r.path, "/callbacks/twilio/main");
    route_read(&r, SPAN_LIT("/callbacks/twilio/main"), prefix);
    assert_int_equal(r.kind, ROUTE_CALLBACK);
    route_read(&r, SPAN_LIT("/voicecallbacks/twilio/main"), prefix);
    assert_int_equal(r.kind, ROUTE_NONE);
    route_read(&r, SPAN_LIT("/voice"), prefix);
    assert_int_equal(r.kind, ROUTE_NONE);
    route_read(&r, SPAN_LIT("/callbacks/twilio/main"), SPAN_LIT("/callbacks"));
    assert_int_equal(r.kind, ROUTE_CALLBACK);
    route_read(&r, SPAN_LIT("/callbacks/callbacks/twilio/main"), SPAN_LIT("/callbacks"));
    assert_int_equal(r.kind, ROUTE_CALLBACK);
    assert_span(r.provider, "twilio");
}

static void each_kind_has_its_methods(void **state)
{
    (void)state;
    assert_true(route_takes(ROUTE_CALLBACK, "GET"));
    assert_true(route_takes(ROUTE_CALLBACK, "POST"));
    assert_false(route_takes(ROUTE_CALLBACK, "HEAD"));
    assert_false(route_takes(ROUTE_CALLBACK, "PUT"));
    assert_false(route_takes(ROUTE_CALLBACK, "GE"));
    assert_false(route_takes(ROUTE_CALLBACK, ""));
    assert_true(route_takes(ROUTE_CALLS, "POST"));
    assert_false(route_takes(ROUTE_CALLS, "GET"));
    assert_true(route_takes(ROUTE_CALL, "HEAD"));
    assert_false(route_takes(ROUTE_CAMPAIGN, "POST"));
    assert_false(route_takes(ROUTE_NONE, "GET"));
    assert_string_equal(route_methods(ROUTE_CALL), "GET, HEAD, OPTIONS");
}

static void a_reference_fits_as_a_whole_or_not_at_all(void **state)
{
    static const char *const wrong[] = {"",           "/",       "acme",   "acme/c-1",     "acme/c-1/",
                                        "acme/c-1/0", "acme//1", "/c-1/1", "acme/c-1/1/2", "acme/../1",
                                        "a b/c-1/1"};
    struct span tenant, call_id;
    int attempt;
    (void)state;
    assert_true(route_read_ref(SPAN_LIT("acme/c:1/3"), &tenant, &call_id, &attempt));
    assert_span(tenant, "acme");
    assert_span(call_id, "c:1");
    assert_int_equal(attempt, 3);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (route_read_ref(span_str(wrong[i]), &tenant, &call_id, &attempt))
            fail_msg("\"%s\" was taken", wrong[i]);
    assert_false(route_read_ref(SPAN_NONE, &tenant, &call_id, &attempt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_long_form_names_the_attempt),
        cmocka_unit_test(the_short_form_names_the_channel_only),
        cmocka_unit_test(segments_are_decoded_after_splitting),
        cmocka_unit_test(what_does_not_fit_is_nothing_of_ours),
        cmocka_unit_test(a_path_of_any_length_is_read),
        cmocka_unit_test(a_path_is_the_same_however_it_is_spelled),
        cmocka_unit_test(one_slash_at_the_end_is_no_segment),
        cmocka_unit_test(what_is_lost_below_callbacks_is_told_from_the_rest),
        cmocka_unit_test(v1_knows_calls_and_campaigns),
        cmocka_unit_test(operators_say_pause_resume_and_cancel),
        cmocka_unit_test(numbers_are_listed_by_tenant_or_for_all),
        cmocka_unit_test(anything_else_under_v1_still_asks_for_the_token),
        cmocka_unit_test(the_public_path_may_be_there_or_cut_off),
        cmocka_unit_test(each_kind_has_its_methods),
        cmocka_unit_test(a_reference_fits_as_a_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
