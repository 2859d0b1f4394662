/* Calls that nobody looks after any more: settle.lua. */
#include "workers/calls/settle.h"

#include <stdio.h>

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

static void deliver_settle(enum store_status status, const msgpack_object *results, void (*fn)(void),
                           void *arg)
{
    static const char *const words[] = {[SETTLED_CLAIM_LOST] = "claim_lost",
                                        [SETTLED_NO_REPORT] = "no_report",
                                        [SETTLED_LOOK_UP] = "look_up",
                                        [SETTLED_FIND] = "find"};
    struct calls_settled items[STORE_BATCH];
    size_t n = 0;
    for (; results != NULL && n < results->via.array.size && n < STORE_BATCH; n++) {
        const msgpack_object *item = &results->via.array.ptr[n];
        struct calls_settled *settled = &items[n];
        *settled = (struct calls_settled){
            .id = pack_get_span(item, 0),
            .attempt = (int)pack_get_int(item, 1),
            .what = (enum calls_settled_what)answer_word(item, 2, words, sizeof(words) / sizeof(words[0])),
            .channel = pack_get_span(item, 3),
            .provider_call_id = pack_get_span(item, 4)};
        if (settled->what == SETTLED_FIND) {
            settled->request = pack_get_span(item, 5);
            settled->placed_ms = pack_get_int(item, 6);
        }
    }
    ((calls_settle_fn)fn)(status, items, n, arg);
}

void calls_settle(struct store *store, unsigned shard, unsigned limit, unsigned look_ups, calls_settle_fn fn,
                  void *arg)
{
    char most[16], room[16];
    snprintf(most, sizeof(most), "%u", limit < STORE_BATCH ? limit : STORE_BATCH);
    snprintf(room, sizeof(room), "%u", look_ups);
    const struct span args[] = {span_str(most), span_str(room)};
    store_run(store, &script_settle, shard, args, 2, deliver_settle, (void (*)(void))fn, arg);
}
