/* A call request as Redis keeps it (request_read_stored). */
#include "tests/unit/request_fixture.h"

static void assert_stored(struct request *request, enum request_part part, const char *text)
{
    struct err err = ERR_INIT;
    memset(request, 0xA5, sizeof *request);
    if (request_read_stored(request, part, span_str(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
}

static void a_stored_request_reads_back_whole(void **state)
{
    struct parsed_request out = accept(everything);
    struct request again;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    request_add_json(&text, &out.request);
    assert_stored(&again, REQUEST_WHOLE, text.p);
    assert_memory_equal(again.fingerprint, out.request.fingerprint, REQUEST_FINGERPRINT_LEN);
    assert_int_equal(again.lost_zone.n, 0);
    request_done(&again);
    request_done(&out.request);
    buf_done(&text);
}

/* Hours that nobody here can tell are no reason to forget the call, and none to dial it now. */
static void a_stored_request_survives_another_tzdata(void **state)
{
    struct request request;
    (void)state;
    assert_stored(&request, REQUEST_WHOLE,
                  "{" BASIC
                  ", \"calling_hours\": {\"timezone\": \"Mars/Olympus\", \"from\": \"08:00\", \"to\": "
                  "\"19:30\"}}");
    ASSERT_SPAN(request.lost_zone, "Mars/Olympus");
    assert_null(request.calling_hours.zone);
    ASSERT_SPAN(request.message, "Habari");
    request_done(&request);
    /* A window that opened in time by the rules of then, and does not by those of now. */
    assert_stored(&request, REQUEST_WHOLE,
                  "{" BASIC
                  ", \"not_before\": \"2031-05-01T19:00:00Z\", \"expires_at\": \"2031-05-02T08:00:00Z\", "
                  "\"calling_hours\": {\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"19:00\"}}");
    assert_non_null(request.calling_hours.zone);
    assert_int_equal(request.lost_zone.n, 0);
    request_done(&request);
}

static void a_part_of_a_stored_request_needs_that_part_alone(void **state)
{
    struct request request;
    struct err err = ERR_INIT;
    (void)state;
    assert_stored(
        &request, REQUEST_MESSAGE,
        "{\"to\": 17, \"ring_timeout\": \"x\", \"message\": {\"say\": \"Habari\", \"language\": \"sw\"}}");
    ASSERT_SPAN(request.message, "Habari");
    ASSERT_SPAN(request.language, "sw");
    request_done(&request);
    assert_stored(&request, REQUEST_NUMBERS,
                  "{\"to\": \"+254722000111\", \"from\": \"+254711082000\", \"message\": {\"later\": 1}}");
    ASSERT_SPAN(request.to, "+254722000111");
    ASSERT_SPAN(request.from, "+254711082000");
    request_done(&request);
    assert_int_equal(request_read_stored(&request, REQUEST_MESSAGE, SPAN_LIT("{}"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "message"));
    request_done(&request);
    assert_int_equal(request_read_stored(&request, REQUEST_WHOLE, SPAN_LIT("{"), &err), ERR_INVALID);
    request_done(&request);
}

/* Escapes are longer than what they stand for: what was accepted must fit when it is read again. */
static void a_stored_request_may_be_longer_than_the_one_that_came(void **state)
{
    struct request request;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    buf_adds(&text, "{" BASIC ", \"trace\": \"");
    for (int i = 0; i < 70000; i++)
        buf_addc(&text, 'x');
    buf_adds(&text, "\"}");
    assert_stored(&request, REQUEST_WHOLE, text.p);
    request_done(&request);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_request_reads_back_whole),
        cmocka_unit_test(a_stored_request_survives_another_tzdata),
        cmocka_unit_test(a_part_of_a_stored_request_needs_that_part_alone),
        cmocka_unit_test(a_stored_request_may_be_longer_than_the_one_that_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
