/*
 * Two clocks and the textual forms of time.
 *
 * wall_ms: milliseconds since 1970-01-01T00:00:00Z, may jump. mono_ms / mono_us: since some start, never goes
 * back; for time-outs and measurements only. A name always says which one it holds. Deadlines that replicas
 * share use Redis' time.
 */
#ifndef IVR_COMMON_CLOCK_H
#define IVR_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

enum { CLOCK_RFC3339_LEN = 24 }; /* 2026-11-22T18:50:50.123Z */

/* Writes 24 characters and a NUL; years 0000 to 9999 (others are clamped). */
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1]);
void clock_add_rfc3339(struct buf *b, int64_t wall_ms);
/* RFC 3339 with Z or an offset, 0 to 9 fraction digits (cut to ms), 'T' or 't' between. False when it does
 * not fit. */
bool clock_parse_rfc3339(struct span text, int64_t *wall_ms);
/* RFC 2822 as Twilio writes it: "Sat, 07 May 2022 14:30:14 +0000"; day name optional, GMT/UT/+hhmm/-hhmm. */
bool clock_parse_rfc2822(struct span text, int64_t *wall_ms);

/* "15m", "10s", "250ms", "7d": digits and one of ms, s, m, h, d. A bare number, a sign, a fraction, more than
 * ten years: false. */
bool clock_parse_duration(struct span text, int64_t *ms);
/* The shortest exact form: 90000 -> "90s", 900000 -> "15m". For logs and --check. */
void clock_add_duration(struct buf *b, int64_t ms);

#endif
