/*
 * Admission: may this channel be dialled now? The first step of admit -> claim -> outcome -> release.
 *
 * Today a channel is closed while it is suspended: the provider refused its key, its credit or its caller id,
 * which speaks of the channel and not of the call, so a typo in a secret must not burn a campaign. Every 30 s
 * one call goes out as a probe; the first one that is not refused opens the channel. Each process keeps its
 * own view: a suspension costs every replica one call's wait.
 */
#ifndef IVR_DISPATCH_GATE_H
#define IVR_DISPATCH_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct gates;

struct gates *gates_new(void);
void gates_free(struct gates **gates);

/* True: go on to the claim, and call gate_release once with what became of it. False: wait *wait_ms. */
bool gate_admit(struct gates *gates, struct span channel, int64_t mono_ms, int64_t *wait_ms);
enum gate_news { GATE_UNUSED, GATE_OPEN, GATE_SUSPENDED };
/* UNUSED: the admission was not used for a request. OPEN: the provider took the channel as it is. */
void gate_release(struct gates *gates, struct span channel, enum gate_news news, struct span reason,
                  int64_t mono_ms);
/* The names of the suspended channels, at most `max`; borrowed until the next call. Returns how many. */
size_t gates_suspended(const struct gates *gates, struct span *channels, size_t max);
/* An operator resumed the channel: its suspension ends. */
void gate_resume(struct gates *gates, struct span channel);
/* The channels file was read again: every suspension ends. */
void gates_reset(struct gates *gates);

#endif
