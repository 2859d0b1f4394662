/* What the files of workers/store share among themselves. */
#ifndef IVR_STORE_PRIVATE_H
#define IVR_STORE_PRIVATE_H

#include "workers/store/batch.h"
#include "workers/store/store.h"

/* Counts script calls outside the batches, for store_pending(). */
void store_command_began(struct store *store);
void store_command_ended(struct store *store);

struct batches *store_batches(const struct store *store);
int64_t store_retention_ms(const struct store *store);
int64_t store_unknown_keep_ms(const struct store *store);

static inline enum store_status store_status_of(const struct redis_result *result)
{
    switch (result->status) {
    case REDIS_OK:
        return STORE_OK;
    case REDIS_UNACKED:
        return STORE_UNACKED;
    case REDIS_LOST:
        return STORE_LOST;
    case REDIS_REFUSED:
        break;
    }
    return STORE_REFUSED;
}

#endif
