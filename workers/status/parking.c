#include "workers/status/parking.h"

#include <assert.h>
#include <stdio.h>

#include "workers/calls/parked.h"
#include "workers/calls/parking.h"
#include "workers/calls/ref.h"
#include "workers/program/parked_out.h"

static void dead_unknown(struct work *work, const char *what)
{
    struct buf detail;
    buf_init(&detail, 1024);
    buf_adds(&detail, what);
    buf_adds(&detail, ", although the callback has waited for it");
    work_dead(work, "unknown_call", buf_span(&detail));
    buf_done(&detail);
}

/* ---- the provider's id ---- */

/* What the record says, once more: it was read before. */
static void read_again(const struct work *work, struct callback_reading *reading)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct err err = ERR_INIT;
    size_t n = kafka_record_headers(work->record, headers, KAFKA_MAX_HEADERS);
    int rc = reading_read(reading, headers, n, work->record->value, &err);
    assert(rc == 0);
    (void)rc;
}

/* "provider:provider call id" */
static void add_provider_id(struct buf *b, const struct callback_reading *reading)
{
    buf_adds(b, reading->provider->name);
    buf_addc(b, ':');
    buf_adds(b, reading->evidence.provider_call_id);
}

/* ---- parking ---- */

/* Whoever posts what is nobody's cannot make it wait in any number. */
static void dead_full(struct work *work, enum calls_park_what what)
{
    struct buf detail;
    buf_init(&detail, 1024);
    if (what == PARK_FULL_ID)
        buf_addf(&detail,
                 "no call of ours is known under its id, and %d callbacks or %d KiB, "
                 "as many as may, wait for that one already",
                 CALLS_PARK_ID_N, CALLS_PARK_ID_BYTES / 1024);
    else
        buf_addf(&detail,
                 "no call of ours is known under its id, and about %d callbacks or %d MiB, "
                 "as many as may, wait for unknown calls %s already",
                 what == PARK_FULL ? CALLS_PARK_N : CALLS_PARK_CHANNEL_N,
                 (what == PARK_FULL ? CALLS_PARK_BYTES : CALLS_PARK_CHANNEL_BYTES) / (1024 * 1024),
                 what == PARK_FULL ? "in all" : "of its channel");
    work_dead(work, "unknown_call", buf_span(&detail));
    buf_done(&detail);
}

/* Parks the record under `id`, or learns the reference behind it. */
static void park(struct work *work, struct span id, struct span channel, calls_park_fn answered)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct buf field, value;
    size_t n = kafka_record_headers(work->record, headers, KAFKA_MAX_HEADERS);
    buf_init(&field, PARKED_FIELD_MAX);
    buf_init(&value, PARKED_MAX_BYTES);
    parked_add_field(&field, work->record, kafka_record_header(work->record, "ce_channel"));
    parked_add(&value, work->record, headers, n);
    const struct calls_call call = {id, channel};
    const struct calls_parked callback = {buf_span(&field), buf_span(&value)};
    work_await(work);
    calls_park(work->works->worker->store, &call, &callback, answered, work);
    buf_done(&field);
    buf_done(&value);
}

static void start_linked(struct work *work)
{
    work->linked = true;
    work_start(work);
}

static void found(struct work *work, struct span ref)
{
    if (call_ref_parse(&work->ref, ref))
        start_linked(work);
    else
        dead_unknown(work, "no call is linked to the provider's call id on this channel");
}

static void on_found_or_parked(enum store_status status, enum calls_park_what what, struct span ref,
                               void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, status))
        return;
    if (what == PARK_LINKED)
        found(work, ref);
    else if (what == PARK_PARKED)
        work_done(work, "parked");
    else
        dead_full(work, what);
}

static void on_found(enum store_status status, struct span ref, void *arg)
{
    struct work *work = arg;
    if (work_answered(work, status))
        found(work, ref);
}

/* What has waited is only looked up: it needs no memory of a Redis that may have none. */
void parking_by_provider_id(struct work *work)
{
    struct callback_reading reading;
    struct buf id;
    read_again(work, &reading);
    buf_init(&id, PARKED_ID_MAX);
    add_provider_id(&id, &reading);
    const struct calls_call call = {buf_span(&id), reading.channel};
    if (work->parked_before) {
        work_await(work);
        ref_read(work->works->worker->store, &call, on_found, work);
    } else {
        park(work, call.provider_id, call.channel, on_found_or_parked);
    }
    buf_done(&id);
}

static void on_parked(enum store_status status, enum calls_park_what what, struct span ref, void *arg)
{
    struct work *work = arg;
    (void)ref; /* nothing is linked to "call:…" */
    if (!work_answered(work, status))
        return;
    if (what == PARK_PARKED || what == PARK_LINKED)
        work_done(work, "parked");
    else
        dead_full(work, what);
}

/* With a reference the call was in Redis before the provider heard of it, so this is rare: Redis lost
 * something, or somebody else's reference came along. A call that was lost comes back with its request. */
void parking_unknown_call(struct work *work)
{
    struct buf id;
    if (work->parked_before) {
        dead_unknown(work, "no call of ours has this reference and attempt on this channel");
        return;
    }
    buf_init(&id, PARKED_ID_MAX);
    buf_addf(&id, "call:%s", work->ref.id);
    park(work, buf_span(&id), SPAN_LIT(""), on_parked);
    buf_done(&id);
}

/* ---- linking ---- */

typedef void link_fn(struct store *, const struct calls_call *, struct span, calls_link_fn, void *);

/* Links the record's provider call id to work->ref. */
static void link_id(struct work *work, link_fn *link, calls_link_fn answered)
{
    struct buf id, ref;
    struct callback_reading reading;
    read_again(work, &reading);
    buf_init(&id, PARKED_ID_MAX);
    buf_init(&ref, CALLS_MAX_REF + 1);
    add_provider_id(&id, &reading);
    buf_addspan(&ref, span_of(work->ref.id, work->ref.id_n));
    buf_addc(&ref, '/');
    buf_addint(&ref, work->ref.attempt);
    const struct calls_call call = {buf_span(&id), reading.channel};
    work_await(work);
    link(work->works->worker->store, &call, buf_span(&ref), answered, work);
    buf_done(&id);
    buf_done(&ref);
}

static void put_back(const struct work *work, const struct calls_parked *parked, size_t n)
{
    struct buf id;
    struct callback_reading reading;
    read_again(work, &reading);
    buf_init(&id, PARKED_ID_MAX);
    add_provider_id(&id, &reading);
    for (size_t i = 0; i < n; i++)
        parked_put_back(work->works->worker, buf_span(&id), &parked[i], NULL, NULL);
    buf_done(&id);
}

static void on_linked(enum store_status status, const struct calls_parked *parked, size_t n, void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, status))
        return;
    put_back(work, parked, n);
    work_recorded(work);
}

void parking_link(struct work *work)
{
    link_id(work, calls_link, on_linked);
}

static void on_inferred(enum store_status status, const struct calls_parked *parked, size_t n, void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, status))
        return;
    if (parked == NULL) {
        parking_by_provider_id(work);
        return;
    }
    put_back(work, parked, n);
    start_linked(work);
}

void parking_infer(struct work *work)
{
    link_id(work, calls_link_inferred, on_inferred);
}
