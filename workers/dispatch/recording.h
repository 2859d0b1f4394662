/*
 * The end of a claim: its transfer slot is free again, the provider's id is linked, and the outcome is recorded. The id
 * comes first: the outcome counts only with it, and callbacks that name nothing else find the attempt.
 */
#ifndef IVR_DISPATCH_RECORDING_H
#define IVR_DISPATCH_RECORDING_H

#include "workers/dispatch/attempt.h"

/* `verdict` is set. Ends the attempt, or starts it again where Redis forgot the call and nothing was sent. */
void recording_begin(struct attempt *attempt);

#endif
