/*
 * Which attempt a provider's call id stands for: the link that dispatch writes once the provider has answered
 * (link.lua). Read only; who wants to wait for a link asks again.
 */
#ifndef IVR_CALLS_REF_H
#define IVR_CALLS_REF_H

#include "common/base/span.h"
#include "workers/calls/links.h"
#include "workers/store/store.h"

/* `ref` is "tenant/call_id/attempt", borrowed until the callback returns; empty: not linked (or status is not
 * STORE_OK). While Redis refuses writes nothing is "not linked": STORE_REFUSED. */
typedef void (*ref_fn)(enum store_status status, struct span ref, void *arg);
/* `call` is copied. `fn` runs exactly once, never before this returns. */
void ref_read(struct store *store, const struct calls_call *call, ref_fn fn, void *arg);

#endif
