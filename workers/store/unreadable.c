#include "workers/store/unreadable.h"

#include <stdio.h>

#include "common/run/log.h"
#include "common/run/metrics.h"

enum { LINES = 10 /* in a second: each names another call */ };

void unreadable_note(struct unreadable *unreadable, struct span why)
{
    snprintf(unreadable->why, sizeof(unreadable->why), "%.*s", SPAN_ARG(why));
}

void unreadable_report(struct unreadable *unreadable, struct span why)
{
    unreadable_note(unreadable, why);
    metric_count(M_UNREADABLE_CALLS, NULL, NULL);
    LOG_LIMITED_TO(LINES, LOG_LEVEL_ERROR,
                   "a call in Redis cannot be read and is left alone, the others go on",
                   LOG_SPAN("error", why));
}
