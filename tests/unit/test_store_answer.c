/* workers/store/answer, as it is without assertions: what nobody knows is nothing, and acts on nothing. */
#define NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "workers/calls/claims.h"
#include "workers/calls/evidence.h"
#include "workers/calls/look.h"
#include "workers/calls/parking.h"
#include "workers/calls/requests.h"
#include "workers/calls/settle.h"
#include "workers/contact/contact.h"
#include "workers/store/pack.h"

/* Its own copy, so that NDEBUG holds for it. */
#include "workers/store/answer.c" /* NOLINT(bugprone-suspicious-include) */

static const char *const words[] = {NULL, "claimed", "no"};

static unsigned word(const char *text)
{
    struct buf b;
    msgpack_packer packer;
    msgpack_unpacked unpacked;
    buf_init(&b, 100);
    pack_init(&packer, &b);
    msgpack_pack_array(&packer, 1);
    pack_str(&packer, text);
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, b.p, b.n, NULL), MSGPACK_UNPACK_SUCCESS);
    unsigned place = answer_word(&unpacked.data, 0, words, 3);
    msgpack_unpacked_destroy(&unpacked);
    buf_done(&b);
    return place;
}

static unsigned number(msgpack_object object)
{
    return answer_number(&object, 3);
}

static msgpack_object of(uint64_t value)
{
    msgpack_object object = {.type = MSGPACK_OBJECT_POSITIVE_INTEGER};
    object.via.u64 = value;
    return object;
}

static void a_word_is_its_place(void **state)
{
    (void)state;
    assert_int_equal(word("claimed"), 1);
    assert_int_equal(word("no"), 2);
}

static void a_word_that_nobody_knows_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(word("claim"), 0);
    assert_int_equal(word("claimed "), 0);
    assert_int_equal(word(""), 0);
}

static void a_number_is_counted_from_1(void **state)
{
    (void)state;
    assert_int_equal(number(of(0)), 1);
    assert_int_equal(number(of(2)), 3);
}

static void a_number_that_nobody_knows_is_nothing(void **state)
{
    msgpack_object text = {.type = MSGPACK_OBJECT_NIL}, negative = {.type = MSGPACK_OBJECT_NEGATIVE_INTEGER};
    (void)state;
    negative.via.i64 = -1;
    assert_int_equal(number(of(3)), 0);
    assert_int_equal(number(of(UINT64_MAX)), 0);
    assert_int_equal(number(of((uint64_t)UINT32_MAX + 1)), 0);
    assert_int_equal(number(text), 0);
    assert_int_equal(number(negative), 0);
}

static void nothing_is_zero_wherever_an_answer_acts(void **state)
{
    (void)state;
    assert_int_equal(REQUEST_NOTHING, 0);
    assert_int_equal(CLAIM_NOTHING, 0);
    assert_int_equal(OUTCOME_NOTHING, 0);
    assert_int_equal(RECORDED_NOTHING, 0);
    assert_int_equal(EVIDENCE_NOTHING, 0);
    assert_int_equal(SETTLED_NOTHING, 0);
    assert_int_equal(LOOK_NOTHING, 0);
    assert_int_equal(PARK_NOTHING, 0);
    assert_int_equal(CONTACT_NOTHING, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_its_place),
        cmocka_unit_test(a_word_that_nobody_knows_is_nothing),
        cmocka_unit_test(a_number_is_counted_from_1),
        cmocka_unit_test(a_number_that_nobody_knows_is_nothing),
        cmocka_unit_test(nothing_is_zero_wherever_an_answer_acts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
