/* What the two halves of Africa's Talking's speech share: its API (africastalking.c) and what it posts
 * (africastalking_report.c). */
#ifndef IVR_SIMULATOR_AFRICASTALKING_H
#define IVR_SIMULATOR_AFRICASTALKING_H

#include "tests/simulator/simulator.h"

enum { AFRICASTALKING_ID_LEN = 38 }; /* "ATVId_" and 32 hex digits */

/* See struct sim_speech. */
void sim_africastalking_id(const struct sim_call *call, char out[SIM_ID_MAX]);
struct span sim_africastalking_target(const struct sim_delivery *delivery);
struct sim_retry_rule sim_africastalking_retry(struct span fragment);
void sim_africastalking_report(const struct sim_delivery *delivery, struct http_request *request);

#endif
