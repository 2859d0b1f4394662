/*
 * Giving back what an ended attempt had (workers/calls/release.h): the line of its channel, and its contact
 * lock, whose end wakes the call that waited longest for it. The one place that knows calls, channels and
 * contacts.
 */
#ifndef IVR_PROGRAM_GIVE_BACK_H
#define IVR_PROGRAM_GIVE_BACK_H

#include "workers/calls/release.h"

/* A release_fn. */
void give_back(struct store *store, const struct release *release, release_done_fn done, void *arg);

#endif
