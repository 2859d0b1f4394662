#include "workers/channel/admission.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum {
    REQUEST_MAX = 5 * TICKET_LIST_MAX, /* four lists, and the rest */
    AHEAD_LEAST_US = 30000,            /* ahead_us() */
    AHEAD_MOST_US = 100000,
};

const char *channel_state_name(enum channel_state state)
{
    static const char *const names[] = {
        [CHANNEL_OPEN] = "open", [CHANNEL_CIRCUIT] = "circuit", [CHANNEL_SUSPENDED] = "suspended"};
    return names[state];
}

/* ---- what is asked ---- */

static void pack_list(msgpack_packer *packer, struct buf *b, const struct ticket_list *list)
{
    msgpack_pack_array(packer, list != NULL ? list->n : 0);
    if (list != NULL)
        buf_addspan(b, buf_span(&list->packed));
}

static void pack_caps(msgpack_packer *packer, const struct admission_request *request)
{
    msgpack_pack_map(packer, request->caps_n);
    for (size_t i = 0; i < request->caps_n; i++) {
        pack_span(packer, request->caps[i].tenant);
        msgpack_pack_int64(packer, request->caps[i].lines);
    }
}

static void pack_proof(msgpack_packer *packer, const struct admission_proof *proof)
{
    msgpack_pack_array(packer, 8);
    pack_span(packer, span_str(proof->fingerprint));
    msgpack_pack_int64(packer, proof->asker);
    msgpack_pack_int64(packer, proof->coming);
    msgpack_pack_int64(packer, proof->going);
    msgpack_pack_int64(packer, proof->accepted);
    msgpack_pack_int64(packer, proof->ended);
    msgpack_pack_int64(packer, proof->proofs);
    msgpack_pack_int64(packer, proof->trial_ms);
}

/* How long before a send time comes it is given out: time for the answer's way here, for the look at the call, and for
 * the next request's round trip. Longer where calls are rare, since one that is missed costs much there. */
static int64_t ahead_us(double between_us)
{
    double quarter = between_us / 4;
    return quarter < AHEAD_LEAST_US  ? AHEAD_LEAST_US
           : quarter < AHEAD_MOST_US ? (int64_t)quarter
                                     : AHEAD_MOST_US;
}

static void pack_request(struct buf *b, const struct admission_request *request)
{
    msgpack_packer packer;
    double between_us = request->calls_per_second > 0 ? 1e6 / request->calls_per_second : 0;
    pack_init(&packer, b);
    msgpack_pack_array(&packer, 20);
    msgpack_pack_double(&packer, between_us);
    msgpack_pack_int64(&packer, request->lines);
    pack_caps(&packer, request);
    msgpack_pack_int64(&packer, ahead_us(between_us));
    msgpack_pack_int64(&packer, TICKET_LEASE_MS);
    msgpack_pack_int64(&packer, request->tickets);
    msgpack_pack_int64(&packer, request->spare);
    msgpack_pack_int64(&packer, request->send_times);
    msgpack_pack_int64(&packer, request->late);
    msgpack_pack_int64(&packer, request->results.epoch);
    msgpack_pack_int64(&packer, request->results.ok);
    msgpack_pack_int64(&packer, request->results.fails);
    msgpack_pack_int64(&packer, request->results.suspend);
    pack_span(&packer, request->results.why);
    msgpack_pack_int64(&packer, request->results.resumed_ms);
    pack_proof(&packer, &request->proof);
    pack_list(&packer, b, request->queue);
    pack_list(&packer, b, request->done);
    pack_list(&packer, b, request->dropped);
    pack_list(&packer, b, request->back);
}

/* ---- what is answered ---- */

struct admission_call {
    struct store *store;
    admission_fn fn;
    void *arg;
};

/* "tenant/call_id/3" */
static bool read_ticket(const msgpack_object *list, size_t i, struct ticket_name *ticket)
{
    struct span text = pack_get_span(list, i);
    const char *cut = text.n > 0 ? memrchr(text.p, '/', text.n) : NULL;
    if (cut == NULL)
        return false;
    ticket->id = span_of(text.p, (size_t)(cut - text.p));
    return number_read_int(span_of(cut + 1, (size_t)(text.p + text.n - cut - 1)), 0, INT_MAX,
                           &ticket->claim_no);
}

static enum channel_state read_state(struct span word)
{
    if (span_is(word, "circuit"))
        return CHANNEL_CIRCUIT;
    return span_is(word, "suspended") ? CHANNEL_SUSPENDED : CHANNEL_OPEN;
}

static void deliver(const struct admission_call *call, enum store_status status, const msgpack_object *packed)
{
    enum { TIMES_MAX = ADMISSION_MAX_SEND_TIMES + ADMISSION_MAX_TICKETS };
    struct ticket_name tickets[ADMISSION_MAX_TICKETS];
    int64_t times_us[TIMES_MAX];
    struct admission_answer answer = {.queued = pack_get_int(packed, 0),
                                      .lines = pack_get_int(packed, 1),
                                      .state = read_state(pack_get_span(packed, 2)),
                                      .why = pack_get_span(packed, 3),
                                      .since_ms = pack_get_int(packed, 4),
                                      .epoch = pack_get_int(packed, 5),
                                      .tickets = tickets,
                                      .send_times_us = times_us,
                                      .wait_us = pack_get_int(packed, 8),
                                      .proved = pack_get_int(packed, 9) == 1,
                                      .proofs = pack_get_int(packed, 10)};
    const msgpack_object *list = &packed->via.array.ptr[6], *times = &packed->via.array.ptr[7];
    for (size_t i = 0; i < list->via.array.size && answer.tickets_n < ADMISSION_MAX_TICKETS; i++)
        answer.tickets_n += read_ticket(list, i, &tickets[answer.tickets_n]);
    for (size_t i = 0; i < times->via.array.size && answer.send_times_n < TIMES_MAX; i++)
        times_us[answer.send_times_n++] = pack_get_int(times, i);
    call->fn(status, &answer, call->arg);
}

static void on_answer(const struct redis_result *result, void *arg)
{
    struct admission_call call = *(struct admission_call *)arg;
    enum store_status status = store_status_of(result);
    struct span packed = SPAN_NONE;
    free(arg);
    store_command_ended(call.store);
    if (status == STORE_REFUSED || status == STORE_LOST) {
        call.fn(status, NULL, call.arg);
        return;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    bool fits = redis_reply_span(result->reply, &packed) &&
                msgpack_unpack_next(&unpacked, packed.p, packed.n, NULL) == MSGPACK_UNPACK_SUCCESS &&
                unpacked.data.type == MSGPACK_OBJECT_ARRAY && unpacked.data.via.array.size == 11;
    assert(fits);
    (void)fits;
    deliver(&call, status, &unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
}

static void send_request(struct store *store, const struct redis_script *script, struct span channel,
                         const struct span *args, size_t argc, admission_fn fn, void *arg)
{
    struct admission_call *call = mem_alloc(sizeof(*call));
    *call = (struct admission_call){store, fn, arg};
    store_eval_channel(store, script, channel, args, argc, on_answer, call);
}

void admission_ask(struct store *store, const struct admission_request *request, admission_fn fn, void *arg)
{
    struct buf packed;
    buf_init(&packed, REQUEST_MAX);
    pack_request(&packed, request);
    assert(buf_ok(&packed) && request->tickets <= ADMISSION_MAX_TICKETS &&
           request->send_times <= ADMISSION_MAX_SEND_TIMES);
    const struct span args[] = {buf_span(&packed)};
    send_request(store, &script_admit, request->channel, args, 1, fn, arg);
    buf_done(&packed);
}

void admission_read(struct store *store, struct span channel, admission_fn fn, void *arg)
{
    send_request(store, &script_channel, channel, NULL, 0, fn, arg);
}
