/*
 * A Kafka broker in this process: librdkafka's own mock cluster. It speaks the protocol, keeps about 5 MB a
 * partition and nothing on disk: for evaluation, never for calls that matter.
 */
#ifndef IVR_SANDBOX_BROKER_H
#define IVR_SANDBOX_BROKER_H

#include "common/base/err.h"
#include "common/run/settings.h"

struct broker;

/* With the topics, big enough to hold the requests of so many calls at once. */
int broker_start(struct broker **broker, long calls, struct err *err);
/* "127.0.0.1:12345"; borrowed. */
const char *broker_address(const struct broker *broker);
void broker_stop(struct broker **broker);

#endif
