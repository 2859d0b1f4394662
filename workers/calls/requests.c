/* A request: request.lua. */
#include "workers/calls/requests.h"

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

static void pack_policy(msgpack_packer *out, const struct calls_request *request)
{
    struct buf policy;
    msgpack_packer packer;
    buf_init(&policy, 1024);
    pack_init(&packer, &policy);
    msgpack_pack_array(&packer, 6);
    msgpack_pack_int64(&packer, request->max_attempts);
    msgpack_pack_int64(&packer, request->retry_on);
    msgpack_pack_array(&packer, request->delays_n);
    for (size_t i = 0; i < request->delays_n; i++)
        msgpack_pack_int64(&packer, request->delays_s[i]);
    msgpack_pack_int64(&packer, request->redial_in_doubt);
    msgpack_pack_int64(&packer, request->expires_at_ms);
    msgpack_pack_int64(&packer, request->priority);
    pack_span(out, buf_span(&policy));
    buf_done(&policy);
}

static void deliver_request(enum store_status status, const msgpack_object *result, void (*fn)(void),
                            void *arg)
{
    static const char *const words[] = {
        [REQUEST_CLAIMED] = "claimed",     [REQUEST_HALTED] = "halted",     [REQUEST_STORED] = "stored",
        [REQUEST_DUPLICATE] = "duplicate", [REQUEST_CONFLICT] = "conflict", [REQUEST_TOO_OLD] = "too_old",
        [REQUEST_DROPPED] = "dropped"};
    enum calls_request_what what = REQUEST_NOTHING;
    if (result != NULL)
        what = (enum calls_request_what)answer_word(result, 0, words, sizeof(words) / sizeof(words[0]));
    ((calls_request_fn)fn)(status, what, calls_read_claimed(result), arg);
}

void calls_request(struct store *store, const struct calls_request *request, calls_request_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 17);
    pack_span(&p, request->id);
    pack_span(&p, request->fingerprint);
    pack_span(&p, request->campaign);
    pack_span(&p, request->channel);
    pack_span(&p, request->provider);
    pack_span(&p, request->identity);
    pack_span(&p, request->request);
    pack_policy(&p, request);
    msgpack_pack_int64(&p, request->recorded_ms);
    msgpack_pack_int64(&p, request->not_before_ms);
    pack_span(&p, request->token);
    msgpack_pack_int64(&p, request->claim_ms);
    msgpack_pack_int64(&p, request->wait_ms);
    pack_span(&p, request->trace);
    pack_span(&p, request->contact);
    msgpack_pack_int64(&p, request->hold_ms);
    msgpack_pack_int64(&p, request->lease_ms);
    store_record_send(store, &script_request, request->id, deliver_request, (void (*)(void))fn, arg);
}
