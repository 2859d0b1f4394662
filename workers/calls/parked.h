/*
 * A callback that waits in Redis until its call is known, as bytes: the whole record, so that it can go back
 * on the topic, or become a dead letter, as it came.
 *
 * Its life: workers/status parks it under "provider:id", or under "call:tenant/call_id" where it carries a
 * proved reference of ours. Then either the id is linked (calls_link hands it to dispatch), or its deadline
 * comes (calls_overdue hands it to a status worker). Both put it back on the topic, or make it a dead letter
 * (workers/program/parked_out.h), and forget it once the brokers have it. Whoever is killed in between leaves it parked: it is put back
 * again, and a callback that is applied twice changes nothing.
 */
#ifndef IVR_CALLS_PARKED_H
#define IVR_CALLS_PARKED_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/kafka/kafka.h"
#include "common/model/evidence.h"
#include "workers/calls/links.h"

enum { PARKED_ID_MAX = EVIDENCE_ID_MAX + 256 }; /* "provider:id", "call:tenant/call_id" */
enum { PARKED_MAX_BYTES = 2 * 1024 * 1024, PARKED_TOPIC_MAX = 249, PARKED_FIELD_MAX = 400 };

/* The header of a record that was parked before: it is not parked a second time. */
#define PARKED_HEADER "ivr-parked"

struct parked {
    struct span key; /* p is NULL when the record had none */
    struct span value;
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    size_t headers_n;
    char topic[PARKED_TOPIC_MAX + 1];
    int32_t partition_id;
    int64_t offset;
    msgpack_unpacked memory; /* what the spans point into */
};

/* Packs a record and its headers (kafka_record_headers), as calls_park() takes it. Appends. */
void parked_add(struct buf *b, const struct kafka_record *record, const struct kafka_header *headers,
                size_t n);
/* Its field, "CHANNEL|topic:partition:offset": parking twice is parking once. Appends. The channel is what
 * its header says (nothing where that names none). */
void parked_add_field(struct buf *b, const struct kafka_record *record, struct span channel);
/* False when the bytes are not what parked_add() wrote. `bytes` must outlive it; parked_done() in any case.
 */
bool parked_read(struct parked *parked, struct span bytes);
void parked_done(struct parked *parked);

/* Whether one that no link has found by its deadline is worth another look: it carries a reference that its
 * signature did not prove, and may fit an attempt that is in doubt by now. Once. */
bool parked_may_fit(const struct calls_parked *stored);

#endif
