/*
 * The fields of a Twilio request, read from the text that its signature covers.
 *
 * That text is the URL and then each field, sorted by name, the name immediately followed by its value, with
 * nothing between them. So a signature does not say where a name ends and its value begins: who replays a
 * request may cut the same text elsewhere ("CallStatus", "completed..." or "CallStatusc", "ompleted...", or
 * the lot of it as one value), order the fields otherwise, drop what is there twice, and move text between
 * the fields and the URL. Hence nothing is read by the boundaries that a body has. A value is looked for in
 * the signed text itself: where its name stands, and as far as its kind of value goes. So:
 *
 *   What is read is a function of the signed text alone. Two bodies with one signature and one URL have one
 *   text, so they say the same.
 *
 * And of the URL: its path ends in the number of an attempt or in a channel's name, and the text of the
 * fields must begin with a capital letter, or with what no URL of ours holds (a per cent sign, a bad byte:
 * names that nobody knows sort there). Text that was moved from the URL begins with a digit, a slash or a
 * question mark, and is refused; moved into the path it makes a path that is nobody's. Moved into the query
 * of a POST, it hides the fields that it holds: a query in which one of the names below stands is refused.
 *
 * A name may stand in the text also as the end of another name (ParentCallSid) or inside a value. Names sort,
 * so what ends in CallSid and is no CallSid stands behind it, what ends in Timestamp before it: of several
 * places the first or the last is taken, and prefixes that Twilio documents are passed over. That is exact
 * for what Twilio sends; of what it may send one day, all who replay it are at least told the same.
 *
 * Text after a value ends with the next capital letter, since names begin with one; words that hold capital
 * letters (of which Twilio has none) and sentences end where the next documented name begins. A name of
 * Twilio's never begins with a small letter; where one follows all the same, a documented status ends there,
 * and so do digits, so that a field that nobody needs costs no status. Where a body has the end is not asked.
 *
 * Of a GET the signature covers the query as it stands, and it is read the same way.
 */
#ifndef IVR_PROVIDERS_TWILIO_TEXT_H
#define IVR_PROVIDERS_TWILIO_TEXT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "workers/providers/provider.h"

enum twilio_name {
    TWILIO_ACCOUNT_SID,
    TWILIO_ANSWERED_BY,
    TWILIO_CALL_DURATION,
    TWILIO_CALL_SID,
    TWILIO_CALL_STATUS,
    TWILIO_ERROR_CODE,
    TWILIO_ERROR_MESSAGE,
    TWILIO_PRICE,
    TWILIO_PRICE_UNIT,
    TWILIO_RECORDING_SID,
    TWILIO_SIP_PHRASE, /* SignalWire's, as the result code */
    TWILIO_SIP_RESPONSE_CODE,
    TWILIO_SIP_RESULT_CODE,
    TWILIO_TIMESTAMP,
    TWILIO_NAMES
};

struct twilio_text {
    struct span values[TWILIO_NAMES]; /* SPAN_NONE: the name is not there */
    struct buf text;                  /* owns them */
};

/* ERR_INVALID with a sentence: it is no form, or its text does not begin as Twilio's does. twilio_text_done()
 * in any case. */
int twilio_text_read(struct twilio_text *text, const struct callback *callback, struct err *err);
void twilio_text_done(struct twilio_text *text);

/* RFC 2822 as Twilio writes it; "2021-04-28 21:51:18.731479Z" as Telnyx' copy of this API does. 0 when it is
 * neither. */
int64_t twilio_time(struct span text);

#endif
