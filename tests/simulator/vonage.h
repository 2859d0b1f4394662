/* What the parts of Vonage's speech share: its API (vonage.c), who may use it (vonage_token.c), and what it
 * posts (vonage_report.c). */
#ifndef IVR_SIMULATOR_VONAGE_H
#define IVR_SIMULATOR_VONAGE_H

#include "tests/simulator/simulator.h"

enum { VONAGE_ID_LEN = 36 }; /* a UUID */

/* ---- vonage_report.c ---- */

/* How a call that is over is called. */
struct vonage_ending {
    const char *status;
    const char *detail; /* NULL: none */
    bool sip;           /* the status is one that comes with a sip_code */
};

struct vonage_ending sim_vonage_ending(const struct sim_call *call);

/* Numbers are written as strings in the events of some calls and as numbers in those of others. */
bool sim_vonage_quotes_numbers(const struct sim_call *call);
/* What the talk cost, in the form that rates and prices have. */
void sim_vonage_price(const struct sim_call *call, char out[16]);
#define SIM_VONAGE_RATE "0.01400000"

/* Writes the 36 characters of a UUID, without a NUL. */
void sim_vonage_uuid(char out[VONAGE_ID_LEN], const uint64_t bits[2]);
/* "CON-" and a UUID, with a NUL. */
void sim_vonage_conversation(const struct sim_call *call, char out[SIM_ID_MAX]);
/* Digits only. */
struct span sim_vonage_digits(struct span number);

/* See struct sim_speech. */
void sim_vonage_id(const struct sim_call *call, char out[SIM_ID_MAX]);
struct span sim_vonage_target(const struct sim_delivery *delivery);
struct sim_retry_rule sim_vonage_retry(struct span fragment);
void sim_vonage_report(const struct sim_delivery *delivery, struct http_request *request);
bool sim_vonage_closes(const struct sim_call *call);

/* ---- vonage_token.c ---- */

/* Whether the Authorization holds a token of the application: RS256 with its key, iat, exp and jti in order.
 */
bool sim_vonage_authentic(const struct sim *sim, struct span authorization);
/* Appends the header that signs `payload`: HS256 with the signature secret; nothing where there is none. */
void sim_vonage_sign(struct sim *sim, struct buf *headers, struct span payload);

#endif
