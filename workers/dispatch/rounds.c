#include "workers/dispatch/rounds.h"

#include "common/base/crypto.h"

unsigned rounds_first_shard(const struct dispatch *d)
{
    unsigned first;
    crypto_random(&first, sizeof(first));
    return first % store_shards(d->worker->store);
}

size_t rounds_share(const struct dispatch *d, size_t room, size_t promised)
{
    size_t left = room > promised ? room - promised : 0;
    size_t part = left / store_shards(d->worker->store);
    if (part == 0)
        return left > 0;
    return part < STORE_BATCH ? part : STORE_BATCH;
}

bool rounds_stopped(const struct dispatch *d)
{
    return d->draining || !redis_up(d->worker->redis);
}
