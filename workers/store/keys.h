/*
 * How keys of Redis are spelt: nowhere else in C (tests/rules.sh), and the same in workers/calls/lib/layout.lua
 * and admit.lua for the scripts, which build theirs from the shard's key.
 *
 * Every key begins with its shard's, "{ivr:07}", or a channel's, "{ivr:ch:NAME}": what stands between the
 * braces decides the slot of a Redis Cluster, so whatever belongs together is on one node.
 */
#ifndef IVR_STORE_KEYS_H
#define IVR_STORE_KEYS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"

enum {
    KEY_SHARD_MAX = 160,                  /* of "{PREFIX:07}" with its NUL */
    CALLS_MAX_REF = 64 + 1 + 64 + 1 + 10, /* of "tenant/call_id/claim_no" */
};

enum key {
    KEY_CALL,            /* :call:TENANT/CALL_ID                a call (lib/layout.lua) */
    KEY_OUT,             /* :out                                the outbox */
    KEY_WAITING,         /* :waiting                            how many calls wait, by channel */
    KEY_LINKED,          /* :ids:PROVIDER:ID                    references by channel: which attempt it is */
    KEY_LINKED_0_1,      /* :id:PROVIDER:ID                     the same of version 0.1, of any channel */
    KEY_COUNTERS,        /* :n:TENANT/CAMPAIGN                  a campaign's counters */
    KEY_WINDOW_COUNTERS, /* :w:TENANT/CAMPAIGN|CHANNEL|MINUTE   a window's */
    KEY_CAMPAIGNS,       /* :campaigns                          campaigns by their last change */
    KEY_WINDOWS,         /* :windows                            windows by theirs */
    KEY_REVISION,        /* :rev:SUMMARY                        a summary's last revision */
    KEY_REPORTED,        /* :reported:PARTITION                 until when all of it is published */
    KEY_DO_NOT_CALL,     /* :dnc:TENANT                         numbers that are not dialled */
    KEY_SHARDS,          /* :shards                             how many shards there are; in the first one */
    KEY_WALK,            /* :walk                               who walks over all calls; in the first one */
};

/* "{PREFIX:07}", "{PREFIX:ch:NAME}". Append. */
void key_add_shard(struct buf *b, const char *prefix, unsigned shard);
void key_add_channel(struct buf *b, const char *prefix, struct span channel);
/* A key of a shard; `name` is what stands in capitals above, SPAN_NONE where nothing does. Appends. */
void key_add(struct buf *b, struct span shard, enum key key, struct span name);
/* Where version 0.1 kept the number of shards: beside all shards. Appends. */
void key_add_shards_of_0_1(struct buf *b, const char *prefix);

/* The pattern of all calls' keys, whatever the shard: "{ivr:*}:call:*", with the prefix as it stands. `shard`
 * is any shard's key. Appends. */
void key_add_all_calls(struct buf *b, struct span shard);
/* "{ivr:07}" and "tenant/call_id" of a call's key, borrowed from it; false where it is no call's. */
bool key_read_call(struct span key, struct span *shard, struct span *id);

#endif
