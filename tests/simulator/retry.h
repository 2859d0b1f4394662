/*
 * How often a callback is sent again: Twilio's connection overrides in the URL's fragment ("#rc=5&rp=all").
 * Pure. Other providers fill the rule with what they do.
 */
#ifndef IVR_SIMULATOR_RETRY_H
#define IVR_SIMULATOR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/http/http.h"

enum sim_retry_on {
    SIM_RETRY_CT = 1, /* the connection failed */
    SIM_RETRY_RT = 2, /* no answer in time, or a broken one */
    SIM_RETRY_4XX = 4,
    SIM_RETRY_5XX = 8,
    SIM_RETRY_ALL = 15,
};

struct sim_retry_rule {
    int64_t connect_ms; /* ct */
    int64_t read_ms;    /* rt */
    int64_t total_ms;   /* tt, retries included */
    int retries;        /* rc */
    unsigned on;        /* rp: SIM_RETRY_ bits */
};

/* Twilio's defaults (5 s, 15 s, 15 s, one retry, on `ct`) with what the fragment overrides; values out of
 * range are taken to the nearest that is allowed, unknown keys are skipped. */
struct sim_retry_rule sim_retry_parse(struct span fragment);

/* How a try ended; 0 means that it was acknowledged (2xx). Else the one SIM_RETRY_ bit that it counts as. */
unsigned sim_retry_class(const struct http_reply *reply);

/* Whether a try that ended so is followed by another, `wait_ms` later. `tries` counts those made, `since_ms`
 * runs from the start of the first. */
bool sim_retry_again(const struct sim_retry_rule *rule, unsigned ended, int tries, int64_t since_ms,
                     int64_t *wait_ms);

#endif
