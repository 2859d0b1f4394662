#include "workers/dispatch/away.h"

#include "common/run/log.h"

/* Without Kafka the events of what is dialled could not leave. A claim that too few replicas of Redis have is not safe. */
void away_look(struct dispatch *d)
{
    struct buf why;
    buf_init(&why, 2048);
    d->redis_away = !redis_ready(d->worker->redis, REDIS_FOR_WORK, &why);
    bool away = d->redis_away || kafka_producer_away(d->worker->producer);
    if (!d->redis_away && away)
        kafka_producer_ready(d->worker->producer, &why); /* says why */
    if (away != d->away && away)
        LOG_WARN("nothing is dialled for now", LOG_SPAN("reason", buf_span(&why)));
    else if (away != d->away)
        LOG_INFO("dialling again");
    d->away = away;
    buf_done(&why);
}
