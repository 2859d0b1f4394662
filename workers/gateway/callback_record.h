/*
 * A provider's request as a record of ivr.callbacks: the value byte for byte, what we know about it in the
 * headers. Pure.
 */
#ifndef IVR_GATEWAY_CALLBACK_RECORD_H
#define IVR_GATEWAY_CALLBACK_RECORD_H

#include "common/kafka/cloudevent.h"
#include "workers/gateway/received.h"

/* Whom the key names. */
enum callback_names {
    NAMES_NOTHING,     /* "provider:" */
    NAMES_CALL,        /* "tenant/call_id": our reference was in the path, or the provider echoed it */
    NAMES_PROVIDER_ID, /* "provider:provider call id" */
};

struct callback_record {
    enum callback_names names;
    int attempt;       /* with NAMES_CALL */
    struct buf key;    /* "tenant/call_id", "provider:provider call id" or "provider:" */
    struct span value; /* borrowed from the request */
    struct cloudevent event;
    struct buf ref;        /* private: the echoed reference, which headers point into */
    char attempt_text[16]; /* private */
};

/* Appends the provider's call id that a request names; false when there is none. */
bool callback_record_add_id(struct buf *id, const struct received *r);

/* `r` and what it points to must outlive the record, which must not be copied. callback_record_done()
 * frees. */
void callback_record_init(struct callback_record *record, const struct received *r);
void callback_record_done(struct callback_record *record);

#endif
