/*
 * Call events into dirty campaigns and windows, and those into summaries: the heart of ivr-report.
 *
 * A campaign is published IVR_REPORT_INTERVAL after the first change since it was last read: so at most once
 * an interval, and its last change never waits longer. A window is published once its minute is over, and
 * after an interval when it changes later.
 *
 * An event's offset counts as done when a summary that was read after the event came is acknowledged by the
 * brokers (dirty.h says how few records that takes). A window whose minute is still open holds no record,
 * since that would keep offsets back for a minute: when its worker dies, whoever gains the partition
 * publishes again what changed (republish.h).
 */
#ifndef IVR_REPORT_REPORT_H
#define IVR_REPORT_REPORT_H

#include <stddef.h>

#include "common/base/err.h"
#include "workers/program/worker.h"

struct report;

int report_open(struct report **report, struct worker *worker, struct err *err);
/* Takes no more events; what they made dirty is still published. */
void report_quiesce(void *report);
/* Events that no published summary covers yet. */
size_t report_busy(void *report);
/* Closes the consumer. Answers that still come are ignored. */
void report_close(struct report *report);
/* After worker_close(). */
void report_free(struct report **report);

#endif
