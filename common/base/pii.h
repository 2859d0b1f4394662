/*
 * What may be shown of people: IVR_PII, one answer for the whole process. Every text of others goes through
 * here on its way out (events, dead letters, logs, errors, what ivrctl prints), so that no place has an
 * opinion of its own.
 */
#ifndef IVR_COMMON_PII_H
#define IVR_COMMON_PII_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/phone.h"
#include "common/base/span.h"

/* At start, before there are threads; the key is copied, SPAN_NONE without. Before it numbers are masked. */
void pii_setup(enum phone_shown shown, struct span key);
/* The keys of metadata that are shown, with commas between, copied; "*" among them: all, as before it. */
void pii_setup_metadata(struct span keys);
bool pii_keeps_metadata(struct span key);
/* Whether there is a key of metadata that is hidden. */
bool pii_hides_metadata(void);

/* What a search by number goes by, and what IVR_PII=hash shows: "h:" and 32 hex digits. False, and nothing appended,
 * without a key. */
bool pii_hash(struct span number, struct buf *out);
/* A phone number, as phone_add_shown() does. */
void pii_add_number(struct buf *b, struct span number);
/* A text that may quote phone numbers, as phone_add_masked_text() does. */
void pii_add_text(struct buf *b, struct span text);
/* What stands where a number is expected and may be none: nothing of it is shown but what pii_add_text()
 * leaves of the numbers in it, or, where it finds none, what pii_add_number() leaves. */
void pii_add_would_be_number(struct buf *b, struct span text);

#endif
