/*
 * Parked callbacks whose time is over: back on the topic where their call is known by now, otherwise dead
 * letters. Each status worker goes through all shards within about 5 s; Redis offers what is overdue to one
 * asker at a time, and again if nothing came of it.
 */
#ifndef IVR_STATUS_OVERDUE_H
#define IVR_STATUS_OVERDUE_H

#include "workers/program/worker.h"

struct overdue;

struct overdue *overdue_new(struct worker *worker);
/* Asks for no more; what is on its way to Kafka goes on. */
void overdue_stop(struct overdue *overdue);
/* After worker_close(), whose last acknowledgements come here. */
void overdue_free(struct overdue **overdue);

#endif
