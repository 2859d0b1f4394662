#include "workers/gateway/submit.h"

#include <stdlib.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/model/request.h"
#include "common/pii.h"
#include "workers/gateway/cloudevent.h"
#include "workers/gateway/respond.h"

enum {
    ERRORS_MAX = 4 * 1024 * 1024,
    TEXTS_MAX = 2 * GATEWAY_MAX_CALLS, /* compact, and still larger where escapes are spelled out */
};

/* One request of the body, compact, in the batch's text. */
struct piece {
    struct span call_id; /* borrowed from the parsed body */
    size_t start, n;
};

/* A body while it is looked through. */
struct batch {
    struct gateway *g;
    struct httpd_request *req;
    json_t *json;
    struct piece *pieces;
    size_t n;
    struct buf texts;
    struct buf errors; /* empty: all of them fit */
};

/* Requests on their way to the brokers. */
struct submission {
    struct gateway *g;
    struct httpd_request *req;
    size_t out;
    bool failed;
    struct buf accepted; /* the answer, when all are acknowledged */
};

/* ---- looking through ---- */

/* What the message quotes may hold a number, wherever it stood. */
static void add_error(struct batch *batch, size_t index, const char *field, const char *message)
{
    struct buf shown;
    buf_init(&shown, 8 * sizeof(((struct err *)NULL)->text));
    pii_add_text(&shown, span_str(message));
    buf_adds(&batch->errors, batch->errors.n == 0 ? "{\"errors\":[" : ",");
    buf_addc(&batch->errors, '{');
    json_kint(&batch->errors, "index", (int64_t)index);
    json_kstrz(&batch->errors, "field", field);
    json_kstr(&batch->errors, "message", buf_span(&shown));
    buf_addc(&batch->errors, '}');
    buf_done(&shown);
}

/* The channel that dispatch would choose must exist now; that it exists later nobody can promise. */
static int check_channel(const struct batch *batch, const struct request *request, struct err *err)
{
    if (channels_choose(batch->g->worker.channels, request->channel, request->to) != NULL)
        return 0;
    if (request->channel.n == 0)
        return err_set(err, ERR_INVALID,
                       "channel: none fits the number's country, and there is no default_channel");
    return err_set(err, ERR_INVALID, "channel: there is none called \"%.*s\"", SPAN_ARG(request->channel));
}

static int add_bytes(const char *bytes, size_t n, void *arg)
{
    buf_add(arg, bytes, n);
    return 0;
}

/* As it was received but compact, so that fields which only later versions know stay on the topic. */
static int add_text(struct batch *batch, size_t index, const json_t *json, struct err *err)
{
    struct piece *piece = &batch->pieces[index];
    piece->call_id = json_get_span(json, "call_id");
    piece->start = batch->texts.n;
    if (json_dump_callback(json, add_bytes, &batch->texts, JSON_COMPACT) != 0 || !buf_ok(&batch->texts))
        return err_set(err, ERR_LIMIT, "the requests are too large, at most %d bytes in one body",
                       GATEWAY_MAX_CALLS);
    piece->n = batch->texts.n - piece->start;
    if (piece->n > REQUEST_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "the request has %zu bytes, at most %d are taken", piece->n,
                       REQUEST_MAX_BYTES);
    return 0;
}

static void check_one(struct batch *batch, size_t index, const json_t *json)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64] = "";
    int rc = request_from_json(&request, json, &err, field);
    if (rc == 0) {
        rc = check_channel(batch, &request, &err);
        if (rc != 0)
            (void)snprintf(field, sizeof(field), "channel");
    }
    if (rc == 0)
        rc = add_text(batch, index, json, &err);
    if (rc != 0)
        add_error(batch, index, field, err.text);
    request_done(&request);
}

static void check_all(struct batch *batch)
{
    bool array = json_is_array(batch->json);
    batch->n = array ? json_array_size(batch->json) : 1;
    if (batch->n > SUBMIT_MAX_CALLS) {
        struct err err;
        err_set(&err, ERR_LIMIT, "the array has %zu requests, at most %d are taken at once", batch->n,
                SUBMIT_MAX_CALLS);
        add_error(batch, SUBMIT_MAX_CALLS, "", err.text);
        return;
    }
    batch->pieces = mem_calloc(batch->n + 1, sizeof(*batch->pieces));
    for (size_t i = 0; i < batch->n; i++)
        check_one(batch, i, array ? json_array_get(batch->json, i) : batch->json);
}

/* ---- producing ---- */

static void finish(struct submission *submission)
{
    if (submission->failed)
        respond_unavailable(
            submission->g, submission->req,
            "Kafka did not acknowledge all of it, send the same again: nothing is dialled twice");
    else
        respond_json(submission->g, submission->req, 202, buf_span(&submission->accepted));
    buf_done(&submission->accepted);
    free(submission);
}

static void on_ack(const char *error, void *arg)
{
    struct submission *submission = arg;
    if (error != NULL) {
        submission->failed = true;
        LOG_LIMITED(LOG_LEVEL_ERROR,
                    "Kafka did not take a call request, the client is asked to send it again",
                    LOG_STR("error", error));
    }
    if (--submission->out == 0)
        finish(submission);
}

static void produce_one(const struct batch *batch, const struct piece *piece, struct submission *submission)
{
    struct cloudevent event;
    const struct worker *w = &batch->g->worker;
    cloudevent_init(&event, "ivr.call-request", httpd_received_wall_ms(batch->req));
    cloudevent_add_trace(&event, httpd_header(batch->req, "traceparent"),
                         httpd_header(batch->req, "tracestate"));
    cloudevent_add(&event, "content-type", SPAN_LIT("application/json"));
    kafka_produce(w->producer, w->settings->topics[TOPIC_CALL_REQUESTS], piece->call_id,
                  span_of(batch->texts.p + piece->start, piece->n), event.headers, event.n, GATEWAY_ACK_MS,
                  on_ack, submission);
}

static void produce_all(const struct batch *batch)
{
    struct submission *submission = mem_alloc(sizeof(*submission));
    *submission = (struct submission){.g = batch->g, .req = batch->req, .out = batch->n};
    buf_init(&submission->accepted, ERRORS_MAX);
    buf_adds(&submission->accepted, "{\"accepted\":[");
    for (size_t i = 0; i < batch->n; i++) {
        json_sep(&submission->accepted);
        json_str(&submission->accepted, batch->pieces[i].call_id);
    }
    buf_adds(&submission->accepted, "]}");
    for (size_t i = 0; i < batch->n; i++)
        produce_one(batch, &batch->pieces[i], submission);
    if (batch->n == 0)
        finish(submission);
}

static void answer_or_produce(struct batch *batch)
{
    if (batch->errors.n > 0) {
        buf_adds(&batch->errors, "]}");
        respond_json(batch->g, batch->req, 422, buf_span(&batch->errors));
    } else if (kafka_producer_full(batch->g->worker.producer)) {
        respond_unavailable(batch->g, batch->req, "Kafka does not keep up, send it again");
    } else {
        produce_all(batch);
    }
}

void submit_calls(struct gateway *g, struct httpd_request *req)
{
    struct err err = ERR_INIT;
    struct batch batch = {.g = g, .req = req};
    batch.json = json_parse(httpd_body(req), GATEWAY_MAX_CALLS, &err);
    if (batch.json == NULL) {
        respond_error(g, req, 400, err.text);
        return;
    }
    buf_init(&batch.texts, TEXTS_MAX);
    buf_init(&batch.errors, ERRORS_MAX);
    check_all(&batch);
    answer_or_produce(&batch);
    buf_done(&batch.errors);
    buf_done(&batch.texts);
    free(batch.pieces);
    json_decref(batch.json);
}
