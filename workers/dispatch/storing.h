/*
 * The first step of a record's attempt: its request is stored in Redis, and claimed with the same script where its channel
 * takes it at once.
 */
#ifndef IVR_DISPATCH_STORING_H
#define IVR_DISPATCH_STORING_H

#include "workers/dispatch/attempt.h"

/* `record`, `request` and `channel` are set. Also once more from the record, where Redis forgot the call (a failover). */
void storing_begin(struct attempt *attempt);

#endif
