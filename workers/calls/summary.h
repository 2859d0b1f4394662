/*
 * A campaign's or a window's counters, read from all shards and added up, as the value of
 * ivr.delivery-summaries.
 *
 * lib/counters.lua writes the counters: hash :n:TENANT/CAMPAIGN with fields CHANNEL|what, hash
 * :w:TENANT/CAMPAIGN|CHANNEL|MINUTE with fields what; what is calls, waiting, retrying, attempts, d:REASON,
 * s:STATUS, r:CODE, h:HOP, ring:BUCKET, ringsum, talk:BUCKET, talksum, cost:CURRENCY (millionths). Each shard
 * is read in one atomic command and adds up by itself, so the sum adds up too, in every revision.
 */
#ifndef IVR_CALLS_SUMMARY_H
#define IVR_CALLS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "workers/store/store.h"

/* What a summary is about: "campaign:tenant/campaign" or "window:tenant/campaign/channel/START". */
struct summary_key {
    bool window;
    struct span tenant, campaign, channel; /* channel: windows only */
    int64_t minute_ms;                     /* windows only */
};

/* Appends the summary's key. */
void summary_key_add(struct buf *b, const struct summary_key *key);
/* Its name in the shards, "tenant/campaign" or "tenant/campaign|channel|minute": what follows :n: and :w:,
 * and the member of :campaigns and :windows. Appends. */
void summary_key_add_name(struct buf *b, const struct summary_key *key);
/* The key behind such a name, borrowed from it; false when it is none. */
bool summary_key_of_name(struct summary_key *key, bool window, struct span name);

struct summary; /* counters, added up */

typedef void (*summary_fn)(enum store_status status, const struct summary *summary, void *arg);
/* Reads all shards. `summary` is NULL when nothing is known of it (status STORE_OK) or on an error. Borrowed
 * until the callback returns. */
void summary_read(struct store *store, const struct summary_key *key, summary_fn fn, void *arg);

bool summary_complete(const struct summary *summary);
int64_t summary_last_change_ms(const struct summary *summary);
/* The record's value. `revision` and `as_of_ms` are the publisher's; revision 0 (ivrctl, GET /v1/campaigns)
 * leaves the stored one or 0. */
void summary_add_json(struct buf *b, const struct summary_key *key, const struct summary *summary,
                      int64_t revision, int64_t as_of_ms);

/*
 * Read for publishing: reads the stored revision, then the shards, then compares and sets the revision
 * (revise.lua); reads again on a conflict (at most 10 times, then STORE_REFUSED). `revision` is valid with a
 * summary.
 */
typedef void (*summary_revised_fn)(enum store_status status, const struct summary *summary, int64_t revision,
                                   int64_t as_of_ms, void *arg);
void summary_revise(struct store *store, const struct summary_key *key, summary_revised_fn fn, void *arg);

/* Whether nobody was given a younger revision of it. Only valid with STORE_OK. */
typedef void (*summary_latest_fn)(enum store_status status, bool latest, void *arg);
void summary_is_latest(struct store *store, const struct summary_key *key, int64_t revision,
                       summary_latest_fn fn, void *arg);

#endif
