/* Replies that come packed, asked for or not, and those that say so and are not. */
#include <curl/curl.h>

#include "tests/unit/http_server.h"

#define TEXT "{\"sid\":\"CA1\",\"status\":\"queued\"}"

/* TEXT, as gzip, zlib, brotli and zstd write it; the bombs are 4 MiB of 'x'. */
static const unsigned char gzip[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x56, 0x2a, 0xce, 0x4c, 0x51, 0xb2,
    0x52, 0x72, 0x76, 0x34, 0x54, 0xd2, 0x51, 0x2a, 0x2e, 0x49, 0x2c, 0x29, 0x2d, 0x56, 0xb2, 0x52, 0x2a,
    0x2c, 0x4d, 0x2d, 0x4d, 0x4d, 0x51, 0xaa, 0x05, 0x00, 0x37, 0x58, 0x0e, 0x23, 0x1f, 0x00, 0x00, 0x00,
};
static const unsigned char deflate[] = {
    0x78, 0x9c, 0xab, 0x56, 0x2a, 0xce, 0x4c, 0x51, 0xb2, 0x52, 0x72, 0x76, 0x34,
    0x54, 0xd2, 0x51, 0x2a, 0x2e, 0x49, 0x2c, 0x29, 0x2d, 0x56, 0xb2, 0x52, 0x2a,
    0x2c, 0x4d, 0x2d, 0x4d, 0x4d, 0x51, 0xaa, 0x05, 0x00, 0x94, 0x5b, 0x09, 0xcb,
};
static const unsigned char raw_deflate[] = {
    0xab, 0x56, 0x2a, 0xce, 0x4c, 0x51, 0xb2, 0x52, 0x72, 0x76, 0x34, 0x54, 0xd2, 0x51, 0x2a, 0x2e, 0x49,
    0x2c, 0x29, 0x2d, 0x56, 0xb2, 0x52, 0x2a, 0x2c, 0x4d, 0x2d, 0x4d, 0x4d, 0x51, 0xaa, 0x05, 0x00,
};
static const unsigned char brotli[] = {
    0x0b, 0x0f, 0x80, 0x7b, 0x22, 0x73, 0x69, 0x64, 0x22, 0x3a, 0x22, 0x43,
    0x41, 0x31, 0x22, 0x2c, 0x22, 0x73, 0x74, 0x61, 0x74, 0x75, 0x73, 0x22,
    0x3a, 0x22, 0x71, 0x75, 0x65, 0x75, 0x65, 0x64, 0x22, 0x7d, 0x03,
};
static const unsigned char zstd[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0xf9, 0x00, 0x00, 0x7b, 0x22, 0x73, 0x69, 0x64,
    0x22, 0x3a, 0x22, 0x43, 0x41, 0x31, 0x22, 0x2c, 0x22, 0x73, 0x74, 0x61, 0x74, 0x75,
    0x73, 0x22, 0x3a, 0x22, 0x71, 0x75, 0x65, 0x75, 0x65, 0x64, 0x22, 0x7d,
};
static const unsigned char gzip_twice[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x93, 0xef, 0xe6, 0x60, 0x00, 0x03, 0xe6,
    0xd5, 0x61, 0x5a, 0xe7, 0x7c, 0x02, 0x37, 0x05, 0x15, 0x95, 0x99, 0x84, 0x5c, 0x0a, 0xd4, 0xd2, 0xf3,
    0xd4, 0xd1, 0xd4, 0x0d, 0xdb, 0x14, 0xa4, 0xa5, 0xe3, 0xab, 0xeb, 0xeb, 0x1b, 0xb8, 0x8a, 0x95, 0xc1,
    0x3c, 0x82, 0x4f, 0x59, 0x1e, 0xa8, 0x14, 0x00, 0xcf, 0xa3, 0xdb, 0x90, 0x33, 0x00, 0x00, 0x00,
};
static const unsigned char brotli_bomb[] = {
    0x9b, 0xff, 0xff, 0x3f, 0xf8, 0x25, 0xf0, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x07,
};
static const unsigned char gzip_bomb[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x93, 0xef, 0xe6, 0x60, 0x00, 0x01,
    0x26, 0xe6, 0xb7, 0x07, 0x19, 0x19, 0x81, 0x8c, 0xa6, 0x05, 0xb7, 0xcf, 0xe5, 0x7b, 0x38, 0x30,
    0x32, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82,
    0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18, 0x05, 0xa3, 0x60, 0xa8, 0x83, 0x1a, 0xe9, 0x59, 0xa9,
    0x73, 0x8e, 0x33, 0x30, 0x38, 0x30, 0x00, 0x00, 0xa6, 0x3d, 0x55, 0x8e, 0x02, 0x10, 0x00, 0x00,
};

#define CANNED(path, encoding, bytes)                                                                        \
    {                                                                                                        \
        path, "201 Created\r\nContent-Encoding: " encoding, bytes, sizeof(bytes)                             \
    }

static const char plain[] = TEXT;

static const struct canned replies[] = {
    CANNED("/gzip", "gzip", gzip),
    CANNED("/x-gzip", "x-gzip", gzip),
    CANNED("/capitals", "GZIP", gzip),
    CANNED("/deflate", "deflate", deflate),
    CANNED("/raw-deflate", "deflate", raw_deflate),
    CANNED("/br", "br", brotli),
    CANNED("/zstd", "zstd", zstd),
    CANNED("/twice", "gzip, gzip", gzip_twice),
    CANNED("/brotli-bomb", "br", brotli_bomb),
    CANNED("/gzip-bomb", "gzip, gzip", gzip_bomb),
    CANNED("/unknown", "compress", plain),
    CANNED("/not-packed", "gzip", plain),
    {"/cut", "201 Created\r\nContent-Encoding: gzip", gzip, sizeof(gzip) - 12},
    {"/key", "401 Unauthorized\r\nContent-Encoding: compress", plain, sizeof(plain)},
    {"/busy", "429 Too Many Requests\r\nRetry-After: 7\r\nContent-Encoding: gzip", plain, sizeof(plain)},
    {NULL, NULL, NULL, 0},
};

static bool reads(int feature)
{
    return (curl_version_info(CURLVERSION_NOW)->features & feature) != 0;
}

static void assert_unpacked(struct http_fixture *f, const char *path)
{
    const struct seen_reply *seen = ask(&f->caller, "POST", path);
    assert_int_equal(seen->outcome, HTTP_REPLY);
    assert_int_equal(seen->status, 201);
    assert_string_equal(seen->body, TEXT);
}

static void a_packed_reply_is_read(void **state)
{
    static const char *const paths[] = {"/gzip",    "/x-gzip",      "/capitals",
                                        "/deflate", "/raw-deflate", "/twice"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_unpacked(*state, paths[i]);
}

static void a_reply_in_brotli_or_zstd_is_read_where_libcurl_can(void **state)
{
    if (reads(CURL_VERSION_BROTLI))
        assert_unpacked(*state, "/br");
    if (reads(CURL_VERSION_ZSTD))
        assert_unpacked(*state, "/zstd");
}

/* What comes out is bounded, and nothing is unpacked past the bound. */
static void a_bomb_is_a_reply_that_is_too_large(void **state)
{
    static const char *const paths[] = {"/gzip-bomb", "/brotli-bomb"};
    struct http_fixture *f = *state;
    for (size_t i = 0; i < (reads(CURL_VERSION_BROTLI) ? 2 : 1); i++) {
        const struct seen_reply *seen = ask(&f->caller, "POST", paths[i]);
        assert_int_equal(seen->outcome, HTTP_IN_DOUBT);
        assert_non_null(strstr(seen->error, "too large"));
        assert_int_equal(seen->body_n, 0);
    }
    assert_int_equal(f->server.requests, reads(CURL_VERSION_BROTLI) ? 2 : 1);
}

/* 401 and 429 mean the same whatever comes with them; of a 201 without a body the provider's adapter knows
 * that it is in doubt. */
static void a_reply_that_cannot_be_unpacked_has_its_status_and_no_body(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/unknown", 201}, {"/not-packed", 201}, {"/key", 401}, {"/busy", 429}};
    struct http_fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct seen_reply *seen = ask(&f->caller, "POST", rows[i].path);
        assert_int_equal(seen->outcome, HTTP_REPLY);
        assert_int_equal(seen->status, rows[i].status);
        assert_int_equal(seen->body_n, 0);
    }
    assert_int_equal(f->caller.seen.retry_after_ms, 7000);
    assert_int_equal(f->server.requests, 4);
}

static void a_packed_reply_that_is_cut_is_never_taken_for_a_whole_one(void **state)
{
    struct http_fixture *f = *state;
    const struct seen_reply *seen = ask(&f->caller, "POST", "/cut");
    assert_true(seen->outcome == HTTP_IN_DOUBT || strcmp(seen->body, TEXT) != 0);
    assert_unpacked(f, "/gzip");
}

static int set_up_packed(void **state)
{
    server_canned = replies;
    return set_up(state);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up_packed, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(a_packed_reply_is_read),
        PROMISE(a_reply_in_brotli_or_zstd_is_read_where_libcurl_can),
        PROMISE(a_bomb_is_a_reply_that_is_too_large),
        PROMISE(a_reply_that_cannot_be_unpacked_has_its_status_and_no_body),
        PROMISE(a_packed_reply_that_is_cut_is_never_taken_for_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
