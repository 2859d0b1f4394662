/* Records that cannot become a call go to the dead letters, which ends their attempts. */
#ifndef IVR_DISPATCH_DEAD_LETTER_H
#define IVR_DISPATCH_DEAD_LETTER_H

#include "workers/dispatch/attempt.h"

/* Sends the record to the dead letters, until Kafka has it; then the attempt ends. */
void dead_letter_send(struct attempt *attempt, const char *reason, struct span detail);
/* What stands in Redis of its call cannot be read: a dead letter where it has a record, then the end. */
void dead_letter_unreadable(struct attempt *attempt);

#endif
