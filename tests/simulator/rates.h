/*
 * How fast each channel places: the most placements in any one second, told apart by provider and `from`,
 * which is what a provider's limit is about. Memory grows with the number of channels, up to a limit.
 */
#ifndef IVR_SIMULATOR_RATES_H
#define IVR_SIMULATOR_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "tests/simulator/tally.h"

enum { SIM_RATES_MOST = 256, SIM_RATES_FROM = 32 };

struct sim_rate {
    const char *provider; /* static */
    char from[SIM_RATES_FROM];
    size_t from_n;
    uint64_t placements;
    struct sim_window window;
};

/* Zeroed is empty. */
struct sim_rates {
    struct sim_rate *rows;
    size_t n;
};

void sim_rates_done(struct sim_rates *rates); /* frees; empty afterwards */
/* A placement at `now_us`. Past SIM_RATES_MOST channels, further ones are not told apart: they are one, whose
 * `from` is "other". */
void sim_rates_add(struct sim_rates *rates, const char *provider, struct span from, int64_t now_us);
/* "channels": {"twilio +254711082000": {"placements": 7, "max_placements_in_a_second": 3}} */
void sim_rates_show(const struct sim_rates *rates, struct buf *out);

#endif
