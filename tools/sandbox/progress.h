/* How the campaign stands, from its summaries; a row that is drawn in place on a terminal, and now and then
 * elsewhere. */
#ifndef IVR_SANDBOX_PROGRESS_H
#define IVR_SANDBOX_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/model/status.h"

enum { PROGRESS_MARKS = 16 };

struct progress {
    bool terminal;
    long expected; /* calls that were sent */
    int64_t started_mono_ms;
    /* from the newest summary */
    int64_t calls, waiting, retrying, dropped, attempts, ended, revision;
    int64_t by_status[STATUS_COUNT];
    bool complete;
    long summaries;
    long wrong; /* summaries that did not add up, or went back */
    int64_t changed_mono_ms;
    /* for the rate: attempts at some moments, the oldest about three seconds ago */
    struct {
        int64_t mono_ms, attempts;
    } marks[PROGRESS_MARKS];
    int marks_n;
    int64_t drawn_mono_ms;
    int64_t drawn_revision;
};

void progress_init(struct progress *progress);
/* A row of `ivrctl tail summaries --json`. Windows are left alone. */
void progress_take(struct progress *progress, struct span row, int64_t now_mono_ms);
/* Every call that was sent has a final status, or was dropped. */
bool progress_done(const struct progress *progress);
/* ... and every leg has ended, so that nothing but a correction can follow: an answered call is Completed
 * before it is over. */
bool progress_settled(const struct progress *progress);
/* Draws if it is time to. `last`: in any case, and the row stays. */
void progress_draw(struct progress *progress, int64_t now_mono_ms, bool last);

#endif
