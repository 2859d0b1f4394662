/* Records of ivr.call-requests: validated, given a channel, started. What does not fit becomes a dead letter. */
#ifndef IVR_DISPATCH_INTAKE_H
#define IVR_DISPATCH_INTAKE_H

#include "workers/dispatch/dispatch.h"

/* Called for each record (kafka_consumer_events.record). */
void intake_record(struct kafka_record *record, void *dispatch);

#endif
