#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

static void an_empty_buffer_is_an_empty_string(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_string_equal(b.p, "");
    assert_int_equal(b.cap, 0);
    buf_add(&b, NULL, 0);
    buf_addspan(&b, SPAN_NONE);
    buf_adds(&b, "");
    assert_int_equal(b.cap, 0);
    buf_clear(&b);
    buf_done(&b);
    buf_done(&b);
    assert_string_equal(b.p, "");
}

static void everything_appended_is_there_in_order_and_terminated(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_adds(&b, "ab");
    buf_addc(&b, 'c');
    buf_add(&b, "d\0e", 3);
    buf_addspan(&b, SPAN_LIT("f"));
    buf_addf(&b, "-%d-%s-", 7, "g");
    assert_int_equal(b.n, 12);
    assert_memory_equal(b.p, "abcd\0ef-7-g-", 13);
    assert_true(buf_ok(&b));
    buf_done(&b);
}

static void integers_are_written_as_printf_would(void **state)
{
    (void)state;
    static const int64_t values[] = {
        0, 1, -1, 9, 10, -10, 99, 100, 123456789, INT32_MIN, INT32_MAX, INT64_MAX, INT64_MIN, 1234567890123};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b;
        char expected[32];
        buf_init(&b, 100);
        buf_addint(&b, values[i]);
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        assert_string_equal(b.p, expected);
        buf_done(&b);
    }
}

static void exactly_the_maximum_fits_and_one_more_does_not(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 300);
    for (int i = 0; i < 300; i++)
        buf_addc(&b, 'x');
    assert_true(buf_ok(&b));
    assert_int_equal(b.n, 300);
    assert_in_range(b.cap, 301, 301);
    buf_addc(&b, 'y');
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 300);
    assert_int_equal(strlen(b.p), 300);
    buf_done(&b);
}

static void after_an_overflow_nothing_is_added_until_it_is_cleared(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_adds(&b, "ab");
    buf_adds(&b, "cdefg");
    buf_addc(&b, 'z');
    buf_addf(&b, "%d", 1);
    assert_null(buf_room(&b, 1));
    assert_string_equal(b.p, "ab");
    assert_false(buf_ok(&b));
    buf_clear(&b);
    assert_true(buf_ok(&b));
    buf_addf(&b, "%s", "abcd");
    assert_string_equal(b.p, "abcd");
    buf_addf(&b, "%s", "e");
    assert_false(buf_ok(&b));
    assert_string_equal(b.p, "abcd");
    buf_done(&b);
}

static void a_size_near_the_end_of_the_address_space_is_an_overflow(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1U << 30);
    buf_addc(&b, 'x');
    assert_null(buf_room(&b, SIZE_MAX));
    assert_false(buf_ok(&b));
    buf_done(&b);
}

static void room_can_be_filled_from_outside(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    buf_adds(&b, "head:");
    char *to = buf_room(&b, 4000);
    memset(to, 'r', 4000);
    buf_grew(&b, 3);
    assert_string_equal(b.p, "head:rrr");
    buf_done(&b);
}

static void taken_bytes_belong_to_the_taker(void **state)
{
    (void)state;
    struct buf b;
    size_t n = 99;
    buf_init(&b, 100);
    char *nothing = buf_take(&b, &n);
    assert_string_equal(nothing, "");
    assert_int_equal(n, 0);
    buf_adds(&b, "content");
    char *taken = buf_take(&b, &n);
    assert_int_equal(n, 7);
    assert_int_equal(b.n, 0);
    buf_adds(&b, "next");
    assert_string_equal(taken, "content");
    free(buf_take(&b, NULL));
    free(taken);
    free(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(everything_appended_is_there_in_order_and_terminated),
        cmocka_unit_test(integers_are_written_as_printf_would),
        cmocka_unit_test(exactly_the_maximum_fits_and_one_more_does_not),
        cmocka_unit_test(after_an_overflow_nothing_is_added_until_it_is_cleared),
        cmocka_unit_test(a_size_near_the_end_of_the_address_space_is_an_overflow),
        cmocka_unit_test(room_can_be_filled_from_outside),
        cmocka_unit_test(taken_bytes_belong_to_the_taker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
