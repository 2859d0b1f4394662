#include "common/redis/redis_slot.h"

#include <string.h>

/* Polynomial 0x1021, start 0, nothing reflected. Keys to be hashed are short ("{ivr:07}"), so bit by bit. */
uint16_t redis_crc16(struct span bytes)
{
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.n; i++) {
        crc ^= (unsigned)(unsigned char)bytes.p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return (uint16_t)(crc & 0xffff);
}

/* The part of the key that decides. */
static struct span hashed_part(struct span key)
{
    const char *open = key.n > 0 ? memchr(key.p, '{', key.n) : NULL;
    size_t left = open != NULL ? key.n - (size_t)(open + 1 - key.p) : 0;
    const char *close = left > 0 ? memchr(open + 1, '}', left) : NULL;

    if (close == NULL || close == open + 1)
        return key;
    return span_of(open + 1, (size_t)(close - open - 1));
}

int redis_slot_of(struct span key)
{
    return redis_crc16(hashed_part(key)) % REDIS_SLOTS;
}
