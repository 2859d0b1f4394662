/* Slots of keys, and what error replies mean: no server needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/redis/redis_answer.h"
#include "common/redis/redis_reply.h"
#include "common/redis/redis_slot.h"

/* The cluster specification's own test value, and what CLUSTER KEYSLOT of Redis 7.0 answers. */
static void crc16_is_the_specifications(void **state)
{
    (void)state;
    assert_int_equal(redis_crc16(SPAN_LIT("123456789")), 0x31c3);
    assert_int_equal(redis_crc16(SPAN_NONE), 0);
    assert_int_equal(redis_slot_of(SPAN_LIT("123456789")), 12739);
    assert_int_equal(redis_slot_of(SPAN_LIT("foo")), 12182);
}

static void hash_tag_alone_decides_the_slot(void **state)
{
    (void)state;
    assert_int_equal(redis_slot_of(SPAN_LIT("{ivr:07}")), redis_slot_of(SPAN_LIT("ivr:07")));
    assert_int_equal(redis_slot_of(SPAN_LIT("{ivr:07}:call:a/b")), redis_slot_of(SPAN_LIT("{ivr:07}:due")));
    assert_int_equal(redis_slot_of(SPAN_LIT("{user1000}.following")), redis_slot_of(SPAN_LIT("user1000")));
    assert_int_equal(redis_slot_of(SPAN_LIT("foo{bar}{zap}")), redis_slot_of(SPAN_LIT("bar")));
    assert_int_equal(redis_slot_of(SPAN_LIT("foo{{bar}}zap")), redis_slot_of(SPAN_LIT("{bar")));
}

/* An empty or open tag is none. */
static void key_without_a_tag_is_hashed_whole(void **state)
{
    static const char *const keys[] = {"foo{}{bar}", "foo{bar", "foo}bar{", "{", "{}", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(redis_slot_of(span_str(keys[i])), redis_crc16(span_str(keys[i])) % REDIS_SLOTS);
}

static enum redis_error error_of(const char *text)
{
    char copy[100];
    struct redisReply reply = {.type = REDIS_REPLY_ERROR, .str = copy};

    snprintf(copy, sizeof(copy), "%s", text);
    reply.len = strlen(copy);
    return redis_error_of(&reply);
}

static void error_replies_are_told_apart(void **state)
{
    struct redisReply status = {.type = REDIS_REPLY_STATUS};
    (void)state;
    assert_int_equal(redis_error_of(&status), ERROR_NONE);
    assert_int_equal(error_of("MOVED 3999 127.0.0.1:6381"), ERROR_MOVED);
    assert_int_equal(error_of("ASK 3999 127.0.0.1:6381"), ERROR_ASK);
    assert_int_equal(error_of("TRYAGAIN Multiple keys request during rehashing of slot"), ERROR_TRYAGAIN);
    assert_int_equal(error_of("CLUSTERDOWN The cluster is down"), ERROR_CLUSTERDOWN);
    assert_int_equal(error_of("READONLY You can't write against a read only replica."), ERROR_CONDEMNS);
    assert_int_equal(error_of("LOADING Redis is loading the dataset in memory"), ERROR_REFUSAL);
    assert_int_equal(error_of("MASTERDOWN Link with MASTER is down"), ERROR_REFUSAL);
    assert_int_equal(error_of("OOM command not allowed"), ERROR_REFUSAL);
    assert_int_equal(error_of("ERR Function not found"), ERROR_NOFUNCTION);
    assert_int_equal(error_of("ERR unknown command"), ERROR_DEFECT);
    assert_int_equal(error_of("ASKED for nothing"), ERROR_DEFECT);
}

static void redirections_are_read(void **state)
{
    struct span host;
    int slot, port;
    (void)state;
    assert_true(redis_redirect_parse("MOVED 3999 127.0.0.1:6381", &slot, &host, &port));
    assert_int_equal(slot, 3999);
    assert_true(span_is(host, "127.0.0.1"));
    assert_int_equal(port, 6381);
    assert_true(redis_redirect_parse("ASK 0 ::1:7000", &slot, &host, &port));
    assert_true(span_is(host, "::1"));
    assert_int_equal(port, 7000);
    assert_true(redis_redirect_parse("MOVED 16383 :7000", &slot, &host, &port));
    assert_int_equal(host.n, 0);
}

static void malformed_redirections_are_refused(void **state)
{
    static const char *const texts[] = {"MOVED",
                                        "MOVED 1",
                                        "MOVED 1 h",
                                        "MOVED x h:1",
                                        "MOVED 16384 h:1",
                                        "MOVED 1 h:0",
                                        "MOVED 1 h:",
                                        "MOVED 1 h:65536",
                                        "MOVED  h:1",
                                        "MOVED 1 h:1 extra",
                                        "MOVED 99999999999 h:1"};
    struct span host;
    int slot, port;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(redis_redirect_parse(texts[i], &slot, &host, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc16_is_the_specifications),
        cmocka_unit_test(hash_tag_alone_decides_the_slot),
        cmocka_unit_test(key_without_a_tag_is_hashed_whole),
        cmocka_unit_test(error_replies_are_told_apart),
        cmocka_unit_test(redirections_are_read),
        cmocka_unit_test(malformed_redirections_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
