/* common/json_array: an array's elements as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json/json_array.h"

static void elements_come_one_by_one_as_they_stand(void **state)
{
    static const char *const wanted[] = {"{\"a\":[1,2]}", "\"],[\\\"\"", "[[],{}]", "5", "{}"};
    static const size_t values[] = {4, 1, 5, 1, 2};
    struct json_array array;
    struct json_element element;
    (void)state;
    assert_true(json_array_begin(&array, SPAN_LIT(" \n[{\"a\":[1,2]} , \"],[\\\"\",[[],{}],5\t,{}\n]\r\n")));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(json_array_next(&array, &element), JSON_ARRAY_ELEMENT);
        assert_true(span_is(element.text, wanted[i]));
        assert_int_equal(element.values, values[i]);
    }
    assert_int_equal(json_array_next(&array, &element), JSON_ARRAY_END);
    assert_true(json_array_begin(&array, SPAN_LIT("[ ]")));
    assert_int_equal(json_array_next(&array, &element), JSON_ARRAY_END);
}

static void what_is_no_array_is_told_so(void **state)
{
    static const char *const texts[] = {"[",   "[,]",  "[1,]",  "[1,,2]", "[1",   "[1]x", "[] []",
                                        "[{]", "[\"]", "[\"\\", "[1,",    "[ , ", "[1]]", "[\"a\\\"]"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_array array;
        struct json_element element;
        enum json_array_step step;
        assert_true(json_array_begin(&array, span_str(texts[i])));
        while ((step = json_array_next(&array, &element)) == JSON_ARRAY_ELEMENT)
            assert_true(element.text.n > 0);
        if (step != JSON_ARRAY_BAD)
            fail_msg("taken: %s", texts[i]);
    }
    struct json_array array;
    assert_false(json_array_begin(&array, SPAN_LIT("{\"a\":[1]}")));
    assert_false(json_array_begin(&array, SPAN_LIT("  ")));
    assert_false(json_array_begin(&array, SPAN_NONE));
}

static void values_of_a_document_are_counted_without_building_it(void **state)
{
    (void)state;
    assert_int_equal(json_array_values(SPAN_LIT("{\"a\":{},\"b,\":[[],1,\"{[,\"]}")), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_one_by_one_as_they_stand),
        cmocka_unit_test(what_is_no_array_is_told_so),
        cmocka_unit_test(values_of_a_document_are_counted_without_building_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
