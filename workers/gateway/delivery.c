#include "workers/gateway/delivery.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"

struct delivery {
    struct gateway *g;
    const char *provider; /* static */
    delivery_fn fn;       /* NULL: nobody waits */
    void *arg;
};

static void on_ack(const char *error, void *arg)
{
    struct delivery delivery = *(struct delivery *)arg;
    free(arg);
    received_count(span_str(delivery.provider), error == NULL ? "accepted" : "unavailable");
    if (error != NULL)
        LOG_LIMITED(LOG_LEVEL_ERROR, "Kafka did not take a callback, the provider is asked to send it again",
                    LOG_STR("provider", delivery.provider), LOG_STR("error", error));
    if (delivery.fn != NULL)
        delivery.fn(delivery.g, error, delivery.arg);
}

bool delivery_full(struct gateway *g, const struct received *r)
{
    bool full = kafka_producer_full(g->worker.producer);
    if (full)
        received_count(span_str(r->provider->name), "unavailable");
    return full;
}

void delivery_start(struct gateway *g, const struct received *r, const struct callback_record *record,
                    delivery_fn fn, void *arg)
{
    struct delivery *delivery = mem_alloc(sizeof(*delivery));
    *delivery = (struct delivery){g, r->provider->name, fn, arg};
    kafka_produce(g->worker.producer, g->worker.settings->topics[TOPIC_CALLBACKS], buf_span(&record->key),
                  record->value, record->event.headers, record->event.n, GATEWAY_ACK_MS, on_ack, delivery);
}
