/*
 * Counting without keeping: how often each key came (a hash of it), and the most events in any one second.
 * Memory grows by some 30 bytes a key and never by the length of its text.
 */
#ifndef IVR_SIMULATOR_TALLY_H
#define IVR_SIMULATOR_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct sim_tally_row {
    uint64_t key;     /* 0: empty */
    uint64_t last;    /* whatever the caller keeps under the key; 0 at first */
    uint32_t asked;   /* placements, whatever became of them */
    uint32_t dialled; /* of them, those whose phone was dialled */
    uint32_t open;    /* of them, those that were not clearly refused: the caller must take them for possibly
                         dialled */
};

struct sim_tally {
    struct sim_tally_row *rows;
    size_t n, cap; /* cap is a power of two, 0 at first */
};

void sim_tally_done(struct sim_tally *tally); /* frees; empty afterwards */
/* The row under that key, new if need be. Valid until the next call. */
struct sim_tally_row *sim_tally_at(struct sim_tally *tally, uint64_t key);
/* The row under that key, or NULL. */
struct sim_tally_row *sim_tally_find(struct sim_tally *tally, uint64_t key);

/* The times of the last second, to know the most in any window of one second. */
struct sim_window {
    int64_t *at_us; /* a ring */
    size_t first, n, cap;
    size_t most;
};

void sim_window_done(struct sim_window *window);
void sim_window_add(struct sim_window *window, int64_t now_us);

#endif
