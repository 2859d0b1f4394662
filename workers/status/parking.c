#include "workers/status/parking.h"

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
        dead_unknown(work, "no call of ours has this reference and attempt");
        return;
    }
    snprintf(work->parked_as, sizeof(work->parked_as), "call:%s", work->ref.id);
    park(work, on_parked);
}

void parking_forget(struct work *work)
{
    struct buf field;
    buf_init(&field, PARKED_FIELD_MAX);
    parked_add_field(&field, work->record);
    store_unpark(status_worker(work)->store, span_str(work->parked_as), buf_span(&field));
    buf_done(&field);
}
