/* The right to dial, and what became of it: claim.lua, outcome.lua. */
#include "workers/calls/claims.h"

#include <assert.h>

#include "common/base/crypto.h"
#include "scripts.h"
#include "workers/calls/evidence_pack.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

void calls_token(char out[CALLS_TOKEN_LEN + 1])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    uint8_t bytes[CALLS_TOKEN_LEN];
    crypto_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < CALLS_TOKEN_LEN; i++)
        out[i] = digits[bytes[i] & 63];
    out[CALLS_TOKEN_LEN] = '\0';
}

struct calls_claimed calls_read_claimed(const msgpack_object *result)
{
    if (result == NULL)
        return (struct calls_claimed){0, 0};
    return (struct calls_claimed){(int)pack_get_int(result, 1), (int)pack_get_int(result, 2)};
}

static void deliver_claim(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    static const char *const words[] = {
        [CLAIM_TAKEN] = "claimed", [CLAIM_HALTED] = "halted", [CLAIM_NO] = "no", [CLAIM_OVER] = "over"};
    enum calls_claim_what what = CLAIM_NOTHING;
    if (result != NULL)
        what = (enum calls_claim_what)answer_word(result, 0, words, sizeof(words) / sizeof(words[0]));
    ((calls_claim_fn)fn)(status, what, calls_read_claimed(result), arg);
}

void calls_claim(struct store *store, const struct calls_claim *claim, calls_claim_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, 9);
    pack_span(&p, claim->id);
    pack_span(&p, claim->token);
    msgpack_pack_int64(&p, claim->claim_ms);
    pack_span(&p, claim->channel);
    pack_span(&p, claim->provider);
    pack_span(&p, claim->trace);
    pack_span(&p, claim->contact);
    msgpack_pack_int64(&p, claim->line);
    msgpack_pack_int64(&p, claim->hold_ms);
    store_record_send(store, &script_claim, claim->id, deliver_claim, (void (*)(void))fn, arg);
}

/* 0, 1, 2 in the order of the enumerators. */
static void deliver_outcome(enum store_status status, const msgpack_object *result, void (*fn)(void),
                            void *arg)
{
    enum calls_outcome_what what = RECORDED_NOTHING;
    if (status == STORE_OK)
        what = (enum calls_outcome_what)answer_number(result, 3);
    ((calls_outcome_fn)fn)(status, what, arg);
}

void calls_outcome(struct store *store, const struct calls_outcome *outcome, calls_outcome_fn fn, void *arg)
{
    static const char *const kinds[] = {
        [OUTCOME_ACCEPTED] = "accepted",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_REFUSED_NOW] = "refused_now",
        [OUTCOME_DOUBT] = "doubt",
        [OUTCOME_UNREACHED] = "unreached",
        [OUTCOME_ELSEWHERE] = "elsewhere",
        [OUTCOME_BACK] = "back",
        [OUTCOME_BUSY] = "busy",
        [OUTCOME_LISTED] = "listed",
    };
    msgpack_packer p;
    assert(outcome->kind != OUTCOME_NOTHING);
    store_record_begin(store, &p, 10);
    pack_span(&p, outcome->id);
    msgpack_pack_int64(&p, outcome->attempt);
    pack_span(&p, outcome->token);
    pack_str(&p, kinds[outcome->kind]);
    pack_evidence(&p, outcome->evidence);
    msgpack_pack_int64(&p, outcome->wait_ms);
    pack_jitter(&p);
    pack_span(&p, outcome->trace);
    pack_span(&p, outcome->channel);
    pack_span(&p, outcome->provider);
    store_record_send(store, &script_outcome, outcome->id, deliver_outcome, (void (*)(void))fn, arg);
}
