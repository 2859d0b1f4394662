/*
 * Provider ids: "this call of the provider's is that attempt" (link.lua). Read it with ref.h.
 */
#ifndef IVR_CALLS_LINKS_H
#define IVR_CALLS_LINKS_H

#include <stddef.h>

#include "common/base/span.h"
#include "workers/store/store.h"

/* A callback that came before the link, and waits (parking.h). */
struct calls_parked {
    struct span field; /* names the record: "CHANNEL|topic:partition:offset" */
    struct span value; /* as it was parked */
};
/* A provider's call, as a channel knows it: what is linked on one channel says nothing on another. */
struct calls_call {
    struct span provider_id; /* "provider:provider call id" */
    struct span channel;
};

/* Links it to "tenant/call_id/attempt". `parked`: callbacks that came before. */
typedef void (*calls_link_fn)(enum store_status status, const struct calls_parked *parked, size_t n,
                              void *arg);
void calls_link(struct store *store, const struct calls_call *call, struct span ref, calls_link_fn fn,
                void *arg);

/* The same for an id that was inferred (the call fits the attempt, nobody said so): only while it is no other
 * attempt's, on whatever channel. `parked`: NULL when it is. */
void calls_link_inferred(struct store *store, const struct calls_call *call, struct span ref,
                         calls_link_fn fn, void *arg);

#endif
