/* IVR_REDIS_REPLICAS in common/redis: an answer counts when the replicas have what it says. */
#include "tests/unit/redis_client.h"

static void too_few_replicas_leave_the_whole_batch_unacked(void **state)
{
    struct server *server = *state;
    struct client client;
    struct redis_script s = counting();
    struct redis_script reads = {"read", "test_read", false, false};

    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_up);
    assert_false(is_ready(&client));
    eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 20);
    assert_non_null(strstr(client.error, "0 of 1 replicas"));
    assert_int_equal(client.downs, 0);
    eval_n(&client, &reads, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 1);
    assert_int_equal(client.last, 20);
    client_close(&client);
}

/* The master listens on TCP too, because replication cannot use a socket file. */
static void start_pair(struct server *master, struct server *replica)
{
    char port[16], address[32];
    struct client client;

    snprintf(port, sizeof(port), "%d", free_port());
    client_open(&client, master->url, NULL, 0);
    run_until(&client, is_up);
    command(&client, "PING", NULL, NULL);
    redis_command(client.redis,
                  (struct span[]){SPAN_LIT("CONFIG"), SPAN_LIT("SET"), SPAN_LIT("port"), span_str(port)}, 4,
                  -1, on_answer, &client);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 2);
    client_close(&client);
    server_init(replica);
    snprintf(address, sizeof(address), "127.0.0.1 %s", port);
    server_extra(replica, "--replicaof", address);
    server_start(replica);
}

static bool says_replica(struct client *client)
{
    return !is_ready(client) && strstr(client->error, "replica") != NULL;
}

static void results_wait_for_the_replicas(void **state)
{
    struct server *server = *state;
    struct server replica;
    struct client client;
    struct redis_script s = counting();

    start_pair(server, &replica);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_ready);
    for (int i = 0; i < 10; i++)
        eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 200);
    assert_int_equal(client.misordered, 0);

    kill(replica.pid, SIGSTOP);
    eval_n(&client, &s, one_arg, 1, 20);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 20);
    run_until(&client, is_not_ready);
    kill(replica.pid, SIGCONT);
    run_until(&client, is_ready);
    eval_n(&client, &s, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, 201);
    client_close(&client);

    client_open(&client, replica.url, NULL, 0);
    run_until(&client, says_replica);
    assert_false(redis_up(client.redis));
    client_close(&client);
    server_done(&replica);
}

/* A retry finds its work done already and writes nothing: WAIT must still cover the write of the lost
 * connection. */
static void retry_that_writes_nothing_still_waits_for_the_replicas(void **state)
{
    struct server *server = *state;
    struct server replica;
    struct client client;
    struct redis_script s = {"once", "test_once", true, false};

    start_pair(server, &replica);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_ready);
    kill(replica.pid, SIGSTOP);
    eval_n(&client, &s, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 1);
    client_close(&client);
    client_open(&client, server->url, NULL, 1);
    run_until(&client, is_up);
    eval_n(&client, &s, NULL, 0, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.unacked, 1);
    client_close(&client);
    server_done(&replica);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(too_few_replicas_leave_the_whole_batch_unacked),
        WITH_SERVER(results_wait_for_the_replicas),
        WITH_SERVER(retry_that_writes_nothing_still_waits_for_the_replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
