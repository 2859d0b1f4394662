/*
 * How much of a phone number may be shown: IVR_PII, the same in the whole process. Every text of others
 * passes through here before it leaves the process (events, dead letters, logs, errors, what ivrctl prints).
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
/* A text that should be a number and may be none. Where there are numbers in it they are shown as
 * pii_add_text() shows them; otherwise the whole text is shown as if it were one, by pii_add_number(). */
void pii_add_would_be_number(struct buf *b, struct span text);

#endif
