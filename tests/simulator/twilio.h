/* What the two halves of Twilio's speech share: its API (twilio.c) and what it posts (twilio_report.c). */
#ifndef IVR_SIMULATOR_TWILIO_H
#define IVR_SIMULATOR_TWILIO_H

#include "tests/simulator/simulator.h"

enum { TWILIO_ID_LEN = 34 }; /* "CA" and 32 hex digits */

/* See struct sim_speech. */
void sim_twilio_id(const struct sim_call *call, char out[SIM_ID_MAX]);
struct span sim_twilio_target(const struct sim_delivery *delivery);
void sim_twilio_report(const struct sim_delivery *delivery, struct http_request *request);

/* CallStatus of a call that ended so. */
const char *sim_twilio_final_word(enum sim_outcome outcome);

#endif
