/* Whether Kafka and Redis are fit for dialling. */
#ifndef IVR_DISPATCH_AWAY_H
#define IVR_DISPATCH_AWAY_H

#include "workers/dispatch/dispatch.h"

/* Sets `redis_away` and `away` of the dispatch, and logs what changes. */
void away_look(struct dispatch *dispatch);

#endif
