#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/visible.h"
#include "common/json/json.h"

static void check(void (*add)(struct buf *, struct span), struct span text, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    add(&b, text);
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void what_a_terminal_obeys_is_shown_as_its_escape(void **state)
{
    (void)state;
    check(visible_add, SPAN_LIT("\x1b[2J\x07\x08\x7f"), "\\u001b[2J\\u0007\\u0008\\u007f");
    check(visible_add, SPAN_LIT("a\nb\tc\rd\0e"), "a\\u000ab\\u0009c\\u000dd\\u0000e");
    check(visible_add,
          SPAN_LIT("\xC2\x80\xC2\x85\xC2\x9B"
                   "2J\xC2\x9F\xC2\xA0"),
          "\\u0080\\u0085\\u009b2J\\u009f\xC2\xA0");
    /* A byte that is C1 by itself, where a terminal does not read UTF-8. */
    check(visible_add,
          SPAN_LIT("\x9B"
                   "2J"),
          "\xEF\xBF\xBD"
          "2J");
}

static void what_lets_text_read_otherwise_than_it_is_is_shown_as_its_escape(void **state)
{
    (void)state;
    check(visible_add, SPAN_LIT("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF"),
          "\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAF");
    check(visible_add, SPAN_LIT("\xE2\x80\xAA\xE2\x80\xAE\xE2\x80\xAC\xE2\x80\xAC"),
          "\\u202a\\u202e\\u202c\\u202c");
    check(visible_add, SPAN_LIT("\xE2\x81\xA5\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAA"),
          "\xE2\x81\xA5\\u2066\\u2069\xE2\x81\xAA");
}

static void any_other_text_stays_as_it_is(void **state)
{
    (void)state;
    static const char text[] =
        "Habari, \xE2\x82\xAC 5 \xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 \xF0\x9F\x98\x80 \\ \" <&>";
    check(visible_add, SPAN_LIT(text), text);
    check(visible_add, SPAN_NONE, "");
    assert_true(visible_is(SPAN_LIT(text)));
    assert_true(visible_is(SPAN_NONE));
    assert_false(visible_is(SPAN_LIT("a\n")));
    assert_true(visible_is_lines(SPAN_LIT("a\n\tb\n")));
    assert_false(visible_is_lines(SPAN_LIT("a\r\n")));
    check(visible_add_lines, SPAN_LIT("a\n\tb\x1b\n"), "a\n\tb\\u001b\n");
}

/* Every character there is, as json_str() writes it. */
static void json_stays_the_same_json(void **state)
{
    (void)state;
    struct buf text, json, shown;
    buf_init(&text, 65536);
    buf_init(&json, 65536);
    buf_init(&shown, 65536);
    for (unsigned c = 1; c < 0x2100; c++) {
        if (c < 0x80)
            buf_addc(&text, (char)c);
        else if (c < 0x800)
            buf_add(&text, (const char[]){(char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F))}, 2);
        else
            buf_add(&text,
                    (const char[]){(char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3F)),
                                   (char)(0x80 | (c & 0x3F))},
                    3);
    }
    buf_addc(&json, '[');
    json_str(&json, buf_span(&text));
    buf_addc(&json, ']');
    visible_add_lines(&shown, buf_span(&json));
    assert_true(visible_is(buf_span(&shown)));
    json_t *read = json_parse(buf_span(&shown), 65536, NULL);
    assert_string_equal(json_string_value(json_array_get(read, 0)), text.p);
    json_decref(read);
    buf_done(&text);
    buf_done(&json);
    buf_done(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_obeys_is_shown_as_its_escape),
        cmocka_unit_test(what_lets_text_read_otherwise_than_it_is_is_shown_as_its_escape),
        cmocka_unit_test(any_other_text_stays_as_it_is),
        cmocka_unit_test(json_stays_the_same_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
