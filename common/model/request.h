/*
 * A call request, parsed and validated: the value of ivr.call-requests and the body of POST /v1/calls.
 *
 * A request that request_parse() accepts fits schemas/call-request.schema.json in every field. Unknown fields are
 * listed by name, and their values are not checked. A known field that cannot be read (bytes that are no UTF-8, a key that is
 * there twice with different values) is refused by its name. null counts as absent, for every field. Unknown
 * members of message, retry and calling_hours are unknown fields too ("retry.foo"), and so is a language
 * beside a recording to play.
 *
 * Two requests mean the same exactly when their fingerprints are equal. A fingerprint is of the known fields
 * after parsing: fields equal to their default are left out, times are instants, the channel is the requested
 * one, metadata counts by value (its keys in any order), and so do the days of calling_hours.
 */
#ifndef IVR_MODEL_REQUEST_H
#define IVR_MODEL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/model/hours.h"
#include "common/model/status.h"

enum {
    REQUEST_MAX_BYTES = 64 * 1024,
    REQUEST_MAX_METADATA = 2048,
    REQUEST_MAX_DELAYS = 16,
    REQUEST_FINGERPRINT_LEN = 16,
    REQUEST_MAX_SAY = 4000,  /* characters */
    REQUEST_MAX_URL = 2000,  /* bytes */
    REQUEST_MAX_UNKNOWN = 8, /* more are not listed */
};

/* Defaults of retry.on (bits, as in retry_on) and retry.delays. */
enum {
    REQUEST_DEFAULT_RETRY_ON = 1 << STATUS_NO_ANSWER | 1 << STATUS_USER_BUSY | 1 << STATUS_SUBSCRIBER_ABSENT,
    REQUEST_DEFAULT_DELAY_1_S = 300,
    REQUEST_DEFAULT_DELAY_2_S = 1800,
};

enum message_kind { MESSAGE_NONE, MESSAGE_PLAY, MESSAGE_SAY, MESSAGE_ANSWER_URL };

/* All spans point into `text` (owned). Seconds are seconds. */
struct request {
    struct span call_id;
    struct span tenant;
    struct span campaign;
    struct span to;      /* E.164 */
    struct span channel; /* as requested; SPAN_NONE: chosen by country code, then default_channel */
    struct span from;    /* SPAN_NONE: the channel's */
    enum message_kind message_kind;
    struct span message;        /* the text or URL */
    struct span language;       /* of say; SPAN_NONE */
    int ring_timeout_s;         /* 5..600, default 40 */
    int time_limit_s;           /* 1..86400, default 3600 */
    int64_t not_before_ms;      /* wall; 0: none */
    int64_t expires_at_ms;      /* wall; 0: none */
    struct hours calling_hours; /* its zone is NULL where there are none */
    /* Of a stored request: the zone of its calling hours, where this machine's tzdata lacks it, so that
     * nobody can tell when it may be called. */
    struct span lost_zone;
    int max_attempts;  /* 1..20 */
    unsigned retry_on; /* bit (1 << enum call_status) */
    int delays_s[REQUEST_MAX_DELAYS];
    size_t delays_n;
    bool redial_in_doubt;
    int priority;         /* 0..9 */
    struct span metadata; /* compact JSON object, its keys sorted; SPAN_NONE when absent or {} */
    uint8_t fingerprint[REQUEST_FINGERPRINT_LEN];
    struct span unknown[REQUEST_MAX_UNKNOWN]; /* names of fields that we do not know */
    size_t unknown_n;
    struct buf text; /* owns what the spans point to */
};

/*
 * Parses and validates. On failure returns ERR_INVALID with `err->text` a sentence (the field, what it held,
 * what was expected; phone numbers shown as IVR_PII says) and `field` set to the field's path ("retry.on", ""
 * for the whole; static or in the request); `not_json` tells invalid_json (RFC 8259 does not admit it,
 * and not only in a field that is not needed) from invalid_request. request_done() in any case.
 */
int request_parse(struct request *request, struct span json, struct err *err, char field[64], bool *not_json);
/* The same from a parsed JSON value (POST /v1/calls takes arrays). `json` is json_t. */
int request_from_json(struct request *request, const void *json, struct err *err, char field[64]);
void request_done(struct request *request);

/* The request as compact JSON with all known fields that differ from their default; request_parse() of it
 * gives the same request and fingerprint. This is what Redis keeps. */
void request_add_json(struct buf *b, const struct request *request);

/* The metadata as events and records show it: an object, with "***" in the place of each value whose key IVR_PII_METADATA
 * does not keep. */
void request_add_shown_metadata(struct buf *b, const struct request *request);

/*
 * What Redis keeps, read again. The request was accepted once, and is not refused for what has changed since:
 * another tzdata (`lost_zone`), a window that opens at other times. A caller that needs one part reads that
 * part alone, so that a problem of another part does not matter. ERR_INVALID with the sentence;
 * request_done() in any case.
 */
enum request_part {
    REQUEST_WHOLE,
    REQUEST_MESSAGE, /* message_kind, message, language: what the contact hears */
    REQUEST_NUMBERS, /* to, from */
};
int request_read_stored(struct request *request, enum request_part part, struct span stored, struct err *err);

/* [A-Za-z0-9._:-]{1,64} and friends; "." and ".." are no ids. */
bool request_valid_call_id(struct span id);
bool request_valid_tenant(struct span tenant);
bool request_valid_campaign(struct span campaign);

#endif
