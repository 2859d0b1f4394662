/*
 * Chance that repeats: every decision is a hash of the seed and of what the call is, never of when it
 * arrived. So the same seed and the same calls give the same outcomes in any order and at any speed. Pure
 * functions.
 */
#ifndef IVR_SIMULATOR_CHANCE_H
#define IVR_SIMULATOR_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

/* 64 well mixed bits of a text; not for secrets. */
uint64_t sim_hash(uint64_t seed, struct span text);
/* 64 well mixed bits of two numbers: the way to draw a further die from one that was thrown. */
uint64_t sim_mix(uint64_t a, uint64_t b);

/* True with the probability `p` (0 to 1). */
bool sim_chance(uint64_t dice, double p);

/* Milliseconds, both ends included. */
struct sim_range {
    int64_t low_ms, high_ms;
};

int64_t sim_between(uint64_t dice, struct sim_range range);

#endif
