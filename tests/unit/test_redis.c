/* common/redis against real servers that the tests start themselves. */
#include "tests/unit/redis_client.h"

/* ---- the promises ---- */

static void pipelined_scripts_are_answered_in_order(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 1000);
    assert_int_equal(redis_pending(client.redis), 1000);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1000);
    assert_int_equal(client.last, 1000);
    assert_int_equal(client.misordered, 0);
    client_close(&client);
}

static void ten_thousand_commands_of_one_turn_are_all_answered(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = {"long", "test_long", true, false};
    char text[501];

    memset(text, 'x', sizeof(text));
    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, &(struct span){text, sizeof(text)}, 1, 10000);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 10000);
    assert_int_equal(client.last, 10000);
    assert_int_equal(client.misordered, 0);
    client_close(&client);
}

struct echo {
    struct span sent;
    bool same;
};

static void on_echo(const struct redis_result *result, void *arg)
{
    struct echo *echo = arg;
    struct span got;

    assert_int_equal(redis_reply_len(result->reply), 3);
    assert_true(redis_reply_span(redis_reply_at(result->reply, 0), &got));
    echo->same = span_eq(got, echo->sent);
    assert_true(redis_reply_nil(redis_reply_at(result->reply, 1)));
    assert_null(redis_reply_at(result->reply, 3));
    assert_false(redis_reply_span(redis_reply_at(result->reply, 2), &got));
}

static void arguments_and_replies_are_binary_safe(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = {"echo", "test_echo", false, false};
    struct span args[] = {SPAN_LIT("a\0\r\n$3\xff"), SPAN_NONE};
    struct echo echo = {SPAN_LIT("a\0\r\n$3\xff"), false};

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_eval(client.redis, &s, SPAN_LIT("k"), args, 2, on_echo, &echo);
    run_until(&client, all_answered);
    assert_true(echo.same);
    client_close(&client);
}

static void forgotten_functions_are_loaded_again_unnoticed(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 10);
    command(&client, "FUNCTION", "FLUSH", NULL);
    eval_n(&client, &s, one_arg, 1, 100);
    command(&client, "FUNCTION", "FLUSH", NULL);
    eval_n(&client, &s, one_arg, 1, 100);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 212);
    assert_int_equal(client.answered, 212);
    assert_int_equal(client.last, 210);
    client_close(&client);
}

/* ---- our functions ---- */

struct counter {
    const char *name; /* "cmdstat_function|load:calls=" */
    int64_t value;
};

static void on_stats(const struct redis_result *result, void *arg)
{
    struct counter *counter = arg;
    struct span text = SPAN_NONE;
    const char *at;

    assert_true(redis_reply_span(result->reply, &text));
    at = memmem(text.p, text.n, counter->name, strlen(counter->name));
    counter->value = at != NULL ? strtoll(at + strlen(counter->name), NULL, 10) : 0;
}

static int64_t calls_of(struct client *client, const char *name)
{
    struct counter counter = {name, 0};

    redis_command(client->redis, (struct span[]){SPAN_LIT("INFO"), SPAN_LIT("all")}, 2, -1, on_stats,
                  &counter);
    run_until(client, all_answered);
    return counter.value;
}

static void what_a_pipeline_misses_is_loaded_once_and_called_once(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    int64_t loads = calls_of(&client, "cmdstat_function|load:calls=");
    command(&client, "FUNCTION", "FLUSH", NULL);
    eval_n(&client, &s, one_arg, 1, 1000);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1001);
    assert_int_equal(client.last, 1000);
    assert_int_equal(calls_of(&client, "cmdstat_function|load:calls="), loads + 1);
    assert_int_equal(calls_of(&client, "cmdstat_incrby:calls="), 1000);
    client_close(&client);
}

static void libraries_of_two_versions_stand_side_by_side(void **state)
{
    struct server *server = *state;
    struct client old, new;
    struct redis_library other = {"other",
                                  "#!lua name=other\nredis.register_function('other_count', function(k, a) "
                                  "return redis.call('incrby', k[1], 1000) end)",
                                  0};
    struct redis_script s = counting(), s_other = {"count", "other_count", true, false};

    other.len = strlen(other.text);
    client_open_with(&old, server->url, NULL, 0, &other);
    run_until(&old, is_up);
    client_open(&new, server->url, NULL, 0);
    run_until(&new, is_up);
    for (int i = 0; i < 3; i++) {
        eval_n(&old, &s_other, one_arg, 1, 1);
        run_until(&old, all_answered);
        eval_n(&new, &s, one_arg, 1, 1);
        run_until(&new, all_answered);
    }
    assert_int_equal(old.ok, 3);
    assert_int_equal(new.ok, 3);
    assert_int_equal(new.last, 3003);
    assert_int_equal(calls_of(&new, "cmdstat_function|load:calls="), 2);
    client_close(&old);
    client_close(&new);
}

static void set_user(struct client *admin, const char *rule)
{
    redis_command(admin->redis,
                  (struct span[]){SPAN_LIT("ACL"), SPAN_LIT("SETUSER"), SPAN_LIT("w"), SPAN_LIT("on"),
                                  SPAN_LIT(">p"), SPAN_LIT("~*"), SPAN_LIT("+@all"), span_str(rule)},
                  8, -1, on_answer, admin);
    run_until(admin, all_answered);
}

static void library_that_may_not_be_loaded_is_named_until_it_may(void **state)
{
    struct server *server = *state;
    struct client admin, client;
    struct redis_script s = counting();
    char url[200];

    client_open(&admin, server->url, NULL, 0);
    run_until(&admin, is_up);
    command(&admin, "FUNCTION", "FLUSH", NULL);
    set_user(&admin, "-function");
    snprintf(url, sizeof(url), "unix://w:p@%s", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_up);
    assert_false(is_ready(&client));
    assert_non_null(strstr(client.error, "our functions cannot be loaded: NOPERM"));
    eval_n(&client, &s, one_arg, 1, 10);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 10);
    assert_non_null(strstr(client.error, "NOPERM"));
    set_user(&admin, "+function");
    run_until(&client, is_ready);
    eval_n(&client, &s, one_arg, 1, 10);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 10);
    assert_int_equal(client.last, 10);
    assert_int_equal(client.downs, 0);
    client_close(&client);
    client_close(&admin);
}

static bool function_taken_away(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "has its command FUNCTION taken away") != NULL;
}

static void server_without_functions_is_refused(void **state)
{
    struct server *server = *state;
    struct client client;

    server_kill(server);
    server_configure(server, "rename-command FUNCTION \"\"");
    server_start(server);
    client_open(&client, server->url, NULL, 0);
    run_until(&client, function_taken_away);
    assert_false(redis_up(client.redis));
    client_close(&client);
}

static void error_reply_is_refused_with_redis_words(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = {"refuse", "test_refuse", false, false};

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, &(struct span){"OOM command not allowed", 23}, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 1);
    assert_string_equal(client.error, "OOM command not allowed");
    eval_n(&client, &s, &(struct span){"LOADING the dataset", 19}, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 2);
    assert_string_equal(client.error, "LOADING the dataset");
    command(&client, "NOSUCH", NULL, NULL);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 3);
    assert_true(redis_up(client.redis));
    client_close(&client);
}

static void full_redis_refuses_and_keeps_the_connection(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("maxmemory"), SPAN_LIT("1")},
                  4, -1, on_answer, &client);
    eval_n(&client, &s, one_arg, 1, 5);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 5);
    assert_memory_equal(client.error, "OOM ", 4);
    assert_int_equal(client.downs, 0);
    client_close(&client);
}

static void stalled_server_condemns_the_connection(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();
    int64_t start;

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    kill(server->pid, SIGSTOP);
    eval_n(&client, &s, one_arg, 1, 5000);
    start = clock_mono_ms();
    run_until(&client, all_answered);
    assert_int_equal(client.lost, 5000);
    assert_in_range(clock_mono_ms() - start, 400, 2000);
    assert_int_equal(client.downs, 1);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 1);
    kill(server->pid, SIGCONT);
    run_until(&client, is_up);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    client_close(&client);
}

static bool some_answered(struct client *client)
{
    return client->answered > 0;
}

static void server_killed_in_mid_pipeline_loses_each_command_once(void **state)
{
    struct server *server = *state;
    struct client client;
    /* Slow enough that the kill comes between the first reply and the last. */
    struct redis_script s = {"slow", "test_slow", false, false};

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    eval_n(&client, &s, NULL, 0, 500);
    run_until(&client, some_answered);
    server_kill(server);
    run_until(&client, all_answered);
    assert_int_equal(client.answered, 500);
    assert_int_equal(client.ok + client.lost, 500);
    assert_true(client.lost > 0);
    run_until(&client, is_down);
    server_start(server);
    run_until(&client, is_up);
    assert_int_equal(client.ups, 2);
    assert_int_equal(client.downs, 1);
    client_close(&client);
}

static void without_connection_the_answer_is_refused(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    server_kill(server);
    client_open(&client, server->url, NULL, 0);
    eval_n(&client, &s, one_arg, 1, 3);
    assert_int_equal(client.answered, 0);
    run_until(&client, all_answered);
    assert_int_equal(client.refused, 3);
    assert_non_null(strstr(client.error, "not connected"));
    assert_false(is_ready(&client));
    server_start(server);
    run_until(&client, is_up);
    client_close(&client);
}

static bool refused_address(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "refused") != NULL;
}

static void refused_address_is_named_and_tried_again(void **state)
{
    struct client client;
    (void)state;

    /* The discard port: nothing listens there. */
    client_open(&client, "redis://localhost:9/0", NULL, 0);
    run_until(&client, refused_address);
    assert_non_null(strstr(client.error, "localhost:9"));
    client_close(&client);
}

static bool wrong_password(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "WRONGPASS") != NULL;
}

static void wrong_password_is_said_and_right_one_works(void **state)
{
    struct server *server = *state;
    struct client client;
    char url[200];

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("ACL"), SPAN_LIT("SETUSER"), SPAN_LIT("wo:rker"), SPAN_LIT("on"),
                                  SPAN_LIT(">s@cret"), SPAN_LIT("~*"), SPAN_LIT("+@all")},
                  7, -1, on_answer, &client);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    client_close(&client);

    snprintf(url, sizeof(url), "unix://wo%%3Arker:nope@%s?db=3", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, wrong_password);
    assert_null(strstr(client.error, "nope"));
    client_close(&client);
    client_open(&client, url, "s@cret", 0);
    run_until(&client, is_up);
    command(&client, "CLIENT", "INFO", NULL);
    run_until(&client, all_answered);
    client_close(&client);
    snprintf(url, sizeof(url), "unix://wo%%3Arker:s%%40cret@%s?db=3", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_up);
    client_close(&client);
}

static void server_that_denies_config_and_role_is_taken_as_it_is(void **state)
{
    struct server *server = *state;
    struct client client;
    char url[200];

    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("ACL"), SPAN_LIT("SETUSER"), SPAN_LIT("w"), SPAN_LIT("on"),
                                  SPAN_LIT(">p"), SPAN_LIT("~*"), SPAN_LIT("+@all"), SPAN_LIT("-config"),
                                  SPAN_LIT("-role")},
                  9, -1, on_answer, &client);
    run_until(&client, all_answered);
    client_close(&client);
    snprintf(url, sizeof(url), "unix://w:p@%s", server->socket);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_ready);
    client_close(&client);
}

static void evicting_redis_is_not_ready_until_that_is_mended(void **state)
{
    struct server *server = *state;
    struct client client;

    server_kill(server);
    snprintf(server->policy, sizeof(server->policy), "allkeys-lru");
    server_start(server);
    client_open(&client, server->url, NULL, 0);
    run_until(&client, is_up);
    assert_false(is_ready(&client));
    assert_non_null(strstr(client.error, "allkeys-lru"));
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("maxmemory-policy"),
                                  SPAN_LIT("noeviction")},
                  4, -1, NULL, NULL);
    run_until(&client, is_ready);
    client_close(&client);
}

static void freeing_answers_what_is_pending(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();

    client_open(&client, server->url, NULL, 0);
    eval_n(&client, &s, one_arg, 1, 2);
    run_until(&client, is_up);
    assert_int_equal(client.refused, 2);
    eval_n(&client, &s, one_arg, 1, 7);
    client_close(&client);
    assert_int_equal(client.lost, 7);
    assert_int_equal(client.downs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(pipelined_scripts_are_answered_in_order),
        WITH_SERVER(ten_thousand_commands_of_one_turn_are_all_answered),
        WITH_SERVER(arguments_and_replies_are_binary_safe),
        WITH_SERVER(forgotten_functions_are_loaded_again_unnoticed),
        WITH_SERVER(what_a_pipeline_misses_is_loaded_once_and_called_once),
        WITH_SERVER(libraries_of_two_versions_stand_side_by_side),
        WITH_SERVER(library_that_may_not_be_loaded_is_named_until_it_may),
        WITH_SERVER(server_without_functions_is_refused),
        WITH_SERVER(error_reply_is_refused_with_redis_words),
        WITH_SERVER(full_redis_refuses_and_keeps_the_connection),
        WITH_SERVER(stalled_server_condemns_the_connection),
        WITH_SERVER(server_killed_in_mid_pipeline_loses_each_command_once),
        WITH_SERVER(without_connection_the_answer_is_refused),
        cmocka_unit_test(refused_address_is_named_and_tried_again),
        WITH_SERVER(wrong_password_is_said_and_right_one_works),
        WITH_SERVER(server_that_denies_config_and_role_is_taken_as_it_is),
        WITH_SERVER(evicting_redis_is_not_ready_until_that_is_mended),
        WITH_SERVER(freeing_answers_what_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
