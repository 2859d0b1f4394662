/* When a changed campaign or window is to be published. Pure. */
#ifndef IVR_REPORT_DUE_H
#define IVR_REPORT_DUE_H

#include <stdint.h>

#include "workers/calls/summary.h"

/* How long after its end a minute counts as closed: events of its last moments have mostly come by then. */
enum { DUE_GRACE_MS = 3000 };

/* How long from now, in ms: the interval, or for a window that is still open until it is closed. */
static inline int64_t due_in_ms(const struct summary_key *key, int64_t interval_ms, int64_t wall_ms)
{
    int64_t open_ms = key->window ? key->minute_ms + 60000 + DUE_GRACE_MS - wall_ms : 0;
    if (open_ms > 60000 + DUE_GRACE_MS) /* a clock that is ahead of ours must not postpone it for long */
        open_ms = 60000 + DUE_GRACE_MS;
    return open_ms > interval_ms ? open_ms : interval_ms;
}

#endif
