/* What the files of workers/store share among themselves. */
#ifndef IVR_STORE_PRIVATE_H
#define IVR_STORE_PRIVATE_H

#include <stdio.h>

#include "workers/store/batch.h"
#include "workers/store/store.h"

/* "TENANT|CHANNEL|NUMBER": the line to a contact (contact.lua). */
enum { CONTACT_LINE_MAX = 64 + 1 + 64 + 1 + 24 };
static inline void contact_line(char out[CONTACT_LINE_MAX], struct span tenant, struct span channel,
                                struct span number)
{
    snprintf(out, CONTACT_LINE_MAX, "%.*s|%.*s|%.*s", SPAN_ARG(tenant), SPAN_ARG(channel), SPAN_ARG(number));
}

/* Begins a record of a script that takes many, to be packed and then sent to the shard of `id`. */
void store_record_begin(struct store *store, msgpack_packer *packer, size_t items);
void store_record_send(struct store *store, enum batch_kind kind, struct span id, batch_deliver_fn deliver,
                       void (*fn)(void), void *arg);
/* Runs a script on the slot of a channel, "{PREFIX:ch:NAME}" (admit.lua). `fn` calls store_command_ended().
 */
void store_eval_channel(struct store *store, const struct redis_script *script, struct span channel,
                        const struct span *args, size_t argc, redis_fn fn, void *arg);

/* Counts script calls outside the batches, for store_pending(). */
void store_command_began(struct store *store);
void store_command_ended(struct store *store);

/* What store_why() says. */
void store_set_why(struct store *store, struct span why);
/* Counts and logs a call that cannot be read. */
void store_unreadable(struct store *store, struct span why);

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
