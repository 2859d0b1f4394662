/*
 * A call as it stands in Redis (lib/saving.lua writes it), read for people and for decisions: GET /v1/calls,
 * ivrctl call, the answer documents. One HGETALL; nothing here changes a call.
 */
#ifndef IVR_CALLS_RECORD_H
#define IVR_CALLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/hop.h"
#include "common/model/status.h"
#include "workers/store/store.h"

enum call_phase { PHASE_WAITING = 1, PHASE_PLACING, PHASE_PLACED, PHASE_DONE, PHASE_DROPPED };

struct record_hop {
    bool seen;
    int64_t at_ms;       /* provider's, 0 unknown */
    int64_t recorded_ms; /* ours */
    struct span detail;
};

struct record_attempt {
    int number;
    enum call_status status;
    bool terminal;
    struct span reason_code, reason_detail;
    struct span channel, provider, provider_call_id;
    bool id_sure; /* the provider's response told the id */
    int64_t placed_at_ms;
    int64_t ring_seconds, talk_seconds, cost_micros; /* -1 unknown */
    struct span currency;
    struct record_hop hops[HOP_COUNT];
};

/* Everything is borrowed until the callback returns. */
struct record {
    struct span id;      /* "tenant/call_id" */
    struct span request; /* JSON: request_parse() it for `to`, message, ... */
    int64_t seq;
    enum call_phase phase;
    enum call_status status;
    bool final;
    int attempt;                                /* the latest number */
    struct span campaign, channel, drop_reason; /* campaign: "tenant/campaign" */
    struct span paused_by; /* the pause that keeps it waiting: "campaign:acme/x", "call", ...; empty: none */
    bool cancelled;        /* no further attempt */
    int64_t created_at_ms, updated_at_ms, next_attempt_at_ms;
    const struct record_attempt *attempts; /* by number; of those that reached nobody only some are kept */
    size_t attempts_n;
};

/* `record` is NULL when the call is unknown (or status is not STORE_OK). While Redis refuses writes no call
 * is unknown: it may not have been let in yet, STORE_REFUSED. */
typedef void (*record_fn)(enum store_status status, const struct record *record, void *arg);
void record_read(struct store *store, struct span id, record_fn fn, void *arg);

/* As GET /v1/calls and `ivrctl call --json` show it: schemas/call.schema.json. */
void record_add_json(struct buf *b, const struct record *record);

#endif
