#include "workers/calls/under_way.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { PAGE = STORE_BATCH };

static void deliver_page(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct span found[UNDER_WAY_CHANNELS_MAX];
    size_t n = 0;
    for (size_t i = 1; results != NULL && i < results->via.array.size && n < UNDER_WAY_CHANNELS_MAX; i++)
        found[n++] = pack_get_span(results, i);
    ((under_way_fn)fn)(status, results != NULL ? pack_get_span(results, 0) : SPAN_LIT("0"), found, n, arg);
}

void under_way_page(struct store *store, unsigned shard, struct span cursor, const struct span *channels,
                    size_t n, under_way_fn fn, void *arg)
{
    struct span args[2 + UNDER_WAY_CHANNELS_MAX];
    char page[16];
    assert(n <= UNDER_WAY_CHANNELS_MAX);
    snprintf(page, sizeof(page), "%d", PAGE);
    args[0] = cursor;
    args[1] = span_str(page);
    memcpy(args + 2, channels, n * sizeof(*channels));
    store_run(store, &script_under_way, shard, args, 2 + n, deliver_page, (void (*)(void))fn, arg);
}
