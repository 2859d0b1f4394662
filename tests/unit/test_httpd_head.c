/* common/httpd_head and common/httpd_chunked: what is read of a request, and all that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/http/httpd_chunked.h"
#include "common/http/httpd_head.h"

static void assert_span(struct span span, const char *text)
{
    if (!span_is(span, text))
        fail_msg("\"%.*s\" is not \"%s\"", SPAN_ARG(span), text);
}

/* The status that a head is refused with, 0 when it is read; -1 when it never ends. */
static int read_head(struct httpd_head *head, const char *text)
{
    const char *why = NULL;
    size_t looked = 0, end = httpd_head_end(span_str(text), &looked);
    memset(head, 0, sizeof(*head));
    if (end == SIZE_MAX)
        return 400;
    if (end == 0)
        return -1;
    int status = httpd_head_read(head, span_of(text, end), &why);
    assert_true((status != 0) == (why != NULL));
    return status;
}

static void a_head_is_read(void **state)
{
    struct httpd_head h;
    (void)state;
    assert_int_equal(
        read_head(&h, "POST /a%20b?x=1 HTTP/1.1\r\nHost: h:80\r\nX-One:  two words \t\r\nX-Empty:\r\n"
                      "content-LENGTH: 12\r\n\r\nbody"),
        0);
    assert_string_equal(h.method, "POST");
    assert_span(h.target, "/a%20b?x=1");
    assert_span(h.host, "h:80");
    assert_span(httpd_head_field(&h, "x-one"), "two words");
    assert_non_null(httpd_head_field(&h, "X-Empty").p);
    assert_null(httpd_head_field(&h, "X-None").p);
    assert_int_equal(h.length, 12);
    assert_true(h.keep_alive);
    assert_false(h.chunked);
    assert_int_equal(read_head(&h, "GET / HTTP/1.0\r\n\r\n"), 0);
    assert_false(h.keep_alive);
    assert_int_equal(read_head(&h, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0);
    assert_true(h.keep_alive);
    assert_int_equal(read_head(&h, "GET / HTTP/1.1\r\nHost:\r\nConnection: TE, close\r\n\r\n"), 0);
    assert_false(h.keep_alive);
    assert_int_equal(read_head(&h, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n"
                                   "Expect: 100-Continue\r\n\r\n"),
                     0);
    assert_true(h.chunked && h.expects_continue);
}

static void a_whole_url_is_the_path_behind_its_host(void **state)
{
    struct httpd_head h;
    (void)state;
    assert_int_equal(
        read_head(&h, "POST HTTP://ivr.example.org:8080/callbacks/x?a=b HTTP/1.1\r\nHost: other\r\n\r\n"), 0);
    assert_span(h.target, "/callbacks/x?a=b");
    assert_span(h.host, "ivr.example.org:8080");
    assert_int_equal(read_head(&h, "GET https://h HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    assert_span(h.target, "/");
    assert_int_equal(read_head(&h, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    assert_span(h.target, "*");
}

/* Each of these is one thing to one reader and another to the next. */
static void what_two_readers_could_read_differently_is_refused(void **state)
{
#define HOST "Host: h\r\n"
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length\t: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST " Content-Length: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n Content-Length: 5\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": empty\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X\xC3\xA9: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\n\r\n", 400},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Host: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Host: other\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\tx HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / http/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/11\r\n" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"METHODSOFTWENTYFOURLETTE / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET callbacks HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://user@h/x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET ftp://h/x HTTP/1.1\r\n" HOST "\r\n", 400},
    };
#undef HOST
    struct httpd_head h;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = read_head(&h, cases[i].text);
        if (status != cases[i].status)
            fail_msg("%d for\n%s", status, cases[i].text);
    }
}

static void a_nul_ends_nothing(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
                      line[] = "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n";
    struct httpd_head h;
    const char *why;
    (void)state;
    assert_int_equal(httpd_head_read(&h, span_of(text, sizeof(text) - 1), &why), 400);
    assert_int_equal(httpd_head_read(&h, span_of(line, sizeof(line) - 1), &why), 400);
}

static void a_length_past_all_bounds_stays_large(void **state)
{
    struct httpd_head h;
    (void)state;
    assert_int_equal(
        read_head(&h, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n"), 0);
    assert_true(h.length == UINT64_MAX);
}

static void more_than_a_hundred_headers_are_431(void **state)
{
    struct httpd_head h;
    struct buf text;
    const char *why;
    (void)state;
    buf_init(&text, 64 * 1024);
    buf_adds(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < HTTPD_MAX_FIELDS - 1; i++)
        buf_adds(&text, "X: y\r\n");
    struct buf more;
    buf_init(&more, 64 * 1024);
    buf_addspan(&more, buf_span(&text));
    buf_adds(&text, "\r\n");
    buf_adds(&more, "X: y\r\n\r\n");
    assert_int_equal(httpd_head_read(&h, buf_span(&text), &why), 0);
    assert_int_equal(httpd_head_read(&h, buf_span(&more), &why), 431);
    buf_done(&text);
    buf_done(&more);
}

static void a_head_is_found_however_it_is_cut(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
    size_t want = sizeof(text) - 1 - 4;
    (void)state;
    for (size_t cut = 0; cut <= want; cut++) {
        size_t looked = 0;
        size_t first = httpd_head_end(span_of(text, cut), &looked);
        assert_int_equal(first, cut == want ? want : 0);
        if (first == 0)
            assert_int_equal(httpd_head_end(span_of(text, sizeof(text) - 1), &looked), want);
    }
}

/* ---- chunked ---- */

/* Decodes `text` in pieces of `step` bytes into `out`; what stands behind the end is `*left`. */
static enum chunked_step decode(const char *text, size_t step, struct buf *out, size_t *left)
{
    struct chunked c = {0};
    size_t n = strlen(text), at = 0;
    buf_clear(out);
    while (at < n) {
        size_t piece = n - at < step ? n - at : step;
        struct span in = span_of(text + at, piece), data;
        enum chunked_step what;
        while ((what = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
            buf_addspan(out, data);
        at += piece - in.n;
        *left = n - at;
        if (what != CHUNKED_MORE)
            return what;
    }
    return CHUNKED_MORE;
}

static void a_chunked_body_is_put_together_however_it_is_cut(void **state)
{
    static const char text[] =
        "3\r\nabc\r\n00A;name=\"value\";x\r\n0123456789\r\n0\r\nX-Trailer: yes\r\n\r\nGET /";
    struct buf out;
    size_t left = 0;
    (void)state;
    buf_init(&out, 1000);
    for (size_t step = 1; step < sizeof(text); step++) {
        assert_int_equal(decode(text, step, &out, &left), CHUNKED_END);
        assert_string_equal(out.p, "abc0123456789");
        assert_int_equal(left, 5);
    }
    buf_done(&out);
}

static void a_malformed_chunked_body_is_refused(void **state)
{
    static const char *const texts[] = {
        "\r\n",
        "x\r\n",
        "3 \r\nabc\r\n",
        " 3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "-3\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\rX",
        "3;a\x01\r\n",
        ";x\r\n",
        "0\r\n\n",
        "0\r\n: empty\r\n\r\n",
        "0\r\nname : x\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\n\rX",
        "FFFFFFFFFFFFFFFFF\r\n",
        "0000000000000000000000000003\r\nabc\r\n",
    };
    struct buf out;
    size_t left;
    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (size_t step = 1; step < 10; step++)
            if (decode(texts[i], step, &out, &left) != CHUNKED_BAD)
                fail_msg("taken: %s", texts[i]);
    buf_done(&out);
}

static void extensions_and_trailers_are_bounded(void **state)
{
    struct buf text, out;
    size_t left;
    (void)state;
    buf_init(&text, 100000);
    buf_init(&out, 1000);
    buf_adds(&text, "3;");
    for (int i = 0; i < 20000; i++)
        buf_addc(&text, 'e');
    assert_int_equal(decode(text.p, 4096, &out, &left), CHUNKED_BAD);
    buf_clear(&text);
    buf_adds(&text, "0\r\n");
    for (int i = 0; i < 2000; i++)
        buf_adds(&text, "X: yyy\r\n");
    assert_int_equal(decode(text.p, 4096, &out, &left), CHUNKED_BAD);
    buf_done(&text);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read),
        cmocka_unit_test(a_whole_url_is_the_path_behind_its_host),
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(a_nul_ends_nothing),
        cmocka_unit_test(a_length_past_all_bounds_stays_large),
        cmocka_unit_test(more_than_a_hundred_headers_are_431),
        cmocka_unit_test(a_head_is_found_however_it_is_cut),
        cmocka_unit_test(a_chunked_body_is_put_together_however_it_is_cut),
        cmocka_unit_test(a_malformed_chunked_body_is_refused),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
