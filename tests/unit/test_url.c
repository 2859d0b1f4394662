#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/url.h"

static void only_unreserved_characters_stay_as_they_are(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    url_add_encoded(&b, SPAN_LIT("AZaz09-._~ +/?#:@&=%\xE2\x82\xAC\0!*'()"));
    assert_string_equal(b.p, "AZaz09-._~%20%2B%2F%3F%23%3A%40%26%3D%25%E2%82%AC%00%21%2A%27%28%29");
    buf_clear(&b);
    form_add_encoded(&b, SPAN_LIT("a b+c"));
    assert_string_equal(b.p, "a+b%2Bc");
    buf_done(&b);
}

static void a_form_is_built_field_by_field(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    form_add(&b, "From", SPAN_LIT("+254711082000"));
    form_add(&b, "Say", SPAN_LIT("habari & karibu"));
    form_add(&b, "empty", SPAN_NONE);
    assert_string_equal(b.p, "From=%2B254711082000&Say=habari+%26+karibu&empty=");
    buf_done(&b);
}

static void decoding_keeps_what_is_malformed_and_says_so(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_true(url_decode(&b, SPAN_LIT("a%20b+c%2b%2B"), false));
    assert_string_equal(b.p, "a b+c++");
    buf_clear(&b);
    assert_true(url_decode(&b, SPAN_LIT("a+b"), true));
    assert_string_equal(b.p, "a b");
    static const char *const bad[] = {"%", "%4", "%g0", "%0g", "x%", "%%41", "%+1", "% 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_clear(&b);
        assert_false(url_decode(&b, span_str(bad[i]), false));
        assert_string_equal(b.p, i == 5 ? "%A" : bad[i]);
    }
    buf_done(&b);
}

static void every_byte_survives_coding_and_decoding(void **state)
{
    (void)state;
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    struct buf coded, back;
    buf_init(&coded, 4000);
    buf_init(&back, 4000);
    url_add_encoded(&coded, span_of(all, sizeof all));
    assert_true(url_decode(&back, buf_span(&coded), false));
    form_add_encoded(&coded, span_of(all, sizeof all));
    buf_clear(&back);
    assert_true(url_decode(&back, buf_span(&coded), true));
    assert_int_equal(back.n, 512);
    assert_memory_equal(back.p, all, 256);
    assert_memory_equal(back.p + 256, all, 256);
    buf_done(&coded);
    buf_done(&back);
}

static void a_form_keeps_order_and_repeats(void **state)
{
    (void)state;
    struct form form;
    struct err err = ERR_INIT;
    assert_int_equal(form_parse(&form, SPAN_LIT("a=1&&b=x+y%26&a=2&flag&=v&e=&"), &err), 0);
    assert_int_equal(form.n, 6);
    assert_true(span_is(form.fields[0].name, "a") && span_is(form.fields[0].value, "1"));
    assert_true(span_is(form.fields[1].value, "x y&"));
    assert_true(span_is(form.fields[2].value, "2"));
    assert_true(span_is(form.fields[4].name, "") && span_is(form.fields[4].value, "v"));
    assert_true(span_is(form_get(&form, "a"), "1"));
    assert_non_null(form_get(&form, "flag").p);
    assert_int_equal(form_get(&form, "flag").n, 0);
    assert_non_null(form_get(&form, "e").p);
    assert_null(form_get(&form, "missing").p);
    form_done(&form);
    form_done(&form);
}

static void an_empty_form_has_no_fields(void **state)
{
    (void)state;
    struct form form;
    assert_int_equal(form_parse(&form, SPAN_NONE, NULL), 0);
    assert_int_equal(form.n, 0);
    assert_null(form_get(&form, "").p);
    form_done(&form);
    assert_int_equal(form_parse(&form, SPAN_LIT("&&&"), NULL), 0);
    assert_int_equal(form.n, 0);
    form_done(&form);
}

/* Whom a field does not concern, its bytes do not concern either. */
static void a_bad_field_stands_as_it_came_and_spoils_no_other(void **state)
{
    static const struct {
        struct span text;
        struct span name, value;
    } rows[] = {
        {SPAN_LIT("a=1&b=%4"), SPAN_LIT("b"), SPAN_LIT("%4")},
        {SPAN_LIT("%zz=1&a=1"), SPAN_LIT("%zz"), SPAN_LIT("1")},
        {SPAN_LIT("a=1&b=100%"), SPAN_LIT("b"), SPAN_LIT("100%")},
        {SPAN_LIT("a=1&b=x%00y"), SPAN_LIT("b"), SPAN_LIT("x\0y")},
        {SPAN_LIT("a=1&b=\0"), SPAN_LIT("b"), SPAN_LIT("\0")},
        {SPAN_LIT("a=1&b=%FF"), SPAN_LIT("b"), SPAN_LIT("\xFF")},
        {SPAN_LIT("a=1&b=%C0%80"), SPAN_LIT("b"), SPAN_LIT("\xC0\x80")},
        {SPAN_LIT("\xC3=1&a=1"), SPAN_LIT("\xC3"), SPAN_LIT("1")},
        {SPAN_LIT("\xEF\xBB\xBF"
                  "a=1&b=2"),
         SPAN_LIT("b"), SPAN_LIT("2")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct form form;
        bool found = false;
        assert_int_equal(form_parse(&form, rows[i].text, NULL), 0);
        assert_true(span_is(form_get(&form, "a"), "1"));
        for (size_t k = 0; k < form.n; k++)
            found = found || (span_eq(form.fields[k].name, rows[i].name) &&
                              span_eq(form.fields[k].value, rows[i].value));
        assert_true(found);
        form_done(&form);
    }
}

static void check_form_refused(struct span text, enum err_code code, const char *part)
{
    struct form form;
    struct err err = ERR_INIT;
    assert_int_equal(form_parse(&form, text, &err), code);
    assert_int_equal(err.code, code);
    assert_int_equal(form.n, 0);
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
    form_done(&form);
}

static void a_form_has_at_most_200_fields_and_64_kib(void **state)
{
    (void)state;
    struct buf b;
    struct form form;
    buf_init(&b, 70000);
    for (int i = 0; i < FORM_MAX_FIELDS; i++)
        form_add(&b, "k", SPAN_LIT("v"));
    assert_int_equal(form_parse(&form, buf_span(&b), NULL), 0);
    assert_int_equal(form.n, FORM_MAX_FIELDS);
    form_done(&form);
    form_add(&b, "k", SPAN_LIT("v"));
    check_form_refused(buf_span(&b), ERR_LIMIT, "201 fields");
    buf_clear(&b);
    buf_adds(&b, "a=");
    while (b.n < 65536)
        buf_addc(&b, 'x');
    assert_int_equal(form_parse(&form, buf_span(&b), NULL), 0);
    assert_int_equal(form_get(&form, "a").n, 65534);
    form_done(&form);
    buf_addc(&b, 'x');
    check_form_refused(buf_span(&b), ERR_LIMIT, "65537 bytes");
    buf_done(&b);
}

static void a_url_is_split_into_its_parts(void **state)
{
    (void)state;
    struct url_parts u;
    assert_int_equal(
        url_split(SPAN_LIT("https://user:p%40ss@host.example:8443/a/b?x=1?&y=/#frag#?"), &u, NULL), 0);
    assert_true(span_is(u.scheme, "https"));
    assert_true(span_is(u.userinfo, "user:p%40ss"));
    assert_true(span_is(u.host, "host.example"));
    assert_int_equal(u.port, 8443);
    assert_true(span_is(u.path, "/a/b"));
    assert_true(span_is(u.query, "x=1?&y=/"));
    assert_true(span_is(u.fragment, "frag#?"));
}

static void absent_parts_are_absent_and_empty_ones_are_not(void **state)
{
    (void)state;
    struct url_parts u;
    assert_int_equal(url_split(SPAN_LIT("http://h"), &u, NULL), 0);
    assert_true(!u.userinfo.p && !u.query.p && !u.fragment.p && u.path.n == 0 && u.port == -1);
    assert_int_equal(url_split(SPAN_LIT("http://@h:?#"), &u, NULL), 0);
    assert_true(u.userinfo.p && u.query.p && u.fragment.p && u.port == -1);
    assert_true(span_is(u.host, "h"));
}

static void hosts_come_in_brackets_in_lists_and_not_at_all(void **state)
{
    (void)state;
    struct url_parts u;
    assert_int_equal(url_split(SPAN_LIT("redis://[::1]:6380/2"), &u, NULL), 0);
    assert_true(span_is(u.host, "::1") && u.port == 6380 && span_is(u.path, "/2"));
    assert_int_equal(url_split(SPAN_LIT("http://[::1]"), &u, NULL), 0);
    assert_true(span_is(u.host, "::1") && u.port == -1);
    assert_int_equal(url_split(SPAN_LIT("redis+sentinel://:pw@h1:1,h2:2/main/0"), &u, NULL), 0);
    assert_true(span_is(u.host, "h1:1,h2:2") && u.port == -1 && span_is(u.path, "/main/0"));
    assert_true(span_is(u.userinfo, ":pw"));
    assert_int_equal(url_split(SPAN_LIT("unix:///run/redis.sock"), &u, NULL), 0);
    assert_true(u.host.n == 0 && span_is(u.path, "/run/redis.sock"));
    assert_int_equal(url_split(SPAN_LIT("http://a@b@host/"), &u, NULL), 0);
    assert_true(span_is(u.userinfo, "a@b") && span_is(u.host, "host"));
    assert_int_equal(url_split(SPAN_LIT("http://host/a@b:c"), &u, NULL), 0);
    assert_true(!u.userinfo.p && span_is(u.host, "host"));
}

static void bad_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "host",
                                      "/path",
                                      "http:/host",
                                      "://host",
                                      "1http://h",
                                      "ht tp://h",
                                      "http://",
                                      "http:///p",
                                      "http://:80",
                                      "http://h:0",
                                      "http://h:65536",
                                      "http://h:x",
                                      "http://h:-1",
                                      "http://h:1:2",
                                      "http://[::1",
                                      "http://[::1]x",
                                      "http://h/a b",
                                      "http://h/\n",
                                      "http://h\\@evil",
                                      "http://h:99999999999999999999",
                                      "http://u:p@",
                                      "http://h/\x7f",
                                      "http://?x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct url_parts u;
        struct err err = ERR_INIT;
        if (url_split(span_str(bad[i]), &u, &err) != ERR_INVALID || err.text[0] == '\0')
            fail_msg("accepted: %s", bad[i]);
    }
    struct url_parts u;
    assert_int_equal(url_split(SPAN_LIT("http://h/\0"), &u, NULL), ERR_INVALID);
    assert_int_equal(url_split(SPAN_NONE, &u, NULL), ERR_INVALID);
}

/* Damaged URLs and forms from exact allocations: refused or read, never past their end. */
static void damaged_input_never_reads_past_its_end(void **state)
{
    (void)state;
    static const char whole[] = "http://u:p@[::1]:80/a%20b?c=%41&d=+#f";
    uint32_t random = 7;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)round % sizeof whole;
        char *text = test_malloc(n ? n : 1);
        memcpy(text, whole, n);
        for (int change = 0; n > 0 && change < round % 4; change++) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % n] = (char)(random >> 24);
        }
        struct url_parts u;
        struct form form;
        url_split(span_of(text, n), &u, NULL);
        form_parse(&form, span_of(text, n), NULL);
        form_done(&form);
        test_free(text);
    }
}

static void of_a_url_only_scheme_and_host_are_shown(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://example.org", "https://example.org"},
        {"https://example.org/", "https://example.org"},
        {"https://example.org:8443/secret/a?b=c#d", "https://example.org/..."},
        {"https://example.org?secret", "https://example.org/..."},
        {"https://user:secret@example.org/x", "https://example.org/..."},
        {"https://user:se@cret@example.org", "https://example.org"},
        {"https://user:12/secret@example.org", "https://..."},
        {"https://user:12?secret@example.org", "https://..."},
        {"https://user:12#secret@example.org", "https://..."},
        {"https://user:se/cret@example.org", "https://..."},
        {"https://user:se cret@example.org", "..."},
        {"ftp://secret\n@x", "..."},
        {"user:secret@example.org", "..."},
        {"se cret://x", "..."},
        {"", "..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 1000);
        url_add_shown(&b, span_str(cases[i][0]));
        assert_string_equal(b.p, cases[i][1]);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_unreserved_characters_stay_as_they_are),
        cmocka_unit_test(a_form_is_built_field_by_field),
        cmocka_unit_test(decoding_keeps_what_is_malformed_and_says_so),
        cmocka_unit_test(every_byte_survives_coding_and_decoding),
        cmocka_unit_test(a_form_keeps_order_and_repeats),
        cmocka_unit_test(an_empty_form_has_no_fields),
        cmocka_unit_test(a_bad_field_stands_as_it_came_and_spoils_no_other),
        cmocka_unit_test(a_form_has_at_most_200_fields_and_64_kib),
        cmocka_unit_test(a_url_is_split_into_its_parts),
        cmocka_unit_test(absent_parts_are_absent_and_empty_ones_are_not),
        cmocka_unit_test(hosts_come_in_brackets_in_lists_and_not_at_all),
        cmocka_unit_test(bad_urls_are_refused),
        cmocka_unit_test(of_a_url_only_scheme_and_host_are_shown),
        cmocka_unit_test(damaged_input_never_reads_past_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
