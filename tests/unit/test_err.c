#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/err.h"
#include "common/base/span.h"

static void setting_an_error_returns_its_code_and_keeps_the_sentence(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(err_set(&err, ERR_LIMIT, "%d of %s", 3, "four"), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "3 of four");
}

static void callers_that_want_no_text_may_pass_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_CONFIG, "x"), ERR_CONFIG);
    assert_int_equal(err_prefix(NULL, "x"), ERR_SYSTEM);
}

static void a_prefix_stands_before_the_text_and_keeps_the_code(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_INVALID, "port missing");
    assert_int_equal(err_prefix(&err, "channel %s", "ke-main"), ERR_INVALID);
    assert_string_equal(err.text, "channel ke-main: port missing");
}

static void a_text_may_be_built_from_the_text_it_replaces(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    err_set(&err, ERR_INVALID, "inner");
    err_set(&err, ERR_CONFIG, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    err_prefix(&err, "again %s", err.text);
    assert_string_equal(err.text, "again outer (inner): outer (inner)");
}

/* Every length of padding moves the cut to another byte of the four-byte characters behind it. */
static void a_text_that_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    for (int pad = 0; pad < 8; pad++) {
        struct err err = ERR_INIT;
        char text[400] = "";
        memset(text, 'x', (size_t)pad);
        for (int i = 0; i < 80; i++)
            memcpy(text + pad + 4 * i, "\xF0\x9F\x93\x9E", 5);
        err_set(&err, ERR_INVALID, "%s", text);
        assert_true(span_utf8(span_str(err.text)));
        assert_in_range(strlen(err.text), sizeof err.text - 4, sizeof err.text - 1);
        err_prefix(&err, "pre");
        assert_true(span_utf8(span_str(err.text)));
        assert_in_range(strlen(err.text), sizeof err.text - 4, sizeof err.text - 1);
    }
}

static void a_very_long_prefix_still_leaves_a_terminated_text(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char prefix[2000];
    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", prefix);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "%s", prefix);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_returns_its_code_and_keeps_the_sentence),
        cmocka_unit_test(callers_that_want_no_text_may_pass_null),
        cmocka_unit_test(a_prefix_stands_before_the_text_and_keeps_the_code),
        cmocka_unit_test(a_text_may_be_built_from_the_text_it_replaces),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(a_very_long_prefix_still_leaves_a_terminated_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
