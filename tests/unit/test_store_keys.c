/* workers/store/keys: how keys of Redis are spelt. They stand in Redis for months: none of these may change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/store/keys.h"

static struct span a_shard(void)
{
    return SPAN_LIT("{ivr:07}");
}

static void assert_text(struct buf *b, const char *text)
{
    assert_true(buf_ok(b));
    assert_string_equal(b->n > 0 ? b->p : "", text);
    buf_clear(b);
}

static void expect_key(enum key key, struct span name, const char *text)
{
    struct buf b;
    buf_init(&b, 200);
    key_add(&b, a_shard(), key, name);
    assert_text(&b, text);
    buf_done(&b);
}

static void each_key_is_spelt_as_it_always_was(void **state)
{
    (void)state;
    expect_key(KEY_CALL, SPAN_LIT("acme/c-1"), "{ivr:07}:call:acme/c-1");
    expect_key(KEY_OUT, SPAN_NONE, "{ivr:07}:out");
    expect_key(KEY_WAITING, SPAN_NONE, "{ivr:07}:waiting");
    expect_key(KEY_LINKED, SPAN_LIT("twilio:CA1"), "{ivr:07}:ids:twilio:CA1");
    expect_key(KEY_LINKED_0_1, SPAN_LIT("twilio:CA1"), "{ivr:07}:id:twilio:CA1");
    expect_key(KEY_COUNTERS, SPAN_LIT("acme/maize"), "{ivr:07}:n:acme/maize");
    expect_key(KEY_WINDOW_COUNTERS, SPAN_LIT("acme/maize|main|60000"), "{ivr:07}:w:acme/maize|main|60000");
    expect_key(KEY_CAMPAIGNS, SPAN_NONE, "{ivr:07}:campaigns");
    expect_key(KEY_WINDOWS, SPAN_NONE, "{ivr:07}:windows");
    expect_key(KEY_REVISION, SPAN_LIT("campaign:acme/maize"), "{ivr:07}:rev:campaign:acme/maize");
    expect_key(KEY_REPORTED, SPAN_LIT("3"), "{ivr:07}:reported:3");
    expect_key(KEY_DO_NOT_CALL, SPAN_LIT("*"), "{ivr:07}:dnc:*");
    expect_key(KEY_SHARDS, SPAN_NONE, "{ivr:07}:shards");
    expect_key(KEY_WALK, SPAN_NONE, "{ivr:07}:walk");
}

static void slots_are_named_by_the_prefix(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 200);
    key_add_shard(&b, "ivr", 7);
    assert_text(&b, "{ivr:07}");
    key_add_shard(&b, "ivr", 123);
    assert_text(&b, "{ivr:123}");
    key_add_channel(&b, "ivr", SPAN_LIT("ke-main"));
    assert_text(&b, "{ivr:ch:ke-main}");
    key_add_shards_of_0_1(&b, "ivr");
    assert_text(&b, "ivr:shards");
    buf_done(&b);
}

static void a_pattern_takes_the_prefix_as_it_stands(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 200);
    key_add_all_calls(&b, a_shard());
    assert_text(&b, "{ivr:*}:call:*");
    key_add_all_calls(&b, SPAN_LIT("{a*[b]?:00}"));
    assert_text(&b, "{a\\*\\[b\\]\\?:*}:call:*");
    buf_done(&b);
}

static void a_calls_key_is_read_again_and_no_other(void **state)
{
    struct span shard = SPAN_NONE, id = SPAN_NONE;
    (void)state;
    assert_true(key_read_call(SPAN_LIT("{ivr:07}:call:acme/c-1"), &shard, &id));
    assert_true(span_is(shard, "{ivr:07}") && span_is(id, "acme/c-1"));
    assert_false(key_read_call(SPAN_LIT("{ivr:07}:call:"), &shard, &id));
    assert_false(key_read_call(SPAN_LIT("{ivr:07}:calls:acme/c-1"), &shard, &id));
    assert_false(key_read_call(SPAN_LIT("ivr:call:acme/c-1"), &shard, &id));
    assert_false(key_read_call(SPAN_NONE, &shard, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_is_spelt_as_it_always_was),
        cmocka_unit_test(slots_are_named_by_the_prefix),
        cmocka_unit_test(a_pattern_takes_the_prefix_as_it_stands),
        cmocka_unit_test(a_calls_key_is_read_again_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
