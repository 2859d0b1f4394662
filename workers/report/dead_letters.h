/* Records of the events topic that are no call events: dead letters, sent again until the brokers have them.
 */
#ifndef IVR_REPORT_DEAD_LETTERS_H
#define IVR_REPORT_DEAD_LETTERS_H

#include "common/base/err.h"
#include "common/kafka/kafka.h"
#include "workers/program/worker.h"

struct dead_letters;

struct dead_letters *dead_letters_new(struct worker *worker);
/* Takes the record over; kafka_done() follows once the brokers have the letter. The sentence is copied. */
void dead_letters_add(struct dead_letters *letters, struct kafka_record *record, const struct err *err);
/* Before the consumer is closed: answers that still come are ignored. */
void dead_letters_stop(struct dead_letters *letters);
/* After worker_close(). */
void dead_letters_free(struct dead_letters **letters);

#endif
