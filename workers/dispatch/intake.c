#include "workers/dispatch/intake.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/dispatch/attempt.h"
#include "workers/dispatch/dead_letter.h"
#include "workers/dispatch/route.h"
#include "workers/dispatch/storing.h"

enum { MAX_WARNED = 64 };

/* Unknown fields are warned of once each, and the list of them is bounded. */
static void warn_unknown(const struct request *request)
{
    static char *warned[MAX_WARNED];
    static size_t warned_n;
    for (size_t i = 0; i < request->unknown_n; i++) {
        size_t k = 0;
        while (k < warned_n && !span_is(request->unknown[i], warned[k]))
            k++;
        if (k < warned_n || warned_n == MAX_WARNED)
            continue;
        warned[warned_n++] = mem_strndup(request->unknown[i].p, request->unknown[i].n);
        LOG_WARN("unknown field in a call request is left out", LOG_TEXT("field", request->unknown[i]));
    }
}

static void keep_trace(struct attempt *a)
{
    struct span parent = kafka_record_header(a->record, "traceparent");
    if (parent.n == 0 || parent.n > 128)
        return;
    buf_addspan(&a->trace, parent);
    struct span state = kafka_record_header(a->record, "tracestate");
    if (state.n == 0 || state.n > 1024)
        return;
    buf_addc(&a->trace, '\n');
    buf_addspan(&a->trace, state);
}

static void unknown_channel(struct attempt *a)
{
    struct err err = ERR_INIT;
    if (a->request.channel.n > 0)
        err_set(&err, ERR_INVALID,
                "channel: \"%.*s\" is not in the channels file; expected one of its channels",
                SPAN_ARG(a->request.channel));
    else
        err_set(&err, ERR_INVALID,
                "channel: none is given, no channel has the number's country code, and the channels "
                "file has no default_channel");
    dead_letter_send(a, "unknown_channel", span_str(err.text));
}

void intake_record(struct kafka_record *record, void *arg)
{
    struct dispatch *d = arg;
    struct attempt *a = attempt_take(d, false); /* as many as the consumer may have in flight */
    struct err err = ERR_INIT;
    char field[64];
    bool not_json = false;
    a->record = record;
    if (request_parse(&a->request, record->value, &err, field, &not_json) != 0) {
        metric_count(M_REQUESTS, "invalid", NULL);
        dead_letter_send(a, not_json ? "invalid_json" : "invalid_request", span_str(err.text));
        return;
    }
    if (a->request.unknown_n > 0)
        warn_unknown(&a->request);
    struct channel *channel = route_choose(d, &a->request, 0);
    if (channel == NULL) {
        metric_count(M_REQUESTS, "invalid", NULL);
        unknown_channel(a);
        return;
    }
    a->channel = channel_ref(channel);
    keep_trace(a);
    storing_begin(a);
}
