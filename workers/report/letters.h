/* Records of the events topic that are no call events: dead letters, sent again until the brokers have them.
 */
#ifndef IVR_REPORT_LETTERS_H
#define IVR_REPORT_LETTERS_H

#include "common/base/err.h"
#include "common/kafka/kafka.h"
#include "workers/program/worker.h"

struct letters;

struct letters *letters_new(struct worker *worker);
/* Takes the record over; kafka_done() follows once the brokers have the letter. The sentence is copied. */
void letters_add(struct letters *letters, struct kafka_record *record, const struct err *err);
/* Before the consumer is closed: answers that still come are ignored. */
void letters_stop(struct letters *letters);
/* After worker_close(). */
void letters_free(struct letters **letters);

#endif
