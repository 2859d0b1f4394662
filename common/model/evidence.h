/*
 * Evidence: what one HTTP response, callback or look-up says about one attempt. Adapters fill it,
 * workers/calls/lib/merging.lua merges it.
 *
 * Everything in it merges commutatively: the status is the maximum; the reason is that of the highest status
 * (ties: a named cause over a SIP code over text, then bytewise the lesser); hops are a set, each with its
 * earliest provider time; durations and cost are maxima; the provider's id is the response's, else bytewise
 * the least.
 */
#ifndef IVR_MODEL_EVIDENCE_H
#define IVR_MODEL_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/model/hop.h"
#include "common/model/status.h"

enum reason_kind {
    REASON_NONE = 0,
    REASON_TEXT = 1,  /* the provider's free words, or a bare status word */
    REASON_SIP = 2,   /* a SIP response code: code "486" */
    REASON_NAMED = 3, /* a named cause or error code: "NO_ANSWER", "21211" */
};

enum { EVIDENCE_CODE_MAX = 64, EVIDENCE_DETAIL_MAX = 200, EVIDENCE_ID_MAX = 128, EVIDENCE_CALLED_MAX = 16 };

/* Strings are copied in with evidence_set_*(): cut to their maximum at a UTF-8 character, control characters
 * become spaces, bytes that are no UTF-8 become '?'. So what is stored can be shown and written as JSON as it
 * stands. */
struct evidence {
    enum call_status status; /* STATUS_NONE: no change of status */
    bool terminal;           /* the attempt is over at the provider: may schedule a retry, frees a line */
    bool permanent;          /* with terminal: the number or the route is wrong, never a retry */
    /* HOP_BIT()s of the hops that it proves. The merge adds message_out and, for Completed, connected. */
    unsigned hops;
    int64_t at_ms;          /* the provider's time of it (wall), 0 when it gives none */
    int64_t answered_at_ms; /* provider's time of the answer where a closing report gives one; 0: none */
    int32_t ring_seconds;   /* -1: not said */
    int32_t talk_seconds;   /* -1: not said */
    int64_t cost_micros;    /* -1: not said */
    char currency[8];       /* "USD"; "" */
    enum reason_kind reason_kind;
    char reason_code[EVIDENCE_CODE_MAX + 1];
    char reason_detail[EVIDENCE_DETAIL_MAX + 1];
    /* The raw cause or "answered by", kept beside the hops it proves. */
    char hop_detail[EVIDENCE_DETAIL_MAX + 1];
    char provider_call_id[EVIDENCE_ID_MAX + 1]; /* "" when it names none */
    /* The number that it says was called, E.164; "" when it does not say. It is not stored with the attempt,
     * it helps to find out whose evidence this is. */
    char called[EVIDENCE_CALLED_MAX + 1];
};

/* All empty: no status, nothing said. */
void evidence_init(struct evidence *ev);
/* Replaces the reason. With neither code nor detail there is none: REASON_NONE. */
void evidence_set_reason(struct evidence *ev, enum reason_kind kind, struct span code, struct span detail);
void evidence_set_hop_detail(struct evidence *ev, struct span detail);
/* False (and untouched) when the id is empty, too long or holds anything but visible ASCII. */
bool evidence_set_provider_call_id(struct evidence *ev, struct span id);
/* False (and untouched) when it is no number in E.164. */
bool evidence_set_called(struct evidence *ev, struct span number);
/* Decimal text ("0.0065", "-0.0065": providers write a charge as negative; the absolute value is kept), at
 * most 9 digits before and any number after the point (cut at 6). The currency is 1 to 7 ASCII letters, kept
 * in capitals. False and untouched when either does not fit. */
bool evidence_set_cost(struct evidence *ev, struct span amount, struct span currency);

#endif
