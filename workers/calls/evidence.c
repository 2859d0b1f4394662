/* What providers report: evidence.lua. */
#include "workers/calls/evidence.h"

#include "scripts.h"
#include "workers/calls/evidence_pack.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { KINDS = EVIDENCE_FITS, STATUSES = 8, UNLINKED = 64, ANSWERS = 2 * UNLINKED };

/* The script's number is 64 where its id has to be linked + 8 x what, from 0 + the call's status. */
static struct calls_evidence_result read_result(const msgpack_object *result)
{
    const struct calls_evidence_result nothing = {.what = EVIDENCE_NOTHING};
    unsigned counted = answer_number(result, ANSWERS); /* from 1 */
    if (counted == 0)
        return nothing;
    unsigned number = counted - 1, what = number % UNLINKED / STATUSES;
    if (what >= KINDS)
        return nothing;
    return (struct calls_evidence_result){.what = (enum calls_evidence_what)(EVIDENCE_RECORDED + what),
                                          .call_status = (enum call_status)(number % STATUSES),
                                          .unlinked = number >= UNLINKED};
}

static void deliver_evidence(enum store_status status, const msgpack_object *result, void (*fn)(void),
                             void *arg)
{
    struct calls_evidence_result read = {.what = EVIDENCE_NOTHING};
    if (status == STORE_OK)
        read = read_result(result);
    ((calls_evidence_fn)fn)(status, &read, arg);
}

void calls_evidence(struct store *store, const struct calls_evidence *evidence, calls_evidence_fn fn,
                    void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, evidence->unproved ? 8 : 7);
    pack_span(&p, evidence->id);
    msgpack_pack_int64(&p, evidence->attempt);
    pack_span(&p, evidence->channel);
    pack_span(&p, evidence->provider);
    pack_evidence(&p, evidence->evidence);
    pack_jitter(&p);
    pack_span(&p, evidence->trace);
    if (evidence->unproved)
        pack_str(&p, evidence->evidence->called);
    store_record_send(store, &script_evidence, evidence->id, deliver_evidence, (void (*)(void))fn, arg);
}
