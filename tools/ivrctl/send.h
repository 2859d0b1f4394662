/* Checked requests onto the topic, and what became of them. */
#ifndef IVR_TOOLS_SEND_H
#define IVR_TOOLS_SEND_H

#include <signal.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/settings.h"

struct sender;

struct sender_result {
    size_t acknowledged;
    size_t failed; /* refused, or not acknowledged in time */
};

/* Reaches the topic. `total`: how many requests will come, for the progress on stderr where that is a
 * terminal. `settings` and `stopped` are borrowed. */
int sender_open(struct sender **sender, const struct settings *settings, size_t total,
                const volatile sig_atomic_t *stopped, struct err *err);
/* Hands a request over; `id` is "tenant/call_id". Waits while too many are unacknowledged, so that memory
 * is bounded. Once one has failed, and that one too, it is `err`. */
int sender_add(struct sender *sender, struct span key, struct span id, struct span value, struct err *err);
/* Waits for the brokers' acknowledgements. `err` tells the first failure, or that fewer than `total` came
 * because *stopped was set. */
int sender_finish(struct sender *sender, struct sender_result *result, struct err *err);
/* Frees it; *sender may be NULL, and is afterwards. */
void sender_close(struct sender **sender);

#endif
