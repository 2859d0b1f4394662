#include "workers/contact/contact.h"

#include <assert.h>

#include "workers/store/pack.h"
#include "workers/store/private.h"

static void deliver(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    enum contact_what what = CONTACT_FREE;
    if (result != NULL) {
        assert(result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 <= CONTACT_BUSY);
        what = (enum contact_what)result->via.u64;
    }
    ((contact_fn)fn)(status, what, arg);
}

void contact_ask(struct store *store, const struct contact *contact, contact_fn fn, void *arg)
{
    msgpack_packer p;
    char line[CONTACT_LINE_MAX] = "";
    if (contact->one_at_a_time)
        contact_line(line, span_of(contact->id.p, contact->tenant.n), contact->channel, contact->number);
    store_record_begin(store, &p, 6);
    pack_span(&p, contact->tenant);
    pack_span(&p, contact->number);
    pack_str(&p, line);
    pack_span(&p, contact->id);
    msgpack_pack_int64(&p, contact->claim_no);
    msgpack_pack_int64(&p, contact->hold_ms);
    store_record_send(store, BATCH_CONTACT, contact->number, deliver, (void (*)(void))fn, arg);
}
