/*
 * What may be shown of people: IVR_PII, one answer for the whole process. Every text of others goes through
 * here on its way out (events, dead letters, logs, errors, what ivrctl prints), so that no place has an
 * opinion of its own.
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
/* What stands where a number is expected and may be none: nothing of it is shown but what pii_add_text()
 * leaves of the numbers in it, or, where it finds none, what pii_add_number() leaves. */
void pii_add_would_be_number(struct buf *b, struct span text);

#endif
