#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workers/calls/parked.h"

static const struct kafka_record callback = {
    .key = {"acme/call-1", 11},
    .value = {"CallSid=CA1\0&x=\xff", 16},
    .topic = "ivr.callbacks",
    .partition_id = 3,
    .offset = 4000000000,
};

static void a_parked_callback_comes_back_byte_for_byte(void **state)
{
    (void)state;
    const struct kafka_header headers[] = {
        {SPAN_LIT("ce_provider"), SPAN_LIT("twilio")},
        {SPAN_LIT("ce_query"), SPAN_LIT("")},
        {SPAN_LIT("empty"), SPAN_NONE},
        {SPAN_LIT("ce_provider"), {"two\0zeros\0", 10}},
    };
    struct parked parked;
    struct buf b;
    buf_init(&b, PARKED_MAX_BYTES);
    parked_add(&b, &callback, headers, 4);
    assert_true(buf_ok(&b));
    assert_true(parked_read(&parked, buf_span(&b)));
    assert_true(span_eq(parked.key, callback.key));
    assert_true(span_eq(parked.value, callback.value));
    assert_string_equal(parked.topic, "ivr.callbacks");
    assert_int_equal(parked.partition_id, 3);
    assert_int_equal(parked.offset, 4000000000);
    assert_int_equal(parked.headers_n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(span_eq(parked.headers[i].name, headers[i].name));
        assert_true(span_eq(parked.headers[i].value, headers[i].value));
        assert_int_equal(parked.headers[i].value.p == NULL, headers[i].value.p == NULL);
    }
    parked_done(&parked);
    buf_done(&b);
}

static void no_key_stays_no_key_and_an_empty_one_empty(void **state)
{
    (void)state;
    struct kafka_record record = callback;
    struct parked parked;
    struct buf b;
    buf_init(&b, PARKED_MAX_BYTES);
    record.key = SPAN_NONE;
    record.value = SPAN_LIT("");
    parked_add(&b, &record, NULL, 0);
    assert_true(parked_read(&parked, buf_span(&b)));
    assert_null(parked.key.p);
    assert_non_null(parked.value.p);
    assert_int_equal(parked.value.n, 0);
    assert_int_equal(parked.headers_n, 0);
    parked_done(&parked);
    buf_done(&b);
}

static void what_is_cut_off_anywhere_is_not_read(void **state)
{
    (void)state;
    const struct kafka_header headers[] = {{SPAN_LIT("ce_provider"), SPAN_LIT("twilio")}};
    struct parked parked;
    struct buf b;
    buf_init(&b, PARKED_MAX_BYTES);
    parked_add(&b, &callback, headers, 1);
    for (size_t n = 0; n < b.n; n++) {
        char *copy = malloc(n + 1); /* exactly sized, so that a sanitizer sees a read beyond */
        memcpy(copy, b.p, n);
        assert_false(parked_read(&parked, span_of(copy, n)));
        parked_done(&parked);
        free(copy);
    }
    buf_done(&b);
}

static void what_somebody_else_wrote_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\x90", "{\"key\":1}", "\x96\x01\x02\x03\x04\x05\x06", "\xc1"};
    struct parked parked;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_false(parked_read(&parked, span_str(texts[i])));
        parked_done(&parked);
    }
}

static void a_record_s_field_names_its_channel_and_its_place_in_the_log(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, PARKED_FIELD_MAX);
    parked_add_field(&b, &callback, SPAN_LIT("ke-main"));
    assert_string_equal(b.p, "ke-main|ivr.callbacks:3:4000000000");
    buf_clear(&b);
    parked_add_field(&b, &callback, SPAN_LIT("no|channel"));
    assert_string_equal(b.p, "|ivr.callbacks:3:4000000000");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_callback_comes_back_byte_for_byte),
        cmocka_unit_test(no_key_stays_no_key_and_an_empty_one_empty),
        cmocka_unit_test(what_is_cut_off_anywhere_is_not_read),
        cmocka_unit_test(what_somebody_else_wrote_is_not_read),
        cmocka_unit_test(a_record_s_field_names_its_channel_and_its_place_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
