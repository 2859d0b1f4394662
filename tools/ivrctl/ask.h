/*
 * One question to Redis: opens the store, asks as soon as there is a connection, asks again where the answer
 * may be lost, and gives up after ASK_TIMEOUT_MS; sooner where Redis answers and refuses.
 */
#ifndef IVR_TOOLS_ASK_H
#define IVR_TOOLS_ASK_H

#include "common/base/err.h"
#include "common/run/settings.h"
#include "workers/store/store.h"

enum { ASK_TIMEOUT_MS = 5000, ASK_SHORTLY_MS = 1000 };

struct ask;

/* Sends the question; its answer must lead to ask_answered(), on the loop. */
typedef void (*ask_fn)(struct store *store, struct ask *ask, void *arg);

/* Runs until an answer came. ERR_UNAVAILABLE: Redis did not answer or refused, with what it said, or a call
 * in it cannot be read. ERR_CONFIG: the calls in this Redis are spread over another number of shards. */
int ask_redis(const struct settings *settings, ask_fn question, void *arg, struct err *err);
/* The same for what can be done without: gives up after ASK_SHORTLY_MS. */
int ask_redis_shortly(const struct settings *settings, ask_fn question, void *arg, struct err *err);
/* With STORE_OK the question is answered; otherwise it is asked again. */
void ask_answered(struct ask *ask, enum store_status status);

#endif
