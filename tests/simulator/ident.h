/* The 128 bits that name a call (sim_call_bits) as the hex digits that every provider's ids are made of.
 * Pure. */
#ifndef IVR_SIMULATOR_IDENT_H
#define IVR_SIMULATOR_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

enum { SIM_HEX_LEN = 32 };

/* Writes 32 lower-case digits, without a NUL. */
void sim_hex_write(char out[SIM_HEX_LEN], const uint64_t bits[2]);
/* Reads exactly those; false for anything else. */
bool sim_hex_read(struct span text, uint64_t bits[2]);

#endif
