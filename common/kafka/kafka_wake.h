/* A librdkafka queue that wakes the loop: an eventfd, written by librdkafka's threads, polled by libuv. */
#ifndef IVR_COMMON_KAFKA_WAKE_H
#define IVR_COMMON_KAFKA_WAKE_H

#include <librdkafka/rdkafka.h>

#include "common/base/err.h"
#include "common/run/loop.h"

struct kafka_wake;

/* `fn` is called in a turn after something was put into the queue. librdkafka writes only when the queue was
 * empty: drain it fully, or call kafka_wake_again(). ERR_SYSTEM when there is no file descriptor. */
int kafka_wake_new(struct kafka_wake **wake, struct loop *loop, rd_kafka_queue_t *queue, loop_fn fn,
                   void *arg, struct err *err);
/* `fn` is called in the next turn, which comes at once. */
void kafka_wake_again(struct kafka_wake *wake);
/* Before the queue's handle is destroyed. */
void kafka_wake_free(struct kafka_wake **wake);

#endif
