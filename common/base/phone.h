/* E.164 numbers: "+" and 7 to 15 digits, the first not 0; and how a number is shown (IVR_PII). */
#ifndef IVR_COMMON_PHONE_H
#define IVR_COMMON_PHONE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"

enum phone_shown { PHONE_MASK, PHONE_HASH, PHONE_PLAIN };

bool phone_valid(struct span number);

/*
 * Appends the number as `shown` asks:
 *
 *     mask    the first five characters, four stars, the last four ("+2547****1234");
 *             of a number under ten digits: stars, then the last two
 *     hash    "h:" and 32 hex digits of HMAC-SHA256 under `key`
 *     plain   as it is
 *
 * Works for any text, so that a malformed "to" can be quoted in a dead letter without giving the number away.
 */
void phone_add_shown(struct buf *b, struct span number, enum phone_shown shown, struct span key);

/*
 * Copies `text`; every phone number in it is shown as `shown` asks, however it is spelled: with blanks,
 * dashes, dots, brackets or underscores between its digits, with "+", "00" or in national form, in the digits
 * of any script, with characters between that nobody sees, percent-encoded or with JSON's escapes. Where
 * there is any doubt it is a number, so this also hides an unbroken run of seven digits that is none. What it
 * leaves alone as no number: UUIDs and other ids where letters and digits alternate, dates and times (also
 * 20261122185050, and milliseconds since 1970), IPv4 addresses, amounts with decimals, and of a longer name's
 * digits those that are eight or fewer ("call-1234567").
 *
 * A number's digits are shown together, as phone_add_shown does ("+254 722 000 111": "+2547****0111"); of one
 * without its country code only the last two, since the first five would be nearly all of it. The hash of one
 * with "+" or "00" is that of its E.164 form. Text that has passed once passes a second time
 * unchanged, but for what nobody would write.
 */
void phone_add_masked_text(struct buf *b, struct span text, enum phone_shown shown, struct span key);

#endif
