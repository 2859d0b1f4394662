/* common/redis/redis_cluster.c where a real cluster cannot be brought to on purpose: tests/integration has
 * the rest. */
#include "common/redis/redis_slot.h"
#include "tests/unit/redis_client.h"

enum { ALL_SLOTS = 16384 };

/* A node with the cluster's bus on the port 10000 above. */
static void node_start(struct server *node, int port)
{
    char text[16];

    server_init(node);
    snprintf(text, sizeof(text), "%d", port);
    server_extra(node, "--cluster-enabled", "yes");
    server_extra(node, "--port", text);
    server_extra(node, "--cluster-node-timeout", "60000");
    server_start(node);
}

/* ---- what an operator types ---- */

static void on_text(const struct redis_result *result, void *arg)
{
    char *text = arg;
    struct span span = SPAN_NONE;

    text[0] = 0;
    if (result->status == REDIS_OK && redis_reply_span(result->reply, &span))
        snprintf(text, 4096, "%.*s", SPAN_ARG(span));
}

static void ask(struct client *admin, char *text, const char *words)
{
    char copy[128], *rest = copy;
    struct span argv[8];
    size_t n = 0;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word; n < 8 && (word = strsep(&rest, " ")) != NULL;)
        argv[n++] = span_str(word);
    redis_command(admin->redis, argv, n, -1, on_text, text);
    run_until(admin, all_answered);
}

static void wait_for(struct client *admin, const char *words, const char *said)
{
    char text[4096] = "";
    int64_t deadline = clock_mono_ms() + 20000;

    while (strstr(text, said) == NULL) {
        assert_true(clock_mono_ms() < deadline);
        ask(admin, text, words);
        usleep(20000);
    }
}

/* ---- the promise ---- */

static struct redis_script count; /* must outlive its commands */

static bool a_while_has_passed(struct client *client)
{
    eval_n(client, &count, one_arg, 1, 1);
    return clock_mono_ms() > client->deadline_mono_ms - 19000;
}

/* MOVED leads to a node that no map has named and that is gone: until the next map the slot's commands are
 * refused. */
static void redirection_to_a_dead_unknown_node_is_survived(void **state)
{
    struct server a, b;
    struct client client, to_a, to_b;
    char text[4096], id_a[64], id_b[64], words[128], url[64];
    int port_a = free_port(), port_b = free_port();
    (void)state;

    count = counting();
    node_start(&a, port_a);
    node_start(&b, port_b);
    client_open(&to_a, a.url, NULL, 0);
    client_open(&to_b, b.url, NULL, 0);
    run_until(&to_a, is_up);
    run_until(&to_b, is_up);
    ask(&to_a, id_a, "CLUSTER MYID");
    ask(&to_b, id_b, "CLUSTER MYID");
    snprintf(words, sizeof(words), "CLUSTER ADDSLOTSRANGE 0 %d", ALL_SLOTS - 1);
    ask(&to_a, text, words);
    snprintf(words, sizeof(words), "CLUSTER MEET 127.0.0.1 %d", port_b);
    ask(&to_a, text, words);
    wait_for(&to_a, "CLUSTER INFO", "cluster_known_nodes:2");
    wait_for(&to_a, "CLUSTER INFO", "cluster_state:ok");
    wait_for(&to_a, "CLUSTER NODES", id_b);
    client_close(&to_b);
    server_kill(&b);

    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d", port_a);
    client_open(&client, url, NULL, 0);
    run_until(&client, is_up);
    snprintf(words, sizeof(words), "CLUSTER SETSLOT %d NODE %s", redis_slot_of(SPAN_LIT("{t}:k")), id_b);
    ask(&to_a, text, words);
    assert_string_equal(text, "OK");
    run_until(&client, a_while_has_passed);
    run_until(&client, all_answered);
    assert_true(client.refused > 100);
    assert_int_equal(client.lost, 0);

    snprintf(words, sizeof(words), "CLUSTER SETSLOT %d NODE %s", redis_slot_of(SPAN_LIT("{t}:k")), id_a);
    ask(&to_a, text, words);
    run_until(&client, is_up);
    int ok = client.ok;
    eval_n(&client, &count, one_arg, 1, 1);
    run_until(&client, all_answered);
    assert_int_equal(client.ok, ok + 1);
    client_close(&client);
    client_close(&to_a);
    server_done(&a);
    server_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(redirection_to_a_dead_unknown_node_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
