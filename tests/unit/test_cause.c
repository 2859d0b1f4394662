#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/model/cause.h"

static void q850_causes_tell_whether_the_phone_was_reached(void **state)
{
    static const struct {
        const char *name;
        int code;
        enum call_status status;
        bool permanent;
    } rows[] = {
        {"UNALLOCATED_NUMBER", 1, STATUS_FAILED_UNKNOWN_REASON, true},
        {"NORMAL_CLEARING", 16, STATUS_NO_ANSWER, false},
        {"USER_BUSY", 17, STATUS_USER_BUSY, false},
        {"NO_USER_RESPONSE", 18, STATUS_SUBSCRIBER_ABSENT, false},
        {"NO_ANSWER", 19, STATUS_NO_ANSWER, false},
        {"SUBSCRIBER_ABSENT", 20, STATUS_SUBSCRIBER_ABSENT, false},
        {"CALL_REJECTED", 21, STATUS_USER_BUSY, false},
        {"NUMBER_CHANGED", 22, STATUS_FAILED_UNKNOWN_REASON, true},
        {"DESTINATION_OUT_OF_ORDER", 27, STATUS_SUBSCRIBER_ABSENT, false},
        {"INVALID_NUMBER_FORMAT", 28, STATUS_FAILED_UNKNOWN_REASON, true},
        {"NORMAL_CIRCUIT_CONGESTION", 34, STATUS_FAILED_UNKNOWN_REASON, false},
        {"ORIGINATOR_CANCEL", 487, STATUS_NO_ANSWER, false},
        {"USER_NOT_REGISTERED", 806, STATUS_SUBSCRIBER_ABSENT, false},
        {"NO_PICKUP", 812, STATUS_NO_ANSWER, false},
        {"REJECT_ALL", 825, STATUS_USER_BUSY, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cause *cause = cause_by_q850(rows[i].code);
        assert_non_null(cause);
        assert_ptr_equal(cause, cause_by_name(span_str(rows[i].name)));
        assert_string_equal(cause->name, rows[i].name);
        assert_int_equal(cause->status, rows[i].status);
        assert_int_equal(cause->permanent, rows[i].permanent);
    }
}

static void sip_codes_tell_whether_the_phone_was_reached(void **state)
{
    static const struct {
        int code;
        enum call_status status;
        bool permanent;
    } rows[] = {
        {486, STATUS_USER_BUSY, false},
        {600, STATUS_USER_BUSY, false},
        {603, STATUS_USER_BUSY, false},
        {607, STATUS_USER_BUSY, false},
        {480, STATUS_SUBSCRIBER_ABSENT, false},
        {408, STATUS_SUBSCRIBER_ABSENT, false},
        {487, STATUS_NO_ANSWER, false},
        {404, STATUS_FAILED_UNKNOWN_REASON, true},
        {410, STATUS_FAILED_UNKNOWN_REASON, true},
        {484, STATUS_FAILED_UNKNOWN_REASON, true},
        {485, STATUS_FAILED_UNKNOWN_REASON, true},
        {604, STATUS_FAILED_UNKNOWN_REASON, true},
        {403, STATUS_FAILED_UNKNOWN_REASON, false},
        {503, STATUS_FAILED_UNKNOWN_REASON, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cause *cause = cause_by_sip(rows[i].code);
        assert_non_null(cause);
        assert_int_equal(cause->code, rows[i].code);
        assert_int_equal(cause->status, rows[i].status);
        assert_int_equal(cause->permanent, rows[i].permanent);
    }
}

static void every_sip_refusal_has_a_status_that_is_no_answer(void **state)
{
    (void)state;
    for (int code = 400; code <= 699; code++) {
        const struct cause *cause = cause_by_sip(code);
        assert_non_null(cause);
        assert_true(cause->status >= STATUS_FAILED_UNKNOWN_REASON && cause->status < STATUS_COMPLETED);
    }
    assert_int_equal(cause_by_sip(499)->status, STATUS_FAILED_UNKNOWN_REASON);
}

static void a_name_is_found_in_capitals_or_not(void **state)
{
    (void)state;
    assert_ptr_equal(cause_by_name(SPAN_LIT("user_busy")), cause_by_q850(17));
    assert_ptr_equal(cause_by_name(SPAN_LIT("Subscriber_Absent")), cause_by_q850(20));
}

static void what_is_no_refusal_has_no_cause(void **state)
{
    static const int codes[] = {-1, 0, 200, 302, 399, 700, 4800};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_null(cause_by_sip(codes[i]));
    assert_null(cause_by_q850(0));
    assert_null(cause_by_q850(4));
    assert_null(cause_by_name(SPAN_LIT("user_bus")));
    assert_null(cause_by_name(SPAN_LIT("user_busy ")));
    assert_null(cause_by_name(SPAN_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q850_causes_tell_whether_the_phone_was_reached),
        cmocka_unit_test(sip_codes_tell_whether_the_phone_was_reached),
        cmocka_unit_test(every_sip_refusal_has_a_status_that_is_no_answer),
        cmocka_unit_test(a_name_is_found_in_capitals_or_not),
        cmocka_unit_test(what_is_no_refusal_has_no_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
