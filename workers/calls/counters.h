/*
 * The arithmetic of summaries: counters of all shards, added up, and what is derived from them. Pure.
 *
 * A field is "CHANNEL|what" of a campaign, "what" of a window; what is calls, waiting, retrying, attempts,
 * d:REASON, s:STATUS, r:CODE, h:HOP, ring:BUCKET, ringsum, talk:BUCKET, talksum, cost:CURRENCY (millionths).
 * Bucket b is b seconds up to 60; above, it covers (60 * 1.05^(b-61), 60 * 1.05^(b-60)] (lib/counters.lua).
 */
#ifndef IVR_CALLS_COUNTERS_H
#define IVR_CALLS_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

enum { COUNTERS_MAX_REASONS = 64, COUNTERS_BUCKETS = 512 };

struct counters;

/* `window`: the fields have no channel. */
struct counters *counters_new(bool window);
void counters_free(struct counters **counters);

/* One field of one shard's hash; both are copied. A field that is none of ours is left out. */
void counters_add(struct counters *counters, struct span field, struct span value);
/* After the last counters_add() and before anything below. */
void counters_sum(struct counters *counters);

/* Over all channels; 0 when it was never counted. */
int64_t counters_get(const struct counters *counters, const char *what);
bool counters_empty(const struct counters *counters);
/* The earliest `first` of the shards (wall ms); 0 when there is none. */
int64_t counters_first_ms(const struct counters *counters);

/* The members of a summary's JSON object that come from the counters: of a campaign calls to cost with
 * by_channel, of a window attempts to cost. */
void counters_add_json(struct buf *b, const struct counters *counters);

/* The longest that a bucket covers, in whole seconds: within 5 % above what was counted. */
int64_t counters_bucket_seconds(size_t bucket);
/* Nearest rank of `percent` in a histogram of COUNTERS_BUCKETS; -1 when it is empty. */
int64_t counters_percentile(const int64_t *histogram, int percent);

#endif
