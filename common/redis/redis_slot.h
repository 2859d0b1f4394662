/*
 * Slots of a Redis Cluster: CRC16 (XMODEM) of the key, or of what stands between its first '{' and the next
 * '}' where that is not empty, modulo 16384 (https://redis.io/docs/latest/operate/oss_and_stack/reference/
 * cluster-spec/, "Key distribution model").
 */
#ifndef IVR_COMMON_REDIS_SLOT_H
#define IVR_COMMON_REDIS_SLOT_H

#include <stdint.h>

#include "common/base/span.h"

enum { REDIS_SLOTS = 16384 };

uint16_t redis_crc16(struct span bytes);
/* 0 to REDIS_SLOTS - 1. */
int redis_slot_of(struct span key);

#endif
