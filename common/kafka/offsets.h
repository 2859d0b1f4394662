/*
 * What of one partition is done: the contiguous prefix may be committed. Pure, no I/O.
 *
 * Records are taken in order and finish out of order (a thousand HTTP calls are in flight). Life of an
 * offset: taken -> done; the committable offset is the one after the longest run of done offsets from the
 * start. Gaps in the log's own numbering (transactions, compaction) are no gaps here: only taken offsets
 * count. What stands at a log's end and is no record (a transaction's marker, records that were aborted) is
 * passed by offsets_end().
 */
#ifndef IVR_COMMON_OFFSETS_H
#define IVR_COMMON_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offsets; /* one a partition and assignment */

struct offsets *offsets_new(void);
void offsets_free(struct offsets **offsets);

/* `offset` must be larger than every one taken before (asserted). */
void offsets_take(struct offsets *o, int64_t offset);
/* Each taken offset exactly once (asserted). */
void offsets_done(struct offsets *o, int64_t offset);
/* The log has no record below `offset` but those that were taken. */
void offsets_end(struct offsets *o, int64_t offset);
/* Taken and not done. */
size_t offsets_pending(const struct offsets *o);
/* The next offset to commit: the one after the last done of the prefix, or the end where all before it is
 * done; -1 when nothing was done yet. */
int64_t offsets_commit(const struct offsets *o);

#endif
