#include "tests/simulator/tally.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { FIRST_CAP = 1024, SECOND_US = 1000000 };

void sim_tally_done(struct sim_tally *tally)
{
    free(tally->rows);
    *tally = (struct sim_tally){0};
}

/* Where the key is or would go: rows are never removed, so a chain ends at the first empty one. */
static struct sim_tally_row *probe(struct sim_tally_row *rows, size_t cap, uint64_t key)
{
    size_t at = (size_t)key & (cap - 1);
    while (rows[at].key != 0 && rows[at].key != key)
        at = (at + 1) & (cap - 1);
    return &rows[at];
}

static void grow(struct sim_tally *tally)
{
    size_t cap = tally->cap ? tally->cap * 2 : FIRST_CAP;
    struct sim_tally_row *rows = mem_calloc(cap, sizeof *rows);
    for (size_t i = 0; i < tally->cap; i++) {
        if (tally->rows[i].key != 0)
            *probe(rows, cap, tally->rows[i].key) = tally->rows[i];
    }
    free(tally->rows);
    tally->rows = rows;
    tally->cap = cap;
}

/* 0 marks an empty row. */
static uint64_t stored(uint64_t key)
{
    return key ? key : 1;
}

struct sim_tally_row *sim_tally_at(struct sim_tally *tally, uint64_t key)
{
    if (tally->n * 4 >= tally->cap * 3)
        grow(tally);
    struct sim_tally_row *row = probe(tally->rows, tally->cap, stored(key));
    if (row->key == 0) {
        row->key = stored(key);
        tally->n++;
    }
    return row;
}

struct sim_tally_row *sim_tally_find(struct sim_tally *tally, uint64_t key)
{
    if (tally->cap == 0)
        return NULL;
    struct sim_tally_row *row = probe(tally->rows, tally->cap, stored(key));
    return row->key ? row : NULL;
}

void sim_window_done(struct sim_window *window)
{
    free(window->at_us);
    *window = (struct sim_window){0};
}

static void widen(struct sim_window *window)
{
    size_t cap = window->cap ? window->cap * 2 : FIRST_CAP;
    int64_t *at_us = mem_alloc(cap * sizeof *at_us);
    for (size_t i = 0; i < window->n; i++)
        at_us[i] = window->at_us[(window->first + i) & (window->cap - 1)];
    free(window->at_us);
    window->at_us = at_us;
    window->cap = cap;
    window->first = 0;
}

void sim_window_add(struct sim_window *window, int64_t now_us)
{
    while (window->n && window->at_us[window->first] <= now_us - SECOND_US) {
        window->first = (window->first + 1) & (window->cap - 1);
        window->n--;
    }
    if (window->n == window->cap)
        widen(window);
    window->at_us[(window->first + window->n++) & (window->cap - 1)] = now_us;
    if (window->n > window->most)
        window->most = window->n;
}
