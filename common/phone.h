/* E.164 numbers: "+" and 7 to 15 digits, the first not 0; and how a number is shown (IVR_PII). */
#ifndef IVR_COMMON_PHONE_H
#define IVR_COMMON_PHONE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

enum phone_shown { PHONE_MASK, PHONE_HASH, PHONE_PLAIN };

bool phone_valid(struct span number);

/*
 * Appends the number as `shown` asks.
 * mask: the first five characters, four stars, the last four ("+2547****1234"); of a number under ten digits:
 * stars, then the last two. hash: "h:" and 32 hex digits of HMAC-SHA256 under `key`. plain: as it is. Works
 * for any text, so that a malformed "to" can be quoted in a dead letter without giving the number away.
 */
void phone_add_shown(struct buf *b, struct span number, enum phone_shown shown, struct span key);

/* Copies `text`, masking every run of 7 or more digits (with or without "+") in it. For sentences that quote
 * input. */
void phone_add_masked_text(struct buf *b, struct span text, enum phone_shown shown, struct span key);

#endif
