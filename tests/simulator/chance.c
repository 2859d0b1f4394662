#include "tests/simulator/chance.h"

#include <string.h>

/* The finisher spreads every input bit over all output bits; the constants are large odd numbers without
 * pattern. */
static uint64_t spread(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9E6C63D0876A3F6B);
    x ^= x >> 29;
    x *= UINT64_C(0xD1B54A32D192ED03);
    return x ^ (x >> 32);
}

uint64_t sim_mix(uint64_t a, uint64_t b)
{
    return spread(spread(a + UINT64_C(0x9E3779B97F4A7C15)) ^ b);
}

uint64_t sim_hash(uint64_t seed, struct span text)
{
    uint64_t sum = sim_mix(seed, text.n);
    size_t at = 0;
    for (; at + 8 <= text.n; at += 8) {
        uint64_t word;
        memcpy(&word, text.p + at, 8);
        sum = spread(sum ^ word);
    }
    if (at < text.n) {
        uint64_t word = 0;
        memcpy(&word, text.p + at, text.n - at);
        sum = spread(sum ^ word);
    }
    return spread(sum);
}

bool sim_chance(uint64_t dice, double p)
{
    return (double)(dice >> 11) < p * (double)(UINT64_C(1) << 53);
}

int64_t sim_between(uint64_t dice, struct sim_range range)
{
    uint64_t width = (uint64_t)(range.high_ms - range.low_ms) + 1;
    return range.low_ms + (int64_t)(dice % width);
}
