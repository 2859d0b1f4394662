#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/model/hop.h"
#include "common/model/status.h"

static void statuses_have_the_contract_names_in_the_order_of_evidence(void **state)
{
    static const char *const order[] = {"Pending",   "Gateway_unavailable", "Failed_unknown_reason",
                                        "No_answer", "Subscriber_absent",   "User_busy",
                                        "Completed"};
    (void)state;
    for (int i = 0; i < 7; i++) {
        assert_string_equal(status_name((enum call_status)(i + 1)), order[i]);
        assert_int_equal(status_parse(span_str(order[i])), i + 1);
    }
}

static void no_status_has_no_name(void **state)
{
    (void)state;
    assert_null(status_name(STATUS_NONE));
    assert_null(status_name(STATUS_COUNT));
    assert_null(status_name((enum call_status) - 1));
}

static void unknown_words_are_no_status(void **state)
{
    (void)state;
    assert_int_equal(status_parse(SPAN_LIT("completed")), STATUS_NONE);
    assert_int_equal(status_parse(SPAN_LIT("Completed ")), STATUS_NONE);
    assert_int_equal(status_parse(SPAN_NONE), STATUS_NONE);
}

static void hops_have_the_contract_names(void **state)
{
    static const char *const order[] = {"message_out", "dialing", "connected", "terminate",
                                        "session_completed"};
    (void)state;
    for (int i = 0; i < HOP_COUNT; i++)
        assert_string_equal(hop_name((enum hop)i), order[i]);
    assert_null(hop_name(HOP_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_the_contract_names_in_the_order_of_evidence),
        cmocka_unit_test(no_status_has_no_name),
        cmocka_unit_test(unknown_words_are_no_status),
        cmocka_unit_test(hops_have_the_contract_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
