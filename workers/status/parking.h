/* Callbacks of calls that are not known (yet): found by the provider's id, or parked
 * (workers/calls/parked.h). */
#ifndef IVR_STATUS_PARKING_H
#define IVR_STATUS_PARKING_H

#include "workers/status/work.h"

/* The record carries no reference of ours, or none that is proved: finds the attempt behind the provider's
 * id, or parks it there. */
void parking_by_provider_id(struct work *work);
/* The same, but it fits work->ref, an attempt in doubt: links the id to it unless it is another's. */
void parking_infer(struct work *work);
/* Redis does not know work->ref: waits for the call to appear, unless it has waited before. */
void parking_unknown_call(struct work *work);
/*
 * The response that would have linked the provider's id did not come (yet), and this record tells it beside
 * our reference: links it, and puts what waits under the id back on the topic. Then work_recorded().
 */
void parking_link(struct work *work);

#endif
