/* Checked requests onto the topic, and what became of them. */
#ifndef IVR_TOOLS_SEND_H
#define IVR_TOOLS_SEND_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/settings.h"
#include "common/span.h"

/* Requests that passed every check, kept in an unnamed file until all of them have: nothing is sent before.
 */
struct spool {
    FILE *file;
    size_t n;
};

int spool_open(struct spool *spool, struct err *err);
/* `id` is "tenant/call_id", `key` the record's. */
int spool_add(struct spool *spool, struct span key, struct span id, struct span value, struct err *err);
void spool_close(struct spool *spool);

struct send_result {
    size_t acknowledged;
    size_t failed; /* refused, or not acknowledged in time */
};

/* Sends all of it and waits for the brokers' acknowledgements; progress on stderr where that is a terminal.
 * Stops early when *stopped is set, or when the brokers keep silent. `err` tells the first failure. */
int send_spool(struct spool *spool, const struct settings *settings, const volatile sig_atomic_t *stopped,
               struct send_result *result, struct err *err);

#endif
