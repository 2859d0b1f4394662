#include "common/redis/redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/redis/redis_answer.h"
#include "common/redis/redis_reply.h"
#include "common/redis/redis_slot.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum {
    TICK_MS = 50,
    LOOK_MS = 2000,         /* how often the map is asked for */
    LOOK_SOON_MS = 500,     /* the same while something is missing */
    LOOK_AFTER_MS = 50,     /* after a redirection: many come at once */
    KEEP_UNUSED_MS = 30000, /* a node without slots that ASK led to */
    REDIRECTS_MAX = 5,
    LATE_MS = 3000, /* a WAIT before it may take 1 s */
};

struct node {
    struct node *next;
    struct redis_cluster *cluster;
    struct redis_address address;
    struct redis_conn *conn;
    bool primary;             /* the map gives it slots */
    int64_t map_sent_mono_ms; /* when it was last asked for the map */
    int64_t used_mono_ms;     /* when it was last made or led to */
};

struct redis_cluster {
    struct redis_conn_options options;
    struct node *nodes;
    struct node *slots[REDIS_SLOTS]; /* NULL: nobody's */
    struct fifo refused;             /* for slots that are nobody's */
    struct loop_timer *tick;
    unsigned turn; /* which node is asked next */
    int64_t look_mono_ms;
    bool known;  /* there was a map once */
    bool failed; /* its nodes say CLUSTERDOWN */
    bool up;
    char error[300]; /* why there is no map */
};

/* ---- nodes ---- */

static void on_state(bool up, void *arg);
static bool on_redirect(struct redis_cmd *cmd, const struct redisReply *reply, void *arg);

static struct node *node_find(const struct redis_cluster *cluster, struct span host, int port)
{
    for (struct node *node = cluster->nodes; node != NULL; node = node->next) {
        if (node->address.port == port && span_is(host, node->address.host))
            return node;
    }
    return NULL;
}

/* The node at that address, made if it is new. */
static struct node *node_at(struct redis_cluster *cluster, struct span host, int port)
{
    struct node *node = node_find(cluster, host, port);

    if (node == NULL) {
        node = mem_calloc(1, sizeof(*node));
        node->cluster = cluster;
        redis_address_server(&node->address, cluster->options.address, host, port);
        node->conn = redis_conn_new(&(struct redis_conn_options){.loop = cluster->options.loop,
                                                                 .address = &node->address,
                                                                 .library = cluster->options.library,
                                                                 .kind = CONN_NODE,
                                                                 .replicas = cluster->options.replicas,
                                                                 .timeout_ms = cluster->options.timeout_ms,
                                                                 .proof = cluster->options.proof,
                                                                 .state = on_state,
                                                                 .redirect = on_redirect,
                                                                 .arg = node});
        node->next = cluster->nodes;
        cluster->nodes = node;
    }
    node->used_mono_ms = loop_mono_ms(cluster->options.loop);
    return node;
}

static void node_free(struct node *node)
{
    redis_conn_free(&node->conn);
    redis_address_done(&node->address);
    free(node);
}

static void add_seeds(struct redis_cluster *cluster)
{
    const struct redis_address *address = cluster->options.address;

    for (size_t i = 0; i < address->seeds_n; i++)
        node_at(cluster, span_str(address->seeds[i].host), address->seeds[i].port);
}

static bool node_is_spare(const struct node *node, int64_t now)
{
    return !node->primary && node->cluster->known && redis_conn_pending(node->conn) == 0 &&
           (redis_conn_down(node->conn) || now - node->used_mono_ms > KEEP_UNUSED_MS);
}

/* Replicas, and nodes that left. Not from inside hiredis. */
static void close_spare(struct redis_cluster *cluster)
{
    int64_t now = loop_mono_ms(cluster->options.loop);

    for (struct node **link = &cluster->nodes; *link != NULL;) {
        struct node *node = *link;
        if (!node_is_spare(node, now)) {
            link = &node->next;
            continue;
        }
        *link = node->next;
        node_free(node);
    }
}

/* ---- up or not ---- */

static bool whole(const struct redis_cluster *cluster)
{
    const struct node *last = NULL;

    for (int slot = 0; slot < REDIS_SLOTS; slot++) {
        const struct node *node = cluster->slots[slot];
        if (node == NULL || (node != last && !redis_conn_takes(node->conn)))
            return false;
        last = node;
    }
    return true;
}

static void look_within(struct redis_cluster *cluster, int64_t ms)
{
    int64_t then = loop_mono_ms(cluster->options.loop) + ms;

    if (cluster->look_mono_ms > then)
        cluster->look_mono_ms = then;
}

static void report_state(struct redis_cluster *cluster)
{
    bool up = !cluster->failed && whole(cluster);

    if (!up)
        look_within(cluster, LOOK_SOON_MS);
    if (up == cluster->up)
        return;
    cluster->up = up;
    if (up)
        LOG_INFO("the Redis Cluster is whole", LOG_STR("address", cluster->options.address->shown));
    else
        LOG_WARN("the Redis Cluster is not whole, or a part of it refuses",
                 LOG_STR("address", cluster->options.address->shown));
    cluster->options.state(up, cluster->options.arg);
}

static void on_state(bool up, void *arg)
{
    struct node *node = arg;

    if (up && !node->cluster->known)
        look_within(node->cluster, 0);
    report_state(node->cluster);
}

/* ---- the map ---- */

/* A node with a slot counts as a primary, whoever said so: as a spare one it would be closed while the slot
 * still leads to it. */
static void give_slot(struct redis_cluster *cluster, int64_t slot, struct node *node)
{
    cluster->slots[slot] = node;
    node->primary = true;
}

/* [first slot, last slot, [host, port, id, ...], replicas...]; no host: that of the node that was asked. */
static void take_range(struct redis_cluster *cluster, const void *range, struct span default_host)
{
    const void *primary = redis_reply_at(range, 2);
    struct span host = SPAN_NONE;
    int64_t first = -1, last = -1, port = 0;

    redis_reply_span(redis_reply_at(primary, 0), &host);
    if (!redis_reply_int(redis_reply_at(range, 0), &first) ||
        !redis_reply_int(redis_reply_at(range, 1), &last) ||
        !redis_reply_int(redis_reply_at(primary, 1), &port) || first < 0 || last >= REDIS_SLOTS || port <= 0)
        return;
    struct node *node = node_at(cluster, host.n > 0 && !span_is(host, "?") ? host : default_host, (int)port);
    for (int64_t slot = first; slot <= last; slot++)
        give_slot(cluster, slot, node);
}

/* Each node proves with a key of a slot that it has. */
static void share_proofs(struct redis_cluster *cluster)
{
    const struct redis_proof *proof = cluster->options.proof;

    for (struct node *node = cluster->nodes; node != NULL; node = node->next) {
        size_t i = 0, n = proof != NULL ? proof->n : 0;
        while (i < n && cluster->slots[redis_slot_of(proof->keys[i])] != node)
            i++;
        redis_conn_prove(node->conn, i < n ? proof->keys[i] : SPAN_NONE);
    }
}

static void on_slots(const struct redis_result *result, void *arg)
{
    struct node *from = arg;
    struct redis_cluster *cluster = from->cluster;

    if (result->status != REDIS_OK || redis_reply_len(result->reply) < 0) {
        snprintf(cluster->error, sizeof(cluster->error), "%s: %s", from->address.shown, result->error);
        look_within(cluster, LOOK_SOON_MS);
        return;
    }
    /* A node that was stopped tells of the time before. */
    if (loop_mono_ms(cluster->options.loop) - from->map_sent_mono_ms > LATE_MS ||
        redis_reply_len(result->reply) > REDIS_SLOTS)
        return;
    for (struct node *node = cluster->nodes; node != NULL; node = node->next)
        node->primary = false;
    memset(cluster->slots, 0, sizeof(cluster->slots));
    for (long i = 0; i < redis_reply_len(result->reply); i++)
        take_range(cluster, redis_reply_at(result->reply, (size_t)i), span_str(from->address.host));
    cluster->known = true;
    cluster->error[0] = 0;
    share_proofs(cluster);
    report_state(cluster);
}

static void on_info(const struct redis_result *result, void *arg)
{
    struct redis_cluster *cluster = arg;
    struct span text;

    if (result->status != REDIS_OK || !redis_reply_span(result->reply, &text))
        return; /* a user without the right to ask */
    cluster->failed = memmem(text.p, text.n, "cluster_state:ok", 16) == NULL;
    report_state(cluster);
}

static struct node *any_node(const struct redis_cluster *cluster, unsigned nth)
{
    struct node *node, *found = NULL;
    unsigned n = 0;

    for (node = cluster->nodes; node != NULL; node = node->next)
        n += redis_conn_up(node->conn);
    if (n == 0)
        return NULL;
    nth %= n;
    for (node = cluster->nodes; node != NULL && found == NULL; node = node->next) {
        if (redis_conn_up(node->conn) && nth-- == 0)
            found = node;
    }
    return found;
}

static void look(struct redis_cluster *cluster)
{
    struct node *node = any_node(cluster, cluster->turn++);

    cluster->look_mono_ms = loop_mono_ms(cluster->options.loop) + (cluster->up ? LOOK_MS : LOOK_SOON_MS);
    if (node == NULL) {
        add_seeds(cluster);
        return;
    }
    node->map_sent_mono_ms = loop_mono_ms(cluster->options.loop);
    redis_conn_ask(node->conn, redis_cmd_plain((const struct span[]){SPAN_LIT("CLUSTER"), SPAN_LIT("SLOTS")},
                                               2, on_slots, node));
    redis_conn_ask(node->conn, redis_cmd_plain((const struct span[]){SPAN_LIT("CLUSTER"), SPAN_LIT("INFO")},
                                               2, on_info, cluster));
}

static void on_tick(void *arg)
{
    struct redis_cluster *cluster = arg;

    if (loop_mono_ms(cluster->options.loop) >= cluster->look_mono_ms)
        look(cluster);
    close_spare(cluster);
}

/* ---- redirections ---- */

/* The node that the error names; NULL when it cannot be read. */
static struct node *node_named(struct redis_cluster *cluster, const struct node *from, const char *error,
                               int *slot)
{
    struct span host;
    int port;

    if (!redis_redirect_parse(error, slot, &host, &port))
        return NULL;
    return node_at(cluster, host.n > 0 ? host : span_str(from->address.host), port);
}

static bool redirect_to(struct redis_cmd *cmd, struct node *node)
{
    if (node == NULL || cmd->redirects >= REDIRECTS_MAX || !redis_conn_up(node->conn))
        return false;
    cmd->redirects++;
    redis_conn_queue(node->conn, cmd);
    return true;
}

static void count_redirect(enum redis_error error)
{
    static const char *const kinds[] = {"moved", "ask", "tryagain", "clusterdown"};

    metric_count(M_REDIS_REDIRECTS, kinds[error - ERROR_MOVED], NULL);
}

/* From inside hiredis. What is not taken over here is answered with REDIS_REFUSED: asked again later. */
static bool on_redirect(struct redis_cmd *cmd, const struct redisReply *reply, void *arg)
{
    struct node *from = arg;
    struct redis_cluster *cluster = from->cluster;
    enum redis_error error = redis_error_of(reply);
    int slot = -1;

    count_redirect(error);
    cmd->asking = false;
    if (error == ERROR_MOVED) {
        struct node *node = node_named(cluster, from, reply->str, &slot);
        look_within(cluster, LOOK_AFTER_MS);
        if (node != NULL && node != from)
            give_slot(cluster, slot, node);
        return redirect_to(cmd, node);
    }
    if (error == ERROR_ASK && cmd->script == NULL) {
        cmd->asking = redirect_to(cmd, node_named(cluster, from, reply->str, &slot));
        return cmd->asking;
    }
    if (error == ERROR_CLUSTERDOWN) {
        cluster->failed = true;
        report_state(cluster);
    }
    return false;
}

/* ---- the outside ---- */

struct redis_cluster *redis_cluster_new(const struct redis_conn_options *options)
{
    struct redis_cluster *cluster = mem_calloc(1, sizeof(*cluster));

    cluster->options = *options;
    snprintf(cluster->error, sizeof(cluster->error), "connecting");
    add_seeds(cluster);
    cluster->look_mono_ms = loop_mono_ms(options->loop) + LOOK_SOON_MS;
    cluster->tick = loop_timer_start(options->loop, TICK_MS, TICK_MS, on_tick, cluster);
    return cluster;
}

void redis_cluster_free(struct redis_cluster **pointer)
{
    struct redis_cluster *cluster = *pointer;

    if (cluster == NULL)
        return;
    loop_timer_stop(&cluster->tick);
    while (cluster->nodes != NULL) {
        struct node *node = cluster->nodes;
        cluster->nodes = node->next;
        memset(cluster->slots, 0, sizeof(cluster->slots));
        node_free(node);
    }
    while (cluster->refused.n > 0)
        redis_answer_all_failed(&cluster->refused, REDIS_REFUSED, "not connected: shutting down");
    free(cluster);
    *pointer = NULL;
}

void redis_cluster_queue(struct redis_cluster *cluster, struct redis_cmd *cmd)
{
    struct node *node = cmd->slot >= 0 ? cluster->slots[cmd->slot] : any_node(cluster, 0);

    if (node != NULL)
        redis_conn_queue(node->conn, cmd);
    else
        fifo_add(&cluster->refused, &cmd->link);
}

size_t redis_cluster_servers(const struct redis_cluster *cluster)
{
    size_t n = 0;

    for (const struct node *node = cluster->nodes; node != NULL; node = node->next)
        n += node->primary;
    return n;
}

void redis_cluster_queue_to(struct redis_cluster *cluster, size_t server, struct redis_cmd *cmd)
{
    for (struct node *node = cluster->nodes; node != NULL; node = node->next) {
        if (!node->primary || server-- > 0)
            continue;
        redis_conn_queue(node->conn, cmd);
        return;
    }
    fifo_add(&cluster->refused, &cmd->link);
}

bool redis_cluster_flush(struct redis_cluster *cluster)
{
    bool answered = cluster->refused.n > 0;

    redis_answer_all_failed(&cluster->refused, REDIS_REFUSED,
                            "not connected: no primary of the Redis Cluster is known for the slot");
    for (struct node *node = cluster->nodes; node != NULL; node = node->next)
        answered = redis_conn_flush(node->conn) || answered;
    return answered;
}

bool redis_cluster_up(const struct redis_cluster *cluster)
{
    return cluster->up;
}

bool redis_cluster_refuses(const struct redis_cluster *cluster, struct buf *why)
{
    for (const struct node *node = cluster->nodes; node != NULL; node = node->next)
        if (node->primary && redis_conn_refuses(node->conn, why))
            return true;
    if (cluster->failed)
        buf_adds(why, "CLUSTERDOWN, says the Redis Cluster");
    return cluster->failed;
}

size_t redis_cluster_pending(const struct redis_cluster *cluster)
{
    size_t n = cluster->refused.n;

    for (struct node *node = cluster->nodes; node != NULL; node = node->next)
        n += redis_conn_pending(node->conn);
    return n;
}

/* ---- readiness ---- */

/* "slots 0-99" or "slots 0-99 and 3 more ranges" of a node's (NULL: nobody's); false when it has none. */
static bool add_ranges(const struct redis_cluster *cluster, const struct node *node, struct buf *out)
{
    int ranges = 0, last;

    for (int first = 0; first < REDIS_SLOTS; first = last + 1) {
        for (last = first; last + 1 < REDIS_SLOTS && cluster->slots[last + 1] == cluster->slots[first];)
            last++;
        if (cluster->slots[first] == node && ranges++ == 0)
            buf_addf(out, "slots %d-%d", first, last);
    }
    if (ranges > 1)
        buf_addf(out, " and %d more ranges", ranges - 1);
    return ranges > 0;
}

static bool node_ready(const struct redis_cluster *cluster, const struct node *node,
                       enum redis_ready_for whom, struct buf *why)
{
    struct buf cause, ranges;
    bool ready;

    buf_init(&cause, 1000);
    buf_init(&ranges, 200);
    ready = node != NULL && redis_conn_ready(node->conn, whom, &cause);
    if (!ready && !add_ranges(cluster, node, &ranges))
        ready = true; /* nothing depends on it */
    if (!ready && node == NULL)
        buf_addf(why, "%s%s: no primary", why->n > 0 ? "; " : "", ranges.p);
    else if (!ready)
        buf_addf(why, "%s%s at %s: %s", why->n > 0 ? "; " : "", ranges.p, node->address.shown, cause.p);
    buf_done(&ranges);
    buf_done(&cause);
    return ready;
}

static bool slots_ready(const struct redis_cluster *cluster, enum redis_ready_for whom, struct buf *why)
{
    bool ready = node_ready(cluster, NULL, whom, why);

    for (const struct node *node = cluster->nodes; node != NULL; node = node->next) {
        if (node->primary)
            ready = node_ready(cluster, node, whom, why) && ready;
    }
    return ready;
}

static void add_seeds_error(const struct redis_cluster *cluster, struct buf *why)
{
    buf_addf(why, "%s: ", cluster->options.address->shown);
    if (cluster->error[0] != 0 && any_node(cluster, 0) != NULL) {
        buf_adds(why, cluster->error);
        return;
    }
    for (const struct node *node = cluster->nodes; node != NULL; node = node->next) {
        redis_conn_ready(node->conn, REDIS_FOR_PEOPLE, why);
        buf_adds(why, node->next != NULL ? "; " : "");
    }
}

bool redis_cluster_ready(const struct redis_cluster *cluster, enum redis_ready_for whom, struct buf *why)
{
    if (!cluster->known) {
        add_seeds_error(cluster, why);
        return false;
    }
    if (!slots_ready(cluster, whom, why))
        return false;
    if (cluster->failed)
        buf_adds(why, "the Redis Cluster says CLUSTERDOWN");
    return !cluster->failed;
}
