/* What a call event says has changed: a campaign, and the window of its attempt. Pure. */
#ifndef IVR_REPORT_CHANGE_H
#define IVR_REPORT_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "workers/calls/summary.h"

enum { CHANGE_MAX_BYTES = 256 * 1024, CHANGE_MINUTE_MS = 60000 };

struct event_change {
    struct summary_key campaign;
    bool has_window;
    struct summary_key window;
    json_t *json; /* what the spans point into */
};

/* ERR_INVALID with a sentence when the record is no call event. change_done() in any case. */
int change_read(struct event_change *change, struct span event, struct err *err);
void change_done(struct event_change *change);

#endif
