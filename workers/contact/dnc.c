#include "workers/contact/dnc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "scripts.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { FROM_MAX = 512, KEY_MAX = 320, NUMBERS_MAX = 4 * 1024 * 1024 };

/* ---- a number ---- */

static bool is_one(const msgpack_object *result)
{
    return result != NULL && result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 == 1;
}

static void deliver(enum store_status status, const msgpack_object *result, void (*fn)(void), void *arg)
{
    ((dnc_edit_fn)fn)(status, is_one(result), arg);
}

static void edit(struct store *store, struct span what, struct span tenant, struct span number,
                 struct span audit, dnc_edit_fn fn, void *arg)
{
    msgpack_packer p;
    store_record_begin(store, &p, audit.n > 0 ? 4 : 3);
    pack_span(&p, what);
    pack_span(&p, tenant);
    pack_span(&p, number);
    if (audit.n > 0)
        pack_span(&p, audit);
    store_record_send(store, &script_dnc_edit, number, deliver, (void (*)(void))fn, arg);
}

void dnc_add(struct store *store, struct span tenant, struct span number, struct span audit, dnc_edit_fn fn,
             void *arg)
{
    edit(store, SPAN_LIT("add"), tenant, number, audit, fn, arg);
}

void dnc_remove(struct store *store, struct span tenant, struct span number, struct span audit,
                dnc_edit_fn fn, void *arg)
{
    edit(store, SPAN_LIT("remove"), tenant, number, audit, fn, arg);
}

/* ---- a page of a list: a page of each shard, merged ---- */

struct dnc_listing {
    struct store *store;
    unsigned out, limit;
    enum store_status status;
    dnc_list_fn fn;
    void *arg;
    struct buf text; /* the numbers one after the other */
    size_t *ends;
    size_t n;
};

static int by_number(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    size_t n = left->n < right->n ? left->n : right->n;
    int order = memcmp(left->p, right->p, n);
    return order != 0 ? order : (left->n > right->n) - (left->n < right->n);
}

static void give(struct dnc_listing *listing)
{
    struct span *numbers = mem_calloc(listing->n + 1, sizeof(*numbers));
    for (size_t i = 0, from = 0; i < listing->n; from = listing->ends[i++])
        numbers[i] = span_of(listing->text.p + from, listing->ends[i] - from);
    if (listing->n > 0)
        qsort(numbers, listing->n, sizeof(*numbers), by_number);
    listing->fn(listing->status, numbers, listing->n < listing->limit ? listing->n : listing->limit,
                listing->arg);
    free(numbers);
    free(listing->ends);
    buf_done(&listing->text);
    free(listing);
}

static void on_page(const struct redis_result *result, void *arg)
{
    struct dnc_listing *listing = arg;
    store_command_ended(listing->store);
    if (result->status != REDIS_OK)
        listing->status = store_status_of(result);
    for (long i = 0; result->status == REDIS_OK && i < redis_reply_len(result->reply); i++) {
        struct span number = SPAN_NONE;
        redis_reply_span(redis_reply_at(result->reply, (size_t)i), &number);
        buf_addspan(&listing->text, number);
        listing->ends[listing->n++] = listing->text.n;
    }
    if (--listing->out == 0)
        give(listing);
}

void dnc_list(struct store *store, struct span tenant, struct span after, unsigned limit, dnc_list_fn fn,
              void *arg)
{
    struct dnc_listing *listing = mem_calloc(1, sizeof(*listing));
    struct buf key, from;
    char most[16];
    unsigned shards = store_shards(store);
    limit = limit < DNC_PAGE_MAX ? limit : DNC_PAGE_MAX;
    *listing = (struct dnc_listing){
        .store = store, .out = shards, .limit = limit, .status = STORE_OK, .fn = fn, .arg = arg};
    buf_init(&listing->text, NUMBERS_MAX);
    listing->ends = mem_calloc((size_t)shards * limit + 1, sizeof(*listing->ends));
    snprintf(most, sizeof(most), "%u", limit);
    buf_init(&key, KEY_MAX);
    buf_init(&from, FROM_MAX);
    buf_addf(&from, "%s%.*s", after.n > 0 ? "(" : "-", SPAN_ARG(after));
    for (unsigned shard = 0; shard < shards; shard++) {
        buf_clear(&key);
        key_add(&key, store_shard_key(store, shard), KEY_DO_NOT_CALL, tenant);
        const struct span argv[] = {SPAN_LIT("ZRANGEBYLEX"), buf_span(&key), buf_span(&from), SPAN_LIT("+"),
                                    SPAN_LIT("LIMIT"),       SPAN_LIT("0"),  span_str(most)};
        store_command(store, argv, 7, on_page, listing);
    }
    buf_done(&from);
    buf_done(&key);
}
