/*
 * What has changed and waits to be published: campaigns and windows, each at most once, by the time they are
 * due. Pure: no clock, no I/O.
 *
 *   marked ──► waiting ──(due)──► out ──published──► forgotten, or waiting again when it was marked meanwhile
 *                 ▲                └──failed──► waiting
 *
 * An entry holds the Kafka record that made it dirty, one a partition: the first since it was last read. As
 * long as that one is not done, the partition's committed offset stays before it and so before every later
 * event of the same entry, which therefore need not be held. What was held when an entry went out is done
 * once it is published; what came after is held by the next round.
 */
#ifndef IVR_REPORT_DIRTY_H
#define IVR_REPORT_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka/kafka.h"
#include "workers/calls/summary.h"

struct dirty; /* all of them */
struct dirty_entry;

/* Says that nobody holds the record any more: kafka_done(), except in tests. */
typedef void (*dirty_done_fn)(struct kafka_record *record, void *arg);

struct dirty *dirty_new(dirty_done_fn done, void *arg);
/* Forgets all; held records are left alone. */
void dirty_free(struct dirty **dirty);

/*
 * Marks it as changed. When it waits already, its time stays as it was. `due_mono_ms` is for one that does
 * not. `record` (may be NULL) is held if `hold` and none of its partition is held yet; its user[0] counts the
 * holders. The key is copied.
 */
void dirty_mark(struct dirty *dirty, const struct summary_key *key, int64_t due_mono_ms,
                struct kafka_record *record, bool hold);
/* Whether anybody holds the record. */
bool dirty_holds(const struct kafka_record *record);

/* The one that is due longest, which is then out; NULL when none is due. */
struct dirty_entry *dirty_take(struct dirty *dirty, int64_t now_mono_ms);
const struct summary_key *dirty_key(const struct dirty_entry *entry); /* until it is back */
/* It was published as it was read after dirty_take(): frees it, or it waits for its next round. */
void dirty_published(struct dirty *dirty, struct dirty_entry **entry);
/* It was not: it waits again, until `due_mono_ms` at the latest. */
void dirty_failed(struct dirty *dirty, struct dirty_entry **entry, int64_t due_mono_ms);

/* Whether anything could not be published and still waits for it, or is due for longer than `late_ms`. */
bool dirty_behind(const struct dirty *dirty, int64_t now_mono_ms, int64_t late_ms);
/* Waiting and out. */
size_t dirty_count(const struct dirty *dirty);

#endif
