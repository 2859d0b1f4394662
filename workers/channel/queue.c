#include "workers/channel/queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum {
    LIST_MAX = 4 * 1024 * 1024,
    ASK_MAX = 5 * LIST_MAX,
    AHEAD_LEAST_US = 30000,
    AHEAD_MOST_US = 100000,
};

/* ---- lists ---- */

void queue_list_init(struct queue_list *list)
{
    buf_init(&list->packed, LIST_MAX);
    list->n = 0;
}

void queue_list_clear(struct queue_list *list)
{
    buf_clear(&list->packed);
    list->n = 0;
}

void queue_list_done(struct queue_list *list)
{
    buf_done(&list->packed);
}

void queue_list_add(struct queue_list *list, struct span id, int claim_no)
{
    msgpack_packer packer;
    char text[CALLS_MAX_REF + 1];
    int n = snprintf(text, sizeof(text), "%.*s/%d", SPAN_ARG(id), claim_no);
    assert(n > 0 && (size_t)n < sizeof(text));
    pack_init(&packer, &list->packed);
    pack_span(&packer, span_of(text, (size_t)n));
    list->n++;
}

void queue_list_add_with(struct queue_list *list, struct span id, int claim_no, int64_t number)
{
    msgpack_packer packer;
    queue_list_add(list, id, claim_no);
    pack_init(&packer, &list->packed);
    msgpack_pack_int64(&packer, number);
    list->n++;
}

static void pack_list(msgpack_packer *packer, struct buf *b, const struct queue_list *list)
{
    msgpack_pack_array(packer, list != NULL ? list->n : 0);
    if (list != NULL)
        buf_addspan(b, buf_span(&list->packed));
}

/* ---- asking ---- */

const char *queue_shut_name(enum queue_shut shut)
{
    static const char *const names[] = {"open", "circuit", "suspended"};
    return names[shut];
}

static void pack_caps(msgpack_packer *packer, const struct queue_ask *ask)
{
    msgpack_pack_map(packer, ask->caps_n);
    for (size_t i = 0; i < ask->caps_n; i++) {
        pack_span(packer, ask->caps[i].tenant);
        msgpack_pack_int64(packer, ask->caps[i].lines);
    }
}

static void pack_proof(msgpack_packer *packer, const struct queue_proof *proof)
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

/* How long before it a send time is reserved: a round trip and the look at its call, and the next queue_question's;
 * longer where one that is missed costs much. */
static int64_t ahead_us(double between_us)
{
    double quarter = between_us / 4;
    return quarter < AHEAD_LEAST_US  ? AHEAD_LEAST_US
           : quarter < AHEAD_MOST_US ? (int64_t)quarter
                                     : AHEAD_MOST_US;
}

static void pack_ask(struct buf *b, const struct queue_ask *ask)
{
    msgpack_packer packer;
    double between_us = ask->calls_per_second > 0 ? 1e6 / ask->calls_per_second : 0;
    pack_init(&packer, b);
    msgpack_pack_array(&packer, 20);
    msgpack_pack_double(&packer, between_us);
    msgpack_pack_int64(&packer, ask->lines);
    pack_caps(&packer, ask);
    msgpack_pack_int64(&packer, ahead_us(between_us));
    msgpack_pack_int64(&packer, QUEUE_LEASE_MS);
    msgpack_pack_int64(&packer, ask->tickets);
    msgpack_pack_int64(&packer, ask->spare);
    msgpack_pack_int64(&packer, ask->slots);
    msgpack_pack_int64(&packer, ask->late);
    msgpack_pack_int64(&packer, ask->news.epoch);
    msgpack_pack_int64(&packer, ask->news.ok);
    msgpack_pack_int64(&packer, ask->news.fails);
    msgpack_pack_int64(&packer, ask->news.suspend);
    pack_span(&packer, ask->news.why);
    msgpack_pack_int64(&packer, ask->news.resumed_ms);
    pack_proof(&packer, &ask->proof);
    pack_list(&packer, b, ask->queue);
    pack_list(&packer, b, ask->done);
    pack_list(&packer, b, ask->dropped);
    pack_list(&packer, b, ask->back);
}

struct queue_question {
    struct store *store;
    queue_fn fn;
    void *arg;
};

/* "tenant/call_id/3" */
static bool read_ticket(const msgpack_object *list, size_t i, struct queue_ticket *ticket)
{
    struct span text = pack_get_span(list, i);
    const char *cut = text.n > 0 ? memrchr(text.p, '/', text.n) : NULL;
    char digits[12];
    size_t n = cut != NULL ? (size_t)(text.p + text.n - cut - 1) : 0;
    if (n == 0 || n >= sizeof(digits))
        return false;
    memcpy(digits, cut + 1, n);
    digits[n] = '\0';
    *ticket = (struct queue_ticket){span_of(text.p, (size_t)(cut - text.p)), (int)strtol(digits, NULL, 10)};
    return true;
}

static enum queue_shut read_shut(struct span word)
{
    if (span_is(word, "circuit"))
        return QUEUE_CIRCUIT;
    return span_is(word, "suspended") ? QUEUE_SUSPENDED : QUEUE_OPEN;
}

static void give(const struct queue_question *q, enum store_status status, const msgpack_object *answer)
{
    struct queue_ticket tickets[QUEUE_MAX_TICKETS];
    int64_t slots[QUEUE_MAX_SLOTS + QUEUE_MAX_TICKETS];
    struct queue_told told = {.queued = pack_get_int(answer, 0),
                              .lines = pack_get_int(answer, 1),
                              .shut = read_shut(pack_get_span(answer, 2)),
                              .why = pack_get_span(answer, 3),
                              .since_ms = pack_get_int(answer, 4),
                              .epoch = pack_get_int(answer, 5),
                              .tickets = tickets,
                              .slots_us = slots,
                              .wait_us = pack_get_int(answer, 8),
                              .proved = pack_get_int(answer, 9) == 1,
                              .proofs = pack_get_int(answer, 10)};
    const msgpack_object *list = &answer->via.array.ptr[6], *times = &answer->via.array.ptr[7];
    for (size_t i = 0; i < list->via.array.size && told.tickets_n < QUEUE_MAX_TICKETS; i++)
        told.tickets_n += read_ticket(list, i, &tickets[told.tickets_n]);
    for (size_t i = 0; i < times->via.array.size && told.slots_n < QUEUE_MAX_SLOTS + QUEUE_MAX_TICKETS; i++)
        slots[told.slots_n++] = pack_get_int(times, i);
    q->fn(status, &told, q->arg);
}

static void on_answer(const struct redis_result *result, void *arg)
{
    struct queue_question q = *(struct queue_question *)arg;
    enum store_status status = store_status_of(result);
    struct span packed = SPAN_NONE;
    free(arg);
    store_command_ended(q.store);
    if (status == STORE_REFUSED || status == STORE_LOST) {
        q.fn(status, NULL, q.arg);
        return;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    bool fits = redis_reply_span(result->reply, &packed) &&
                msgpack_unpack_next(&unpacked, packed.p, packed.n, NULL) == MSGPACK_UNPACK_SUCCESS &&
                unpacked.data.type == MSGPACK_OBJECT_ARRAY && unpacked.data.via.array.size == 11;
    assert(fits);
    (void)fits;
    give(&q, status, &unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
}

static void send_question(struct store *store, const struct redis_script *script, struct span channel,
                          const struct span *args, size_t argc, queue_fn fn, void *arg)
{
    struct queue_question *q = mem_alloc(sizeof(*q));
    *q = (struct queue_question){store, fn, arg};
    store_eval_channel(store, script, channel, args, argc, on_answer, q);
}

void queue_admit(struct store *store, const struct queue_ask *ask, queue_fn fn, void *arg)
{
    struct buf packed;
    buf_init(&packed, ASK_MAX);
    pack_ask(&packed, ask);
    assert(buf_ok(&packed) && ask->tickets <= QUEUE_MAX_TICKETS && ask->slots <= QUEUE_MAX_SLOTS);
    const struct span args[] = {buf_span(&packed)};
    send_question(store, &script_admit, ask->channel, args, 1, fn, arg);
    buf_done(&packed);
}

void queue_look_at(struct store *store, struct span channel, queue_fn fn, void *arg)
{
    send_question(store, &script_channel, channel, NULL, 0, fn, arg);
}
