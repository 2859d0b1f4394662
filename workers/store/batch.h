/*
 * Records of one script and shard, collected during a turn and sent as one script call.
 * Private to workers/store: the typed functions of store.h stand in front of it.
 */
#ifndef IVR_STORE_BATCH_H
#define IVR_STORE_BATCH_H

#include <msgpack.h>

#include "workers/store/store.h"

/* Turns a result (NULL unless STORE_OK) into the typed callback. `fn` is the typed one, cast back by the
 * deliverer. */
typedef void (*batch_deliver_fn)(enum store_status status, const msgpack_object *result, void (*fn)(void),
                                 void *arg);

struct batches;

struct batches *batches_new(struct loop *loop, struct store *store, struct span config);
void batches_free(struct batches **batches);
void batches_on_events(struct batches *batches, store_events_fn fn, store_lost_fn lost, void *arg);
size_t batches_pending(const struct batches *batches);

/* Which script, in the order of batch.c's table. */
enum batch_kind {
    BATCH_REQUEST,
    BATCH_CLAIM,
    BATCH_POSTPONE,
    BATCH_LINK,
    BATCH_OUTCOME,
    BATCH_EVIDENCE,
    BATCH_CONTACT,
    BATCH_UNLOCK,
    BATCH_WAKE,
    BATCH_LOOK,
    BATCH_DEFER,
    BATCH_LINED,
    BATCH_DNC_EDIT,
    BATCH_MEND,
    BATCH_KINDS
};

/* Adds a record, packed; it is copied. */
void batch_add(struct batches *batches, enum batch_kind kind, unsigned shard, struct span record,
               batch_deliver_fn deliver, void (*fn)(void), void *arg);

/* Runs a script at once that has arguments of its own but answers in the same form; `deliver` gets the whole
 * results array (NULL when empty). */
void batch_run(struct batches *batches, const struct redis_script *script, unsigned shard,
               const struct span *args, size_t argc, batch_deliver_fn deliver, void (*fn)(void), void *arg);

#endif
