#include "workers/gateway/callbacks.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/metrics.h"
#include "workers/gateway/answers.h"
#include "workers/gateway/delivery.h"
#include "workers/gateway/respond.h"

/* Who is answered once the callback is safe. */
struct provider_waits {
    struct httpd_request *req;
    struct answer *answer; /* NULL: the callback did not ask what to do */
};

/* When the server is closed by now, nobody is there to be answered. */
static void acknowledge(struct gateway *g, const struct provider_waits *waits)
{
    if (waits->answer != NULL && g->server != NULL)
        answers_start(waits->answer);
    else if (waits->answer != NULL)
        answers_drop(waits->answer);
    else
        respond_empty(g, waits->req, 204);
}

static void refuse(struct gateway *g, const struct provider_waits *waits)
{
    if (waits->answer != NULL)
        answers_drop(waits->answer);
    respond_unavailable(g, waits->req, "Kafka does not take it now, send it again");
}

static void on_delivered(struct gateway *g, const char *error, void *arg)
{
    struct provider_waits waits = *(struct provider_waits *)arg;
    free(arg);
    if (error == NULL)
        acknowledge(g, &waits);
    else
        refuse(g, &waits);
}

static void take(struct gateway *g, const struct received *r)
{
    struct callback_record record;
    if (delivery_full(g, r)) {
        respond_unavailable(g, r->req, "Kafka does not keep up, send it again");
        return;
    }
    callback_record_init(&record, r);
    bool asks = r->provider->callback_asks != NULL && r->provider->callback_asks(&r->callback);
    struct provider_waits *waits = mem_alloc(sizeof(*waits));
    *waits = (struct provider_waits){r->req, asks ? answers_prepare(g, r, &record) : NULL};
    delivery_start(g, r, &record, on_delivered, waits);
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
