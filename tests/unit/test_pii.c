#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/pii.h"

static void check(void (*add)(struct buf *, struct span), const char *text, const char *expected)
{
    struct buf b;
    buf_init(&b, 1000);
    add(&b, span_str(text));
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void before_it_is_set_up_numbers_are_masked(void **state)
{
    (void)state;
    check(pii_add_number, "+254722000111", "+2547****0111");
    check(pii_add_text, "to +254 722 000 111", "to +2547****0111");
}

static void every_way_out_follows_the_setting(void **state)
{
    (void)state;
    char key[] = "key", text[100];
    struct buf b;
    buf_init(&b, 100);
    pii_setup(PHONE_HASH, span_str(key));
    memset(key, 'x', sizeof key - 1); /* it was copied */
    phone_add_shown(&b, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("key"));
    assert_int_equal(b.n, 34);
    check(pii_add_number, "+254722000111", b.p);
    check(pii_add_would_be_number, "+254-722-000-111", b.p);
    snprintf(text, sizeof text, "to %s", b.p);
    check(pii_add_text, "to +254 722 000 111", text);
    pii_setup(PHONE_PLAIN, SPAN_NONE);
    check(pii_add_number, "+254722000111", "+254722000111");
    check(pii_add_text, "to +254 722 000 111", "to +254 722 000 111");
    check(pii_add_would_be_number, "254 7x", "254 7x");
    pii_setup(PHONE_MASK, SPAN_NONE);
    buf_done(&b);
}

static void a_hash_is_that_of_the_setting_and_needs_a_key(void **state)
{
    (void)state;
    struct buf b, shown;
    buf_init(&b, 100);
    buf_init(&shown, 100);
    pii_setup(PHONE_MASK, SPAN_NONE);
    assert_false(pii_hash(SPAN_LIT("+254722000111"), &b));
    assert_int_equal(b.n, 0);
    pii_setup(PHONE_MASK, SPAN_LIT("key"));
    assert_true(pii_hash(SPAN_LIT("+254722000111"), &b));
    phone_add_shown(&shown, SPAN_LIT("+254722000111"), PHONE_HASH, SPAN_LIT("key"));
    assert_string_equal(b.p, shown.p);
    check(pii_add_number, "+254722000111", "+2547****0111");
    pii_setup(PHONE_MASK, SPAN_NONE);
    buf_done(&b);
    buf_done(&shown);
}

static void metadata_is_kept_by_its_key(void **state)
{
    (void)state;
    assert_true(pii_keeps_metadata(SPAN_LIT("any")) && !pii_hides_metadata());
    pii_setup_metadata(SPAN_LIT("a,bc"));
    assert_true(pii_keeps_metadata(SPAN_LIT("a")) && pii_keeps_metadata(SPAN_LIT("bc")));
    assert_false(pii_keeps_metadata(SPAN_LIT("b")) || pii_keeps_metadata(SPAN_LIT("a,bc")));
    assert_true(pii_hides_metadata());
    pii_setup_metadata(SPAN_LIT("a,*"));
    assert_true(pii_keeps_metadata(SPAN_LIT("any")) && !pii_hides_metadata());
}

static void what_should_be_a_number_and_is_none_is_hidden_too(void **state)
{
    (void)state;
    check(pii_add_would_be_number, "+254 (0722) 000111 x", "+2540****0111 x");
    check(pii_add_would_be_number, "0722", "****22");
    check(pii_add_would_be_number, "Jane Doe", "****oe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_it_is_set_up_numbers_are_masked),
        cmocka_unit_test(every_way_out_follows_the_setting),
        cmocka_unit_test(a_hash_is_that_of_the_setting_and_needs_a_key),
        cmocka_unit_test(metadata_is_kept_by_its_key),
        cmocka_unit_test(what_should_be_a_number_and_is_none_is_hidden_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
