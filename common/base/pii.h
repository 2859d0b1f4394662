/*
 * How much of a phone number may be shown: IVR_PII, the same in the whole process. Every text of others
 * passes through here before it leaves the process (events, dead letters, logs, errors, what ivrctl prints).
 */
#ifndef IVR_COMMON_PII_H
#define IVR_COMMON_PII_H

#include "common/base/buf.h"
#include "common/base/phone.h"
#include "common/base/span.h"

/* At start, before there are threads; the key is copied. Without it numbers are masked. */
void pii_setup(enum phone_shown shown, struct span key);

/* A phone number, as phone_add_shown() does. */
void pii_add_number(struct buf *b, struct span number);
/* A text that may quote phone numbers, as phone_add_masked_text() does. */
void pii_add_text(struct buf *b, struct span text);
/* A text that should be a number and may be none. Where there are numbers in it they are shown as
 * pii_add_text() shows them; otherwise the whole text is shown as if it were one, by pii_add_number(). */
void pii_add_would_be_number(struct buf *b, struct span text);

#endif
