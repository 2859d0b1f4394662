#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/xml.h"

static void check(struct span text, const char *expected)
{
    struct buf b;
    buf_init(&b, 1000);
    xml_add_text(&b, text);
    assert_string_equal(b.p, expected);
    buf_done(&b);
}

static void markup_is_escaped(void **state)
{
    (void)state;
    check(SPAN_LIT("<Say>\"1 & 2\"</Say>"), "&lt;Say&gt;&quot;1 &amp; 2&quot;&lt;/Say&gt;");
}

/* Char of XML 1.0: tab, line feed, carriage return, U+0020 to U+D7FF, U+E000 to U+FFFD, U+10000 to U+10FFFF.
 */
static void what_xml_cannot_say_is_left_out(void **state)
{
    (void)state;
    check(SPAN_LIT("a\x01"
                   "b\x1b"
                   "c\0d\t\n\r"),
          "a b c d\t\n\r");
    check(SPAN_LIT("a\xEF\xBF\xBE"
                   "b\xEF\xBF\xBF"
                   "c"),
          "abc");
    check(SPAN_LIT("\xEF\xBF\xBE"), "");
    check(SPAN_LIT("a\xED\xA0\x80"
                   "b\xFF"
                   "c\xC3"),
          "abc");
    static const char allowed[] =
        "\x7f\xC2\x85\xED\x9F\xBF\xEE\x80\x80\xEF\xB7\x90\xEF\xBF\xBD\xF0\x90\x80\x80"
        "\xF0\x9F\xBF\xBE\xF4\x8F\xBF\xBF";
    check(SPAN_LIT(allowed), allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_escaped),
        cmocka_unit_test(what_xml_cannot_say_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
