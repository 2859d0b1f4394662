#include "common/kafka/offsets.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { FIRST_SIZE = 64 };

/*
 * A ring of the offsets from the first that is not done to the last taken, each with its done bit. Without
 * gaps in the log's numbering an offset's place follows from its distance to the first; with gaps it is
 * nearer, and found by halving.
 */
struct offsets {
    uint64_t *ring; /* offset * 2 + done */
    size_t size;    /* a power of two, 0 before the first take */
    size_t first;   /* place in `ring` */
    size_t n;       /* entries in `ring`; the first one is never done */
    size_t pending;
    int64_t last_taken; /* -1: none */
    int64_t commit;
    int64_t end; /* below it is no record that was not taken; -1: not known */
};

static uint64_t *entry(const struct offsets *o, size_t i)
{
    return &o->ring[(o->first + i) & (o->size - 1)];
}

static int64_t offset_at(const struct offsets *o, size_t i)
{
    return (int64_t)(*entry(o, i) >> 1);
}

static bool done_at(const struct offsets *o, size_t i)
{
    return (*entry(o, i) & 1) != 0;
}

struct offsets *offsets_new(void)
{
    struct offsets *o = mem_calloc(1, sizeof(*o));

    o->last_taken = -1;
    o->commit = -1;
    o->end = -1;
    return o;
}

void offsets_free(struct offsets **offsets)
{
    if (*offsets == NULL)
        return;
    free((*offsets)->ring);
    free(*offsets);
    *offsets = NULL;
}

static void grow(struct offsets *o)
{
    size_t size = o->size > 0 ? o->size * 2 : FIRST_SIZE;
    uint64_t *ring = mem_alloc(size * sizeof(*ring));

    for (size_t i = 0; i < o->n; i++)
        ring[i] = *entry(o, i);
    free(o->ring);
    o->ring = ring;
    o->size = size;
    o->first = 0;
}

void offsets_take(struct offsets *o, int64_t offset)
{
    assert(offset >= 0 && offset > o->last_taken && offset >= o->end);
    if (o->n == o->size)
        grow(o);
    o->last_taken = offset;
    o->n++;
    o->pending++;
    *entry(o, o->n - 1) = (uint64_t)offset << 1;
}

/* The place of a taken offset that is not below the first one. */
static size_t find(const struct offsets *o, int64_t offset)
{
    size_t low = 0;
    uint64_t distance = (uint64_t)(offset - offset_at(o, 0));
    size_t high = distance < o->n ? (size_t)distance : o->n - 1;

    if (offset_at(o, high) == offset)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (offset_at(o, middle) < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void offsets_done(struct offsets *o, int64_t offset)
{
    assert(o->n > 0 && offset >= offset_at(o, 0));
    size_t i = find(o, offset);

    assert(offset_at(o, i) == offset && !done_at(o, i));
    *entry(o, i) |= 1;
    o->pending--;
    while (o->n > 0 && done_at(o, 0)) {
        o->commit = offset_at(o, 0) + 1;
        o->first = (o->first + 1) & (o->size - 1);
        o->n--;
    }
}

void offsets_end(struct offsets *o, int64_t offset)
{
    assert(offset > o->last_taken && offset >= o->end);
    o->commit = offsets_commit(o); /* an earlier end stays passed, whatever is pending behind it */
    o->end = offset;
}

size_t offsets_pending(const struct offsets *o)
{
    return o->pending;
}

int64_t offsets_commit(const struct offsets *o)
{
    bool end_reached = o->n == 0 || offset_at(o, 0) >= o->end;

    return end_reached && o->end > o->commit ? o->end : o->commit;
}
