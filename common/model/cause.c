#include "common/model/cause.h"

#include <stddef.h>

/*
 * Q.850 causes. Numbers and names: FreeSWITCH, src/include/switch_types.h, which follows ITU-T Q.850 up to
 * 127 and has its own from 142 on. Statuses: whether the network reached the phone; the doubtful rows say so.
 */
static const struct cause by_q850[] = {
    {"UNALLOCATED_NUMBER", 1, STATUS_FAILED_UNKNOWN_REASON, true},
    {"NO_ROUTE_TRANSIT_NET", 2, STATUS_FAILED_UNKNOWN_REASON, true}, /* permanent on this route */
    {"NO_ROUTE_DESTINATION", 3, STATUS_FAILED_UNKNOWN_REASON, true}, /* the same */
    {"CHANNEL_UNACCEPTABLE", 6, STATUS_FAILED_UNKNOWN_REASON, false},
    {"CALL_AWARDED_DELIVERED", 7, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NORMAL_CLEARING", 16, STATUS_NO_ANSWER, false}, /* ambiguous without an answer */
    {"USER_BUSY", 17, STATUS_USER_BUSY, false},
    {"NO_USER_RESPONSE", 18, STATUS_SUBSCRIBER_ABSENT,
     false}, /* no alerting came; others count it as no answer */
    {"NO_ANSWER", 19, STATUS_NO_ANSWER, false},
    {"SUBSCRIBER_ABSENT", 20, STATUS_SUBSCRIBER_ABSENT, false},
    {"CALL_REJECTED", 21, STATUS_USER_BUSY, false}, /* may be a carrier's refusal */
    {"NUMBER_CHANGED", 22, STATUS_FAILED_UNKNOWN_REASON, true},
    {"REDIRECTION_TO_NEW_DESTINATION", 23, STATUS_FAILED_UNKNOWN_REASON, false},
    {"EXCHANGE_ROUTING_ERROR", 25, STATUS_FAILED_UNKNOWN_REASON, false},
    {"DESTINATION_OUT_OF_ORDER", 27, STATUS_SUBSCRIBER_ABSENT,
     false}, /* signalling does not reach the phone */
    {"INVALID_NUMBER_FORMAT", 28, STATUS_FAILED_UNKNOWN_REASON, true},
    {"FACILITY_REJECTED", 29, STATUS_FAILED_UNKNOWN_REASON, false},
    {"RESPONSE_TO_STATUS_ENQUIRY", 30, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NORMAL_UNSPECIFIED", 31, STATUS_FAILED_UNKNOWN_REASON, false},
    /* The network is short of something for now: a retry is sensible. */
    {"NORMAL_CIRCUIT_CONGESTION", 34, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NETWORK_OUT_OF_ORDER", 38, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NORMAL_TEMPORARY_FAILURE", 41, STATUS_FAILED_UNKNOWN_REASON, false},
    {"SWITCH_CONGESTION", 42, STATUS_FAILED_UNKNOWN_REASON, false},
    {"ACCESS_INFO_DISCARDED", 43, STATUS_FAILED_UNKNOWN_REASON, false},
    {"REQUESTED_CHAN_UNAVAIL", 44, STATUS_FAILED_UNKNOWN_REASON, false},
    {"PRE_EMPTED", 45, STATUS_FAILED_UNKNOWN_REASON, false},
    /* Barred, or not offered on this line. */
    {"FACILITY_NOT_SUBSCRIBED", 50, STATUS_FAILED_UNKNOWN_REASON, false},
    {"OUTGOING_CALL_BARRED", 52, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INCOMING_CALL_BARRED", 54, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BEARERCAPABILITY_NOTAUTH", 57, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BEARERCAPABILITY_NOTAVAIL", 58, STATUS_FAILED_UNKNOWN_REASON, false},
    {"SERVICE_UNAVAILABLE", 63, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BEARERCAPABILITY_NOTIMPL", 65, STATUS_FAILED_UNKNOWN_REASON, false},
    {"CHAN_NOT_IMPLEMENTED", 66, STATUS_FAILED_UNKNOWN_REASON, false},
    {"FACILITY_NOT_IMPLEMENTED", 69, STATUS_FAILED_UNKNOWN_REASON, false},
    {"SERVICE_NOT_IMPLEMENTED", 79, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_CALL_REFERENCE", 81, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INCOMPATIBLE_DESTINATION", 88, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_MSG_UNSPECIFIED", 95, STATUS_FAILED_UNKNOWN_REASON, false},
    {"MANDATORY_IE_MISSING", 96, STATUS_FAILED_UNKNOWN_REASON, false},
    {"MESSAGE_TYPE_NONEXIST", 97, STATUS_FAILED_UNKNOWN_REASON, false},
    {"WRONG_MESSAGE", 98, STATUS_FAILED_UNKNOWN_REASON, false},
    {"IE_NONEXIST", 99, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_IE_CONTENTS", 100, STATUS_FAILED_UNKNOWN_REASON, false},
    {"WRONG_CALL_STATE", 101, STATUS_FAILED_UNKNOWN_REASON, false},
    {"RECOVERY_ON_TIMER_EXPIRE", 102, STATUS_FAILED_UNKNOWN_REASON,
     false}, /* FreeSWITCH: SIP 408 and 504 alike */
    {"MANDATORY_IE_LENGTH_ERROR", 103, STATUS_FAILED_UNKNOWN_REASON, false},
    {"PROTOCOL_ERROR", 111, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INTERWORKING", 127, STATUS_FAILED_UNKNOWN_REASON, false},
    /* FreeSWITCH's own. */
    {"ORIGINATOR_CANCEL", 487, STATUS_NO_ANSWER, false}, /* the ring timer, unless we cancelled */
    {"CRASH", 700, STATUS_FAILED_UNKNOWN_REASON, false},
    {"SYSTEM_SHUTDOWN", 701, STATUS_FAILED_UNKNOWN_REASON, false},
    {"LOSE_RACE", 702, STATUS_FAILED_UNKNOWN_REASON, false}, /* another leg won */
    {"MANAGER_REQUEST", 703, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BLIND_TRANSFER", 800, STATUS_FAILED_UNKNOWN_REASON, false},
    {"ATTENDED_TRANSFER", 801, STATUS_FAILED_UNKNOWN_REASON, false},
    {"ALLOTTED_TIMEOUT", 802, STATUS_FAILED_UNKNOWN_REASON, false},
    {"USER_CHALLENGE", 803, STATUS_FAILED_UNKNOWN_REASON, false},
    {"MEDIA_TIMEOUT", 804, STATUS_FAILED_UNKNOWN_REASON, false},
    {"PICKED_OFF", 805, STATUS_FAILED_UNKNOWN_REASON, false},
    {"USER_NOT_REGISTERED", 806, STATUS_SUBSCRIBER_ABSENT, false},
    {"PROGRESS_TIMEOUT", 807, STATUS_SUBSCRIBER_ABSENT, false}, /* ambiguous */
    {"INVALID_GATEWAY", 808, STATUS_FAILED_UNKNOWN_REASON, false},
    {"GATEWAY_DOWN", 809, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_URL", 810, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_PROFILE", 811, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NO_PICKUP", 812, STATUS_NO_ANSWER, false},
    {"SRTP_READ_ERROR", 813, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BOWOUT", 814, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BUSY_EVERYWHERE", 815, STATUS_USER_BUSY, false},
    {"DECLINE", 816, STATUS_USER_BUSY, false},
    {"DOES_NOT_EXIST_ANYWHERE", 817, STATUS_FAILED_UNKNOWN_REASON, true}, /* SIP 604 under another name */
    {"NOT_ACCEPTABLE", 818, STATUS_FAILED_UNKNOWN_REASON, false},
    {"UNWANTED", 819, STATUS_USER_BUSY, false},
    {"NO_IDENTITY", 820, STATUS_FAILED_UNKNOWN_REASON, false},
    {"BAD_IDENTITY_INFO", 821, STATUS_FAILED_UNKNOWN_REASON, false},
    {"UNSUPPORTED_CERTIFICATE", 822, STATUS_FAILED_UNKNOWN_REASON, false},
    {"INVALID_IDENTITY", 823, STATUS_FAILED_UNKNOWN_REASON, false},
    {"STALE_DATE", 824, STATUS_FAILED_UNKNOWN_REASON, false},
    {"REJECT_ALL", 825, STATUS_USER_BUSY, false},
};

/*
 * SIP codes and the causes that FreeSWITCH reads them as (mod_sofia/sofia_glue.c; RFC 3398 section 8). Behind
 * a SIP hop Q.850 19, 20 and 31 can no longer be told apart: all three are sent as 480.
 */
static const struct cause by_sip[] = {
    {"NORMAL_TEMPORARY_FAILURE", 400, STATUS_FAILED_UNKNOWN_REASON, false}, /* passing */
    {"CALL_REJECTED", 401, STATUS_FAILED_UNKNOWN_REASON, false}, /* not by the person: our credentials */
    {"CALL_REJECTED", 402, STATUS_FAILED_UNKNOWN_REASON, false},
    {"CALL_REJECTED", 403, STATUS_FAILED_UNKNOWN_REASON, false},
    {"UNALLOCATED_NUMBER", 404, STATUS_FAILED_UNKNOWN_REASON, true},
    {"CALL_REJECTED", 407, STATUS_FAILED_UNKNOWN_REASON, false},
    {"RECOVERY_ON_TIMER_EXPIRE", 408, STATUS_SUBSCRIBER_ABSENT,
     false}, /* ambiguous: RFC 3398 makes it of 18 */
    {"NUMBER_CHANGED", 410, STATUS_FAILED_UNKNOWN_REASON, true},
    {"NO_USER_RESPONSE", 480, STATUS_SUBSCRIBER_ABSENT, false}, /* ambiguous: also sent for Q.850 19 */
    {"NORMAL_TEMPORARY_FAILURE", 481, STATUS_FAILED_UNKNOWN_REASON, false}, /* passing */
    {"INVALID_NUMBER_FORMAT", 484, STATUS_FAILED_UNKNOWN_REASON, true},
    {"NO_ROUTE_DESTINATION", 485, STATUS_FAILED_UNKNOWN_REASON, true},
    {"USER_BUSY", 486, STATUS_USER_BUSY, false},
    {"ORIGINATOR_CANCEL", 487, STATUS_NO_ANSWER, false},
    {"NORMAL_TEMPORARY_FAILURE", 500, STATUS_FAILED_UNKNOWN_REASON, false}, /* passing, as the next three */
    {"NETWORK_OUT_OF_ORDER", 502, STATUS_FAILED_UNKNOWN_REASON, false},
    {"NORMAL_TEMPORARY_FAILURE", 503, STATUS_FAILED_UNKNOWN_REASON, false},
    {"RECOVERY_ON_TIMER_EXPIRE", 504, STATUS_FAILED_UNKNOWN_REASON, false},
    {"USER_BUSY", 600, STATUS_USER_BUSY, false},
    {"CALL_REJECTED", 603, STATUS_USER_BUSY, false},
    {"NO_ROUTE_DESTINATION", 604, STATUS_FAILED_UNKNOWN_REASON, true},
    {"UNWANTED", 607, STATUS_USER_BUSY, false},
    {"CALL_REJECTED", 608, STATUS_FAILED_UNKNOWN_REASON, false}, /* refused by an intermediary */
};

static const struct cause other_sip = {NULL, 0, STATUS_FAILED_UNKNOWN_REASON, false};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct cause *find(const struct cause *table, size_t n, int code)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].code == code)
            return &table[i];
    }
    return NULL;
}

const struct cause *cause_by_name(struct span name)
{
    for (size_t i = 0; i < COUNT(by_q850); i++) {
        if (span_is_any_case(name, by_q850[i].name))
            return &by_q850[i];
    }
    return NULL;
}

const struct cause *cause_by_q850(int code)
{
    return find(by_q850, COUNT(by_q850), code);
}

const struct cause *cause_by_sip(int code)
{
    if (code < 400 || code > 699)
        return NULL;
    const struct cause *cause = find(by_sip, COUNT(by_sip), code);
    return cause ? cause : &other_sip;
}
