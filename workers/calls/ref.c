#include "workers/calls/ref.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "workers/store/verbs.h"

enum { KEY_MAX = 128 * 1024 }; /* a provider's id is as long as a callback makes it */

struct ref_question {
    struct store *store;
    ref_fn fn;
    void *arg;
    size_t id_n;
    char id[]; /* provider id; as long as the question for the link of version 0.1 may follow */
};

static void answer(struct ref_question *question, const struct redis_result *result)
{
    struct span ref = SPAN_NONE;
    if (result->status == REDIS_OK && !redis_reply_span(result->reply, &ref))
        ref = SPAN_NONE;
    bool refused = result->status == REDIS_OK && ref.n == 0 && !store_takes(question->store);
    question->fn(refused ? STORE_REFUSED : store_status_of(result), ref, question->arg);
    free(question);
}

static void add_key(struct buf *b, struct store *store, enum key key, struct span provider_id)
{
    buf_init(b, KEY_MAX);
    key_add(b, store_shard_key(store, store_shard_of(store, provider_id)), key, provider_id);
}

static void on_reply_of_0_1(const struct redis_result *result, void *arg)
{
    store_command_ended(((struct ref_question *)arg)->store);
    answer(arg, result);
}

static void on_reply(const struct redis_result *result, void *arg)
{
    struct ref_question *question = arg;
    struct buf key;
    store_command_ended(question->store);
    if (result->status != REDIS_OK || !redis_reply_nil(result->reply)) {
        answer(question, result);
        return;
    }
    add_key(&key, question->store, KEY_LINKED_0_1, span_of(question->id, question->id_n));
    const struct span argv[] = {SPAN_LIT("GET"), buf_span(&key)};
    store_command(question->store, argv, 2, on_reply_of_0_1, question);
    buf_done(&key);
}

void ref_read(struct store *store, const struct calls_call *call, ref_fn fn, void *arg)
{
    struct buf key;
    struct span id = call->provider_id;
    struct ref_question *question = mem_alloc(sizeof(*question) + id.n);
    *question = (struct ref_question){.store = store, .fn = fn, .arg = arg, .id_n = id.n};
    if (id.n > 0)
        memcpy(question->id, id.p, id.n);
    add_key(&key, store, KEY_LINKED, id);
    const struct span argv[] = {SPAN_LIT("HGET"), buf_span(&key), call->channel};
    store_command(store, argv, 3, on_reply, question);
    buf_done(&key);
}
