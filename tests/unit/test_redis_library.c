/* common/redis_library: what the answers to FUNCTION LOAD mean. What loading comes to is in test_redis.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/redis/redis_library.h"
#include "common/redis/redis_reply.h"

static const struct redis_library library = {"ivr_1", "#!lua name=ivr_1\n", 17};

/* A connection that answers by hand. */
struct fake {
    struct redis_loading loading;
    struct redis_cmd *out; /* what was sent last */
    uint64_t seq;
    int sent;
    int refused;
    bool for_good;
};

static void on_send(struct redis_cmd *cmd, void *arg)
{
    struct fake *fake = arg;

    redis_cmd_free(&fake->out);
    cmd->sent_seq = ++fake->seq;
    fake->out = cmd;
    fake->sent++;
}

static void on_refused(bool for_good, void *arg)
{
    struct fake *fake = arg;

    fake->refused++;
    fake->for_good = for_good;
}

static void answer_with(struct fake *fake, enum redis_status status, struct redisReply *reply,
                        const char *error)
{
    struct redis_cmd *cmd = fake->out;

    if (cmd == NULL) {
        fail_msg("nothing was sent that could be answered");
        return;
    }
    fake->out = NULL;
    cmd->fn(&(struct redis_result){status, reply, error}, cmd->arg);
    redis_cmd_free(&cmd);
}

static void answer(struct fake *fake, enum redis_status status, const char *error)
{
    answer_with(fake, status, NULL, error);
}

static int set_up(void **state)
{
    static struct fake fake;

    fake =
        (struct fake){.loading = {.library = &library, .send = on_send, .refused = on_refused, .arg = &fake}};
    redis_loading_begin(&fake.loading);
    redis_loading_send(&fake.loading);
    assert_true(redis_loading_is(fake.out));
    *state = &fake;
    return 0;
}

static int tear_down(void **state)
{
    redis_cmd_free(&((struct fake *)*state)->out);
    return 0;
}

static void library_that_exists_is_as_good_as_loaded(void **state)
{
    struct fake *fake = *state;

    answer(fake, REDIS_REFUSED, "ERR Library 'ivr_1' already exists");
    assert_int_equal(fake->refused, 0);
    assert_string_equal(fake->loading.error, "");
    redis_loading_send(&fake->loading);
    answer(fake, REDIS_REFUSED, "ERR Function 'ivr_1_claim' already exists");
    assert_int_equal(fake->refused, 1);
    assert_non_null(strstr(fake->loading.error, "ivr_1_claim"));
}

static void refusal_is_kept_with_redis_words_until_it_is_loaded(void **state)
{
    struct fake *fake = *state;

    answer(fake, REDIS_REFUSED, "OOM command not allowed when used memory > 'maxmemory'.");
    assert_int_equal(fake->refused, 1);
    assert_false(fake->for_good);
    assert_string_equal(fake->loading.error, "our functions cannot be loaded: OOM command not allowed when "
                                             "used memory > 'maxmemory'.");
    redis_loading_send(&fake->loading);
    answer(fake, REDIS_LOST, "gone");
    assert_memory_equal(fake->loading.error, "our", 3);
    redis_loading_send(&fake->loading);
    answer(fake, REDIS_OK, "");
    assert_string_equal(fake->loading.error, "");
}

static void replica_of_a_cluster_needs_no_load(void **state)
{
    struct fake *fake = *state;

    fake->loading.of_cluster = true;
    answer(fake, REDIS_REFUSED, "READONLY You can't write against a read only replica.");
    assert_int_equal(fake->refused, 0);
    assert_string_equal(fake->loading.error, "");
    fake->loading.of_cluster = false;
    redis_loading_send(&fake->loading);
    answer(fake, REDIS_REFUSED, "READONLY You can't write against a read only replica.");
    assert_int_equal(fake->refused, 1);
}

static void what_missed_it_in_one_pipeline_loads_it_once(void **state)
{
    struct fake *fake = *state;
    struct redis_cmd first = {.sent_seq = 2}, second = {.sent_seq = 3};

    answer(fake, REDIS_OK, "");
    fake->seq = 3;
    assert_true(redis_loading_missed(&fake->loading, &first));
    assert_true(redis_loading_missed(&fake->loading, &second));
    assert_int_equal(fake->sent, 2);
    first.sent_seq = ++fake->seq;
    assert_true(redis_loading_missed(&fake->loading, &first));
    assert_int_equal(fake->sent, 3);
    answer(fake, REDIS_REFUSED, "NOPERM");
    assert_false(redis_loading_missed(&fake->loading, &first));
    assert_int_equal(fake->sent, 3);
}

/* What is said of a server that does not know FUNCTION, and whose INFO is this (NULL: not allowed). */
static const char *refusal(struct fake *fake, char *info)
{
    struct redisReply reply = {
        .type = REDIS_REPLY_STRING, .str = info, .len = info != NULL ? strlen(info) : 0};

    if (fake->out == NULL)
        redis_loading_send(&fake->loading);
    answer(fake, REDIS_REFUSED, "ERR unknown command `FUNCTION`, with args beginning with: `LOAD`, ");
    assert_true(fake->loading.unknown);
    fake->for_good = false;
    if (info != NULL)
        answer_with(fake, REDIS_OK, &reply, "");
    else
        answer(fake, REDIS_REFUSED, "NOPERM");
    assert_true(fake->for_good);
    return fake->loading.error;
}

static void server_without_functions_is_refused_by_its_name(void **state)
{
    char six[] = "# Server\r\nredis_version:6.0.16\r\nredis_git_sha1:00000000\r\n";
    char cut[] = "# Server\r\nredis_version:5.0.14", seven[] = "redis_version:7.0.15\r\n";
    char ten[] = "redis_version:10.0.1\r\n", nothing[] = "";
    struct fake *fake = *state;

    assert_string_equal(refusal(fake, six), "Redis 7.0 or later, or Valkey, is needed: this is 6.0.16");
    assert_string_equal(refusal(fake, cut), "Redis 7.0 or later, or Valkey, is needed: this is 5.0.14");
    assert_string_equal(refusal(fake, nothing),
                        "Redis 7.0 or later, or Valkey, is needed: this server has no functions");
    assert_string_equal(refusal(fake, NULL),
                        "Redis 7.0 or later, or Valkey, is needed: this server has no functions");
    assert_string_equal(refusal(fake, seven),
                        "this Redis 7.0.15 has its command FUNCTION taken away or renamed, it is needed");
    assert_string_equal(refusal(fake, ten),
                        "this Redis 10.0.1 has its command FUNCTION taken away or renamed, it is needed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(library_that_exists_is_as_good_as_loaded),
        TEST(refusal_is_kept_with_redis_words_until_it_is_loaded),
        TEST(replica_of_a_cluster_needs_no_load),
        TEST(what_missed_it_in_one_pipeline_loads_it_once),
        TEST(server_without_functions_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
