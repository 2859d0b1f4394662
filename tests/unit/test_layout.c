/* workers/calls/lib/layout.lua, as the build gives it to C, against what C writes and means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/model/evidence.h"
#include "common/model/hop.h"
#include "layout.h"
#include "workers/calls/evidence_pack.h"
#include "workers/calls/record.h"
#include "workers/store/pack.h"

static void numbers_mean_the_same_in_lua_and_in_c(void **state)
{
    (void)state;
    assert_int_equal(LAYOUT_STATUS_PENDING, STATUS_PENDING);
    assert_int_equal(LAYOUT_STATUS_GATEWAY_UNAVAILABLE, STATUS_GATEWAY_UNAVAILABLE);
    assert_int_equal(LAYOUT_STATUS_FAILED, STATUS_FAILED_UNKNOWN_REASON);
    assert_int_equal(LAYOUT_STATUS_COMPLETED, STATUS_COMPLETED);
    assert_int_equal(LAYOUT_PHASE_WAITING, PHASE_WAITING);
    assert_int_equal(LAYOUT_PHASE_PLACING, PHASE_PLACING);
    assert_int_equal(LAYOUT_PHASE_PLACED, PHASE_PLACED);
    assert_int_equal(LAYOUT_PHASE_DONE, PHASE_DONE);
    assert_int_equal(LAYOUT_PHASE_DROPPED, PHASE_DROPPED);
    assert_int_equal(LAYOUT_HOP_MESSAGE_OUT, HOP_MESSAGE_OUT);
    assert_int_equal(LAYOUT_HOP_DIALING, HOP_DIALING);
    assert_int_equal(LAYOUT_HOP_CONNECTED, HOP_CONNECTED);
    assert_int_equal(LAYOUT_HOP_TERMINATE, HOP_TERMINATE);
    assert_int_equal(LAYOUT_HOP_SESSION_COMPLETED, HOP_SESSION_COMPLETED);
    assert_int_equal(LAYOUT_HOP_BIT_MESSAGE_OUT, HOP_BIT(HOP_MESSAGE_OUT));
    assert_int_equal(LAYOUT_HOP_BIT_CONNECTED, HOP_BIT(HOP_CONNECTED));
}

static void expect_text(const msgpack_object *packed, size_t position, const char *text)
{
    assert_true(span_is(pack_get_span(packed, position), text));
}

static void evidence_is_packed_where_the_layout_says(void **state)
{
    struct evidence ev;
    struct buf b;
    msgpack_packer packer;
    msgpack_unpacked unpacked;
    (void)state;

    evidence_init(&ev);
    ev.status = STATUS_USER_BUSY;
    ev.terminal = true;
    ev.hops = 31;
    ev.at_ms = 1001;
    ev.answered_at_ms = 1002;
    ev.ring_seconds = 1003;
    ev.talk_seconds = 1004;
    assert_true(evidence_set_cost(&ev, SPAN_LIT("0.001005"), SPAN_LIT("KES")));
    evidence_set_reason(&ev, REASON_NAMED, SPAN_LIT("code"), SPAN_LIT("detail"));
    evidence_set_hop_detail(&ev, SPAN_LIT("hop"));
    assert_true(evidence_set_provider_call_id(&ev, SPAN_LIT("CA1")));
    ev.permanent = true;
    buf_init(&b, 1000);
    pack_init(&packer, &b);
    pack_evidence(&packer, &ev);
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, b.p, b.n, NULL), MSGPACK_UNPACK_SUCCESS);
    const msgpack_object *e = &unpacked.data;
    assert_int_equal(e->via.array.size, LAYOUT_E_PERMANENT + 1);
    assert_int_equal(pack_get_int(e, LAYOUT_E_STATUS), STATUS_USER_BUSY);
    assert_int_equal(pack_get_int(e, LAYOUT_E_TERMINAL), 1);
    assert_int_equal(pack_get_int(e, LAYOUT_E_HOPS), 31);
    assert_int_equal(pack_get_int(e, LAYOUT_E_AT), 1001);
    assert_int_equal(pack_get_int(e, LAYOUT_E_ANSWERED), 1002);
    assert_int_equal(pack_get_int(e, LAYOUT_E_RING), 1003);
    assert_int_equal(pack_get_int(e, LAYOUT_E_TALK), 1004);
    assert_int_equal(pack_get_int(e, LAYOUT_E_COST), 1005);
    expect_text(e, LAYOUT_E_CURRENCY, "KES");
    assert_int_equal(pack_get_int(e, LAYOUT_E_KIND), REASON_NAMED);
    expect_text(e, LAYOUT_E_CODE, "code");
    expect_text(e, LAYOUT_E_DETAIL, "detail");
    expect_text(e, LAYOUT_E_HOP_DETAIL, "hop");
    expect_text(e, LAYOUT_E_ID, "CA1");
    assert_int_equal(pack_get_int(e, LAYOUT_E_PERMANENT), 1);
    msgpack_unpacked_destroy(&unpacked);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_mean_the_same_in_lua_and_in_c),
        cmocka_unit_test(evidence_is_packed_where_the_layout_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
