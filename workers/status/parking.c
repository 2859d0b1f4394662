#include "workers/status/parking.h"

#include <assert.h>
#include <stdio.h>

#include "workers/store/parked.h"

static void dead_unknown(struct work *work, const char *what)
{
    struct buf detail;
    buf_init(&detail, 1024);
    buf_adds(&detail, what);
    buf_adds(&detail, ", although the callback has waited for it");
    work_dead(work, "unknown_call", buf_span(&detail));
    buf_done(&detail);
}

/* Parks the record under work->parked_as, or learns the reference behind that id. */
static void park(struct work *work, store_park_fn answered)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct buf field, value;
    size_t n = kafka_record_headers(work->record, headers, KAFKA_MAX_HEADERS);
    buf_init(&field, PARKED_FIELD_MAX);
    buf_init(&value, PARKED_MAX_BYTES);
    parked_add_field(&field, work->record);
    parked_add(&value, work->record, headers, n);
    const struct store_parked callback = {buf_span(&field), buf_span(&value)};
    work_asked(work);
    store_park(status_worker(work)->store, span_str(work->parked_as), &callback, answered, work);
    buf_done(&field);
    buf_done(&value);
}

/* ---- by the provider's id ---- */

static void on_found_or_parked(enum store_status status, struct span ref, void *arg)
{
    struct work *work = arg;
    if (!work_answered(work, status))
        return;
    if (call_ref_parse(&work->ref, ref)) {
        work->parked_as[0] = '\0';
        work_start(work);
    } else if (work->parked_before) {
        dead_unknown(work, "no call is linked to the provider's call id");
    } else {
        work_done(work, "parked");
    }
}

void parking_by_provider_id(struct work *work, const struct reading *reading)
{
    snprintf(work->parked_as, sizeof(work->parked_as), "%s:%s", reading->provider->name,
             reading->evidence.provider_call_id);
    park(work, on_found_or_parked);
}

/* ---- by our own reference ---- */

static void on_parked(enum store_status status, struct span ref, void *arg)
{
    struct work *work = arg;
    (void)ref; /* nothing is linked to "call:…" */
    if (work_answered(work, status))
        work_done(work, "parked");
}

/* With a reference the call was in Redis before the provider heard of it, so this is rare: Redis lost
 * something, or somebody else's reference came along. A call that was lost comes back with its request. */
void parking_unknown_call(struct work *work)
{
    if (work->parked_before) {
        dead_unknown(work, "no call of ours has this reference and attempt on this channel");
        return;
    }
    snprintf(work->parked_as, sizeof(work->parked_as), "call:%s", work->ref.id);
    park(work, on_parked);
}

/* ---- linking ---- */

/* "provider:provider call id", as parking_by_provider_id() has it. */
static void add_provider_id(struct buf *b, struct work *work)
{
    struct kafka_header headers[KAFKA_MAX_HEADERS];
    struct reading reading;
    struct err err = ERR_INIT;
    size_t n = kafka_record_headers(work->record, headers, KAFKA_MAX_HEADERS);
    int rc = reading_read(&reading, headers, n, work->record->value, &err);
    assert(rc == 0); /* it was read before */
    (void)rc;
    buf_adds(b, reading.provider->name);
    buf_addc(b, ':');
    buf_adds(b, reading.evidence.provider_call_id);
}

static void on_linked(enum store_status status, const struct store_parked *parked, size_t n, void *arg)
{
    struct work *work = arg;
    struct buf id;
    if (!work_answered(work, status))
        return;
    buf_init(&id, sizeof(work->parked_as));
    add_provider_id(&id, work);
    for (size_t i = 0; i < n; i++)
        parked_put_back(status_worker(work), buf_span(&id), &parked[i], NULL, NULL);
    buf_done(&id);
    work_recorded(work);
}

void parking_link(struct work *work)
{
    struct buf id, ref;
    buf_init(&id, sizeof(work->parked_as));
    buf_init(&ref, STORE_MAX_REF + 1);
    add_provider_id(&id, work);
    buf_addspan(&ref, span_of(work->ref.id, work->ref.id_n));
    buf_addc(&ref, '/');
    buf_addint(&ref, work->ref.attempt);
    work_asked(work);
    store_link(status_worker(work)->store, buf_span(&id), buf_span(&ref), on_linked, work);
    buf_done(&id);
    buf_done(&ref);
}

void parking_forget(struct work *work)
{
    struct buf field;
    buf_init(&field, PARKED_FIELD_MAX);
    parked_add_field(&field, work->record);
    store_unpark(status_worker(work)->store, span_str(work->parked_as), buf_span(&field));
    buf_done(&field);
}
