/* Early callbacks: park.lua, parked.lua, unpark.lua. */
#include "workers/calls/parking.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/number.h"
#include "scripts.h"
#include "workers/store/verbs.h"

enum {
    MAX_PARKED = 32, /* of an id, in one answer */
    MAX_OVERDUE = 16,
    OVERDUE_BYTES = 1024 * 1024, /* in one answer, about */
    OVERDUE_LEASE_MS = 30000,    /* longer than Kafka takes for an acknowledgement, but for an outage */
};

/* A script call outside the batches, and whom to tell. */
struct parking_command {
    struct store *store;
    void (*fn)(void);
    void *arg;
};

static void ask(struct store *store, const struct redis_script *script, unsigned shard,
                const struct span *args, size_t argc, redis_fn on_reply, void (*fn)(void), void *arg)
{
    struct parking_command *command = mem_alloc(sizeof(*command));
    *command = (struct parking_command){store, fn, arg};
    store_eval(store, script, shard, args, argc, on_reply, command);
}

static struct parking_command command_end(void *arg)
{
    struct parking_command command = *(struct parking_command *)arg;
    free(arg);
    store_command_ended(command.store);
    return command;
}

/* {field, value, field, value, ...} */
static size_t parked_of(const void *reply, struct calls_parked parked[MAX_PARKED])
{
    size_t n = 0;
    for (long i = 0; i + 1 < redis_reply_len(reply) && n < MAX_PARKED; i += 2, n++) {
        redis_reply_span(redis_reply_at(reply, (size_t)i), &parked[n].field);
        redis_reply_span(redis_reply_at(reply, (size_t)i + 1), &parked[n].value);
    }
    return n;
}

/* Nothing: it was parked. Words begin with "!", and no reference does. */
static enum calls_park_what park_what(struct span answer)
{
    if (answer.n == 0)
        return PARK_PARKED;
    if (span_is(answer, "!id"))
        return PARK_FULL_ID;
    if (span_is(answer, "!channel"))
        return PARK_FULL_CHANNEL;
    return span_is(answer, "!all") ? PARK_FULL : PARK_LINKED;
}

static void on_park(const struct redis_result *result, void *arg)
{
    struct parking_command command = command_end(arg);
    struct span answer = SPAN_NONE;
    enum calls_park_what what = PARK_NOTHING;
    if (result->status == REDIS_OK) {
        redis_reply_span(result->reply, &answer);
        what = park_what(answer);
    }
    ((calls_park_fn)command.fn)(store_status_of(result), what, answer, command.arg);
}

static unsigned shard_of_parked(struct store *store, struct span id)
{
    static const struct span call = SPAN_LIT("call:");
    if (id.n > call.n && memcmp(id.p, call.p, call.n) == 0)
        id = span_of(id.p + call.n, id.n - call.n);
    return store_shard_of(store, id);
}

/* A shard's part of what may be parked in all: ids are spread over them by a hash. */
static int64_t part_of(const struct store *store, int64_t in_all)
{
    int64_t part = in_all / store_shards(store);
    return part > 0 ? part : 1;
}

void calls_park(struct store *store, const struct calls_call *call, const struct calls_parked *callback,
                calls_park_fn fn, void *arg)
{
    char keep[NUMBER_LEN], most[6][NUMBER_LEN];
    const struct span args[] = {call->provider_id,
                                callback->field,
                                callback->value,
                                number_write(keep, store_unknown_keep_ms(store)),
                                call->channel,
                                number_write(most[0], CALLS_PARK_ID_N),
                                number_write(most[1], CALLS_PARK_ID_BYTES),
                                number_write(most[2], part_of(store, CALLS_PARK_CHANNEL_N)),
                                number_write(most[3], part_of(store, CALLS_PARK_CHANNEL_BYTES)),
                                number_write(most[4], part_of(store, CALLS_PARK_N)),
                                number_write(most[5], part_of(store, CALLS_PARK_BYTES))};
    ask(store, &script_park, shard_of_parked(store, call->provider_id), args, sizeof(args) / sizeof(args[0]),
        on_park, (void (*)(void))fn, arg);
}

/* {more, id, known, {field, value, ...}, id, ...} */
static void on_overdue(const struct redis_result *result, void *arg)
{
    struct parking_command command = command_end(arg);
    struct calls_parked parked[MAX_OVERDUE][MAX_PARKED];
    struct calls_overdue items[MAX_OVERDUE];
    struct span more = SPAN_NONE;
    size_t n = 0;
    const void *reply = result->reply;
    if (result->status == REDIS_OK)
        redis_reply_span(redis_reply_at(reply, 0), &more);
    for (long i = 1; result->status == REDIS_OK && i + 2 < redis_reply_len(reply) && n < MAX_OVERDUE;
         i += 3, n++) {
        struct span known = SPAN_NONE;
        redis_reply_span(redis_reply_at(reply, (size_t)i), &items[n].provider_id);
        redis_reply_span(redis_reply_at(reply, (size_t)i + 1), &known);
        items[n].known = span_is(known, "1");
        items[n].n = parked_of(redis_reply_at(reply, (size_t)i + 2), parked[n]);
        items[n].parked = parked[n];
    }
    ((calls_overdue_fn)command.fn)(store_status_of(result), items, n, span_is(more, "1"), command.arg);
}

void calls_overdue(struct store *store, unsigned shard, calls_overdue_fn fn, void *arg)
{
    char most[NUMBER_LEN], lease[NUMBER_LEN], longest[NUMBER_LEN], page[NUMBER_LEN], bytes[NUMBER_LEN];
    const struct span args[] = {number_write(most, MAX_OVERDUE), number_write(lease, OVERDUE_LEASE_MS),
                                number_write(longest, store_unknown_keep_ms(store)),
                                number_write(page, MAX_PARKED), number_write(bytes, OVERDUE_BYTES)};
    ask(store, &script_parked, shard, args, 5, on_overdue, (void (*)(void))fn, arg);
}

static void on_unpark(const struct redis_result *result, void *arg)
{
    (void)result;
    command_end(arg);
}

void calls_unpark(struct store *store, struct span provider_id, struct span field)
{
    const struct span args[] = {provider_id, field};
    ask(store, &script_unpark, shard_of_parked(store, provider_id), args, 2, on_unpark, NULL, NULL);
}
