/*
 * Causes and SIP codes to the seven statuses, for legs that were NOT answered: once answered, every ending is
 * Completed. What decides is whether the network reached the phone. One table each, beside their sources;
 * pure look-ups, safe from any thread, results are static.
 */
#ifndef IVR_MODEL_CAUSE_H
#define IVR_MODEL_CAUSE_H

#include <stdbool.h>

#include "common/base/span.h"
#include "common/model/status.h"

struct cause {
    /* FreeSWITCH's name; of a SIP code the name that FreeSWITCH reads it as, NULL where it has none. */
    const char *name;
    /* The Q.850 number (FreeSWITCH's own from 142 on), or the SIP code; 0 in the row for other SIP codes. */
    int code;
    enum call_status status;
    bool permanent; /* the number or the route is wrong: do not retry, whatever retry.on says */
};

/* "USER_BUSY", in capitals or not. NULL when the table does not know it. */
const struct cause *cause_by_name(struct span name);
const struct cause *cause_by_q850(int code);
/* Never NULL for 400..699: codes without a row of their own are Failed_unknown_reason; NULL outside. */
const struct cause *cause_by_sip(int code);

#endif
