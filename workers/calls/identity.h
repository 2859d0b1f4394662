/*
 * What every event and record of a call repeats, written once when its request comes: so all of them are the same,
 * whoever renders them, and whatever IVR_PII is by then.
 *
 * It is a piece of a JSON object: "tenant":…,"campaign":…,"call_id":…,"to":…,"to_hash":…,"metadata":{…}
 */
#ifndef IVR_CALLS_IDENTITY_H
#define IVR_CALLS_IDENTITY_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/request.h"

/* `to` as IVR_PII shows it, its hash (null without IVR_PII_KEY), and of metadata the values that IVR_PII_METADATA
 * keeps; the others are "***". */
void identity_add(struct buf *b, const struct request *request);

/* What a search by number goes by, as a JSON value: null without IVR_PII_KEY, or without a number. */
void identity_add_hash(struct buf *b, struct span number);

/* Adds one that Redis kept; of a call that version 0.1 stored, whose hash is not known, with "to_hash":null. */
void identity_add_json(struct buf *b, struct span identity);

#endif
