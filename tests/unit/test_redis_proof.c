/* What is proved of a Redis again and again, and what a refusal does (common/redis/redis_look.c,
 * redis_fit.c). */
#include "tests/unit/redis_client.h"

static const struct span keys[] = {{"{t}", 3}};

static struct redis_script probe(void)
{
    return (struct redis_script){"probe", "test_probe", true, false};
}

static void proving_open(struct client *client, const char *url, const struct redis_script *proof)
{
    client_open(client, url, NULL, 0);
    redis_prove(client->redis, proof, keys, 1);
}

static void config(struct client *client, const char *name, const char *value)
{
    const struct span argv[] = {SPAN_LIT("CONFIG"), SPAN_LIT("SET"), span_str(name), span_str(value)};

    redis_command(client->redis, argv, 4, -1, NULL, NULL);
}

static bool says_oom(struct client *client)
{
    return is_not_ready(client) && strstr(client->error, "OOM ") != NULL;
}

static void refusal_is_heard_before_anything_is_asked(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script proof = probe(), s = counting();

    proving_open(&client, server->url, &proof);
    run_until(&client, is_up);
    config(&client, "maxmemory", "1");
    run_until(&client, says_oom);
    assert_false(redis_up(client.redis));
    assert_int_equal(client.downs, 1);
    assert_null(strstr(client.error, "user_script"));

    eval_n(&client, &s, one_arg, 1, 3);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 3);
    assert_memory_equal(client.error, "OOM ", 4);

    config(&client, "maxmemory", "0");
    run_until(&client, is_ready);
    eval_n(&client, &s, one_arg, 1, 3);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 3);
    assert_int_equal(client.last, 3); /* what was refused was not done */
    client_close(&client);
}

static void what_reads_or_removes_is_asked_all_the_same(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script proof = probe();
    struct redis_script reads = {"reads", "test_reads", false, false};
    struct redis_script removes = {"removes", "test_removes", true, false};

    removes.removes = true;
    proving_open(&client, server->url, &proof);
    run_until(&client, is_up);
    config(&client, "maxmemory", "1");
    run_until(&client, says_oom);
    eval_n(&client, &reads, NULL, 0, 1);
    eval_n(&client, &removes, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 2);
    client_close(&client);
}

static void one_that_is_refused_from_the_start_is_never_up(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script proof = {"probe", "test_denied", true, false};
    struct buf why;

    proving_open(&client, server->url, &proof);
    run_until(&client, is_not_ready);
    while (strstr(client.error, "NOPERM") == NULL)
        run_until(&client, is_not_ready);
    assert_int_equal(client.ups, 0);
    buf_init(&why, 200);
    assert_true(redis_refuses(client.redis, &why));
    assert_non_null(strstr(why.p, "NOPERM not for you"));
    buf_done(&why);
    client_close(&client);
}

static bool says_defect(struct client *client)
{
    return is_not_ready(client) && strstr(client->error, "nonsense: ERR of mine") != NULL;
}

static void script_that_is_refused_though_the_proof_is_granted_is_heard(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script proof = probe(), s = {"nonsense", "test_nonsense", true, false};
    struct buf why;

    proving_open(&client, server->url, &proof);
    run_until(&client, is_ready);
    eval_n(&client, &s, NULL, 0, 1);
    run_until(&client, says_defect);
    assert_true(redis_up(client.redis)); /* the others go on */
    buf_init(&why, 200);
    assert_true(redis_ready(client.redis, REDIS_FOR_WORK, &why));
    buf_done(&why);
    run_until(&client, is_ready);
    client_close(&client);
}

static bool is_denied(struct client *client)
{
    struct buf why;

    buf_init(&why, 300);
    bool denied = redis_refuses(client->redis, &why) && strstr(why.p, "ERR AUTH") != NULL;
    buf_done(&why);
    return denied;
}

static void who_is_not_let_in_knows_that_trying_on_is_no_use(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script proof = probe();

    client_open(&client, server->url, "none is asked for", 0);
    redis_prove(client.redis, &proof, keys, 1);
    run_until(&client, is_denied);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(refusal_is_heard_before_anything_is_asked),
        WITH_SERVER(what_reads_or_removes_is_asked_all_the_same),
        WITH_SERVER(one_that_is_refused_from_the_start_is_never_up),
        WITH_SERVER(script_that_is_refused_though_the_proof_is_granted_is_heard),
        WITH_SERVER(who_is_not_let_in_knows_that_trying_on_is_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
