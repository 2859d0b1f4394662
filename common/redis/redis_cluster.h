/*
 * A Redis Cluster: one connection a primary, commands routed by the slot of their key.
 *
 * The map of slots is asked of any node (CLUSTER SLOTS): at the start, every 2 s, every 500 ms while
 * something is missing, and soon after each redirection. MOVED sends the command on to the node that it
 * names, at most five times. Until the map is mended a command for a slot without a connected primary is
 * REDIS_REFUSED, like one that finds CLUSTERDOWN or TRYAGAIN.
 *
 * ASK is followed by plain commands alone: they have one key. A script touches several keys of its shard, and
 * while the slot is being moved those are on both sides; so its KEYS[1], which never exists, makes the old
 * node answer ASK, and the script is REDIS_REFUSED until the move is over. At the new node it would find half
 * a shard and take calls for unknown that were dialled.
 *
 * The cluster is up while each of its slots has a primary that is connected, and its nodes say that it is.
 */
#ifndef IVR_COMMON_REDIS_CLUSTER_H
#define IVR_COMMON_REDIS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/redis/redis_conn.h"

struct redis_cluster;

/* Of the options only loop, address (REDIS_CLUSTER), library, replicas, timeout_ms, proof, state and arg are
 * looked at. */
struct redis_cluster *redis_cluster_new(const struct redis_conn_options *options);
void redis_cluster_free(struct redis_cluster **cluster);

/* Each as its namesake of redis_conn. A command without a slot goes to any node. */
void redis_cluster_queue(struct redis_cluster *cluster, struct redis_cmd *cmd);
size_t redis_cluster_servers(const struct redis_cluster *cluster);
void redis_cluster_queue_to(struct redis_cluster *cluster, size_t server, struct redis_cmd *cmd);
bool redis_cluster_flush(struct redis_cluster *cluster);
bool redis_cluster_up(const struct redis_cluster *cluster);
size_t redis_cluster_pending(const struct redis_cluster *cluster);
/* Why not: the slots without a primary, and each primary that is not fit, with its slots. */
bool redis_cluster_ready(const struct redis_cluster *cluster, enum redis_ready_for whom, struct buf *why);
bool redis_cluster_refuses(const struct redis_cluster *cluster, struct buf *why);

#endif
