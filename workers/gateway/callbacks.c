#include "workers/gateway/callbacks.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/gateway/answers.h"
#include "workers/gateway/respond.h"

/* A record on its way to the brokers. */
struct delivery {
    struct gateway *g;
    struct httpd_request *req; /* NULL: nobody waits */
    struct answer *answer;     /* NULL: the callback did not ask what to do */
    const char *provider;      /* static */
};

/* The callback is safe. When the server is closed by now, nobody is there to be answered. */
static void acknowledge(const struct delivery *delivery)
{
    if (delivery->answer != NULL && delivery->g->server != NULL)
        answers_start(delivery->answer);
    else if (delivery->answer != NULL)
        answers_drop(delivery->answer);
    else if (delivery->req != NULL)
        respond_empty(delivery->g, delivery->req, 204);
}

static void refuse(const struct delivery *delivery)
{
    if (delivery->answer != NULL)
        answers_drop(delivery->answer);
    if (delivery->req != NULL)
        respond_unavailable(delivery->g, delivery->req, "Kafka does not take it now, send it again");
}

static void on_ack(const char *error, void *arg)
{
    struct delivery delivery = *(struct delivery *)arg;
    free(arg);
    received_count(span_str(delivery.provider), error == NULL ? "accepted" : "unavailable");
    if (error != NULL)
        LOG_LIMITED(LOG_LEVEL_ERROR, "Kafka did not take a callback, the provider is asked to send it again",
                    LOG_STR("provider", delivery.provider), LOG_STR("error", error));
    if (error == NULL)
        acknowledge(&delivery);
    else
        refuse(&delivery);
}

/* `req` NULL: nobody waits. `answer` is taken over. */
static void put(struct gateway *g, const struct received *r, const struct callback_record *record,
                struct httpd_request *req, struct answer *answer)
{
    struct delivery *delivery = mem_alloc(sizeof(*delivery));
    *delivery = (struct delivery){g, req, answer, r->provider->name};
    kafka_produce(g->worker.producer, g->worker.settings->topics[TOPIC_CALLBACKS], buf_span(&record->key),
                  record->value, record->event.headers, record->event.n, GATEWAY_ACK_MS, on_ack, delivery);
}

void callbacks_keep(struct gateway *g, const struct received *r, const struct callback_record *record)
{
    if (kafka_producer_full(g->worker.producer))
        received_count(span_str(r->provider->name), "unavailable");
    else
        put(g, r, record, NULL, NULL);
}

static void take(struct gateway *g, const struct received *r)
{
    struct callback_record record;
    if (kafka_producer_full(g->worker.producer)) {
        received_count(span_str(r->provider->name), "unavailable");
        respond_unavailable(g, r->req, "Kafka does not keep up, send it again");
        return;
    }
    callback_record_init(&record, r);
    bool asks = r->provider->callback_asks != NULL && r->provider->callback_asks(&r->callback);
    put(g, r, &record, r->req, asks ? answers_prepare(g, r, &record) : NULL);
    callback_record_done(&record);
}

void callbacks_serve(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    struct received r;
    if (received_check(g, req, route, &r)) {
        metric_count(M_CHANNEL_CALLBACKS, r.channel->name, NULL);
        take(g, &r);
    }
    received_done(&r);
}
