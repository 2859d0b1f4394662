#include "workers/report/dirty.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { FIRST_BUCKETS = 256, FIRST_HEAP = 64, NOT_WAITING = -1 };

/* One record that an entry holds. */
struct hold {
    struct hold *next;
    struct kafka_record *record;
};

struct dirty_entry {
    struct dirty_entry *next; /* in its bucket */
    uint64_t hash;
    struct summary_key key; /* spans into `text` */
    int64_t due_mono_ms;
    ptrdiff_t place;       /* in the heap; NOT_WAITING while it is out */
    bool marked;           /* while it was out */
    bool failed;           /* its last round */
    struct hold *held;     /* since it was last read */
    struct hold *held_out; /* by the round that is out */
    char text[];
};

struct dirty {
    dirty_done_fn done;
    void *arg;
    struct dirty_entry **buckets;
    size_t buckets_n; /* a power of two */
    size_t n;
    size_t failed_n;           /* entries whose last round failed */
    struct dirty_entry **heap; /* the waiting ones, the earliest first */
    size_t heap_n, heap_cap;
};

/* ---- the heap ---- */

static void put(struct dirty *dirty, size_t place, struct dirty_entry *entry)
{
    dirty->heap[place] = entry;
    entry->place = (ptrdiff_t)place;
}

static void rise(struct dirty *dirty, struct dirty_entry *entry)
{
    size_t place = (size_t)entry->place;
    while (place > 0 && dirty->heap[(place - 1) / 2]->due_mono_ms > entry->due_mono_ms) {
        put(dirty, place, dirty->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(dirty, place, entry);
}

static void sink(struct dirty *dirty, struct dirty_entry *entry)
{
    size_t place = (size_t)entry->place;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < dirty->heap_n &&
            dirty->heap[child + 1]->due_mono_ms < dirty->heap[child]->due_mono_ms)
            child++;
        if (child >= dirty->heap_n || dirty->heap[child]->due_mono_ms >= entry->due_mono_ms)
            break;
        put(dirty, place, dirty->heap[child]);
        place = child;
    }
    put(dirty, place, entry);
}

static void wait_until(struct dirty *dirty, struct dirty_entry *entry, int64_t due_mono_ms)
{
    if (dirty->heap_n == dirty->heap_cap) {
        dirty->heap_cap = dirty->heap_cap > 0 ? 2 * dirty->heap_cap : FIRST_HEAP;
        dirty->heap = mem_realloc(dirty->heap, dirty->heap_cap * sizeof(struct dirty_entry *));
    }
    entry->due_mono_ms = due_mono_ms;
    put(dirty, dirty->heap_n++, entry);
    rise(dirty, entry);
}

static struct dirty_entry *pop(struct dirty *dirty)
{
    struct dirty_entry *first = dirty->heap[0], *last = dirty->heap[--dirty->heap_n];
    first->place = NOT_WAITING;
    if (last != first) {
        put(dirty, 0, last);
        sink(dirty, last);
    }
    return first;
}

/* ---- the table ---- */

static uint64_t hash_span(uint64_t hash, struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (uint8_t)text.p[i]) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u; /* so that "ab" "c" is not "a" "bc" */
}

static uint64_t hash_key(const struct summary_key *key)
{
    uint64_t hash = hash_span(14695981039346656037u, key->tenant);
    hash = hash_span(hash, key->campaign);
    if (key->window) {
        hash = hash_span(hash, key->channel);
        hash = (hash ^ (uint64_t)key->minute_ms) * 1099511628211u;
    }
    return hash ^ (hash >> 29);
}

static bool same_key(const struct summary_key *a, const struct summary_key *b)
{
    return a->window == b->window && a->minute_ms == b->minute_ms && span_eq(a->tenant, b->tenant) &&
           span_eq(a->campaign, b->campaign) && span_eq(a->channel, b->channel);
}

static struct dirty_entry **bucket_of(const struct dirty *dirty, uint64_t hash)
{
    return &dirty->buckets[hash & (dirty->buckets_n - 1)];
}

static void grow(struct dirty *dirty)
{
    struct dirty_entry **old = dirty->buckets;
    size_t old_n = dirty->buckets_n;
    dirty->buckets_n *= 2;
    dirty->buckets = mem_calloc(dirty->buckets_n, sizeof(struct dirty_entry *));
    for (size_t i = 0; i < old_n; i++) {
        while (old[i] != NULL) {
            struct dirty_entry *entry = old[i], **bucket = bucket_of(dirty, entry->hash);
            old[i] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

static char *copy_span(char *to, struct span *span)
{
    if (span->n > 0)
        memcpy(to, span->p, span->n);
    span->p = to;
    return to + span->n;
}

static struct dirty_entry *add(struct dirty *dirty, const struct summary_key *key, uint64_t hash)
{
    struct dirty_entry *entry =
        mem_alloc(sizeof(*entry) + key->tenant.n + key->campaign.n + key->channel.n + 1);
    *entry = (struct dirty_entry){.hash = hash, .key = *key, .place = NOT_WAITING};
    char *to = copy_span(entry->text, &entry->key.tenant);
    to = copy_span(to, &entry->key.campaign);
    copy_span(to, &entry->key.channel);
    if (dirty->n++ == dirty->buckets_n)
        grow(dirty);
    struct dirty_entry **bucket = bucket_of(dirty, hash);
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static struct dirty_entry *find(const struct dirty *dirty, const struct summary_key *key, uint64_t hash)
{
    struct dirty_entry *entry = *bucket_of(dirty, hash);
    while (entry != NULL && (entry->hash != hash || !same_key(&entry->key, key)))
        entry = entry->next;
    return entry;
}

static void forget(struct dirty *dirty, struct dirty_entry *entry)
{
    struct dirty_entry **link = bucket_of(dirty, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    dirty->n--;
    free(entry);
}

/* ---- holding records ---- */

static size_t holders(const struct kafka_record *record)
{
    return (size_t)(uintptr_t)record->user[0];
}

static void set_holders(struct kafka_record *record, size_t n)
{
    record->user[0] = (void *)(uintptr_t)n;
}

bool dirty_holds(const struct kafka_record *record)
{
    return holders(record) > 0;
}

/* The partition is compared as assigned: after it was lost and gained again, offsets count anew. */
static bool holds_earlier(const struct hold *held, const struct kafka_record *record)
{
    while (held != NULL && held->record->partition != record->partition)
        held = held->next;
    return held != NULL;
}

static void hold_record(struct dirty_entry *entry, struct kafka_record *record)
{
    if (holds_earlier(entry->held, record))
        return;
    struct hold *hold = mem_alloc(sizeof(*hold));
    *hold = (struct hold){entry->held, record};
    entry->held = hold;
    set_holders(record, holders(record) + 1);
}

static void let_go(struct dirty *dirty, struct hold *held)
{
    while (held != NULL) {
        struct hold *hold = held;
        held = hold->next;
        set_holders(hold->record, holders(hold->record) - 1);
        if (!dirty_holds(hold->record))
            dirty->done(hold->record, dirty->arg);
        free(hold);
    }
}

static void free_holds(struct hold *held)
{
    while (held != NULL) {
        struct hold *hold = held;
        held = hold->next;
        free(hold);
    }
}

/* ---- the rest of the outside ---- */

struct dirty *dirty_new(dirty_done_fn done, void *arg)
{
    struct dirty *dirty = mem_calloc(1, sizeof(*dirty));
    dirty->done = done;
    dirty->arg = arg;
    dirty->buckets_n = FIRST_BUCKETS;
    dirty->buckets = mem_calloc(dirty->buckets_n, sizeof(struct dirty_entry *));
    return dirty;
}

void dirty_free(struct dirty **pointer)
{
    struct dirty *dirty = *pointer;
    *pointer = NULL;
    if (dirty == NULL)
        return;
    for (size_t i = 0; i < dirty->buckets_n; i++) {
        while (dirty->buckets[i] != NULL) {
            struct dirty_entry *entry = dirty->buckets[i];
            dirty->buckets[i] = entry->next;
            free_holds(entry->held);
            free_holds(entry->held_out);
            free(entry);
        }
    }
    free(dirty->buckets);
    free(dirty->heap);
    free(dirty);
}

void dirty_mark(struct dirty *dirty, const struct summary_key *key, int64_t due_mono_ms,
                struct kafka_record *record, bool hold)
{
    uint64_t hash = hash_key(key);
    struct dirty_entry *entry = find(dirty, key, hash);
    bool fresh = entry == NULL;
    if (fresh) {
        entry = add(dirty, key, hash);
        wait_until(dirty, entry, due_mono_ms);
    } else if (entry->place == NOT_WAITING && !entry->marked) {
        entry->marked = true;
        entry->due_mono_ms = due_mono_ms;
    }
    if (record != NULL && hold)
        hold_record(entry, record);
}

struct dirty_entry *dirty_take(struct dirty *dirty, int64_t now_mono_ms)
{
    if (dirty->heap_n == 0 || dirty->heap[0]->due_mono_ms > now_mono_ms)
        return NULL;
    struct dirty_entry *entry = pop(dirty);
    assert(entry->held_out == NULL);
    entry->held_out = entry->held;
    entry->held = NULL;
    entry->marked = false;
    return entry;
}

const struct summary_key *dirty_key(const struct dirty_entry *entry)
{
    return &entry->key;
}

void dirty_published(struct dirty *dirty, struct dirty_entry **pointer)
{
    struct dirty_entry *entry = *pointer;
    struct hold *held = entry->held_out;
    *pointer = NULL;
    entry->held_out = NULL;
    dirty->failed_n -= entry->failed;
    entry->failed = false;
    if (entry->marked)
        wait_until(dirty, entry, entry->due_mono_ms);
    else
        forget(dirty, entry);
    let_go(dirty, held);
}

void dirty_failed(struct dirty *dirty, struct dirty_entry **pointer, int64_t due_mono_ms)
{
    struct dirty_entry *entry = *pointer;
    struct hold **end = &entry->held_out;
    *pointer = NULL;
    dirty->failed_n += !entry->failed;
    entry->failed = true;
    while (*end != NULL)
        end = &(*end)->next;
    *end = entry->held; /* two of one partition are no harm, both are done together */
    entry->held = entry->held_out;
    entry->held_out = NULL;
    wait_until(dirty, entry, due_mono_ms);
}

bool dirty_behind(const struct dirty *dirty, int64_t now_mono_ms, int64_t late_ms)
{
    return dirty->failed_n > 0 || (dirty->heap_n > 0 && dirty->heap[0]->due_mono_ms < now_mono_ms - late_ms);
}

size_t dirty_count(const struct dirty *dirty)
{
    return dirty->n;
}
