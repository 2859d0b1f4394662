#include "tests/simulator/ident.h"

void sim_hex_write(char out[SIM_HEX_LEN], const uint64_t bits[2])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < SIM_HEX_LEN; i++)
        out[i] = hex[bits[i / 16] >> (60 - i % 16 * 4) & 15];
}

bool sim_hex_read(struct span text, uint64_t bits[2])
{
    if (text.n != SIM_HEX_LEN)
        return false;
    bits[0] = bits[1] = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        bits[i / 16] = bits[i / 16] << 4 | (uint64_t)digit;
    }
    return true;
}
