/* Which addresses of a Redis are taken, and what is said of the others. */
#include "common/redis/redis_tls.h"
#include "tests/unit/redis_client.h"

static void addresses_that_do_not_fit_are_named(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } cases[] = {
        {"localhost:6379", "no scheme"},
        {"http://localhost", "scheme is not known"},
        {"redis://", ""},
        {"redis://h:99999", "malformed"},
        {"redis://h/cret", "database"},
        {"redis://h/0?foo=1", "parameters"},
        {"redis://a:1,b:2/0", ""},
        {"unix://", "no socket"},
        {"unix:///s?db=x", "parameters"},
        {"redis+sentinel://h1:1,h2:2", "names no master"},
        {"redis+sentinel://h1:1,h2:2/m/x", "database"},
        {"redis+sentinel://h1:1,,h2:2/m", "host 2"},
        {"redis+sentinel://h1:1,h2:x/m", "host 2"},
        {"redis+sentinel://h1:1,h2:/m", "host 2"},
        {"redis+sentinel://h1:1/m?x=1", "parameters"},
        {"redis+sentinel://u:se%zzcret@h1:1/m", "password"},
        {"redis+cluster://h1:1,h2:2/1", "database"},
        {"redis+cluster://h1:1,h2:99999", "host 2"},
        {"redis+cluster://", "host 1"},
        {"redis://u:se%zzcret@h", "password"},
        {"redis://u:12/cret@h:6379/0", "%2F"},
        {"redis://u:12?cret@h", "%3F"},
        {"redis://u:12#cret@h", "%23"},
        {"redis://u:se/cret@h", "%2F"},
        {"rediss://u:12/cret@h", "%2F"},
        {"redis+sentinel://u:12/cret@h1:1/m", "%2F"},
        {"redis+cluster://u:12/cret@h1:1", "%2F"},
        {"unix://u:12/cret@/run/r", "%2F"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(redis_check_url(cases[i].url, &err), ERR_CONFIG);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(strstr(err.text, "cret"));
    }
}

static void addresses_that_fit_are_taken(void **state)
{
    static const char *const urls[] = {
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://:p%40ss@h/15",
        "redis://user:pass@h:1/2",
        "redis://[::1]:6379/0",
        "redis://h/?db=2",
        "unix:///run/redis.sock",
        "unix:///run/r?db=7",
        "unix://:pw@/run/r",
        "unix:///run/a@b/r",
        "unix://:pw@/run/a@b/r",
        "redis+sentinel://h1:1,h2:2/m/3",
        "redis+sentinel://u:p%40@h1,[::1]:2/m",
        "redis+cluster://:pw@h1:1,h2",
        "redis+cluster://h1:1/",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(redis_check_url(urls[i], &err), 0);
    }
}

static void tls_is_taken_where_it_can_be(void **state)
{
    struct err err = ERR_INIT;
    int rc = redis_check_url("rediss://h/0", &err);
    (void)state;

    assert_int_equal(rc, redis_tls_available() ? 0 : ERR_CONFIG);
    if (rc != 0)
        assert_non_null(strstr(err.text, "rediss: this build has no TLS"));
}

static void user_without_password_is_refused(void **state)
{
    struct redis *redis;
    struct loop *loop = loop_new();
    struct redis_options options = {.url = "redis://secret@h", .timeout_ms = 100};
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(redis_new(&redis, loop, &options, &err), ERR_CONFIG);
    assert_null(redis);
    assert_null(strstr(err.text, "secret"));
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_do_not_fit_are_named),
        cmocka_unit_test(addresses_that_fit_are_taken),
        cmocka_unit_test(tls_is_taken_where_it_can_be),
        cmocka_unit_test(user_without_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
