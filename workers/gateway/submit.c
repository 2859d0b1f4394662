#include "workers/gateway/submit.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "common/json/json_array.h"
#include "common/kafka/cloudevent.h"
#include "common/model/request.h"
#include "common/run/log.h"
#include "workers/gateway/respond.h"

enum {
    ERRORS_MAX = 4 * 1024 * 1024,
    TEXTS_MAX = 2 * GATEWAY_MAX_CALLS, /* compact, and still larger where escapes are spelled out */
};

/* One request of the body: where it stands in `texts`, compact, and its id among the ids. */
struct piece {
    size_t start, n;
    size_t id_start, id_n;
};

/* A body while it is looked through. */
struct submitted_calls {
    struct gateway *g;
    struct httpd_request *req;
    struct piece *pieces;
    size_t n;
    struct buf texts;
    struct buf ids;
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
static void add_error(struct submitted_calls *calls, size_t index, const char *field, const char *message)
{
    struct buf shown;
    buf_init(&shown, 8 * sizeof(((struct err *)NULL)->text));
    pii_add_text(&shown, span_str(message));
    buf_adds(&calls->errors, calls->errors.n == 0 ? "{\"errors\":[" : ",");
    buf_addc(&calls->errors, '{');
    json_kint(&calls->errors, "index", (int64_t)index);
    json_kstrz(&calls->errors, "field", field);
    json_kstr(&calls->errors, "message", buf_span(&shown));
    buf_addc(&calls->errors, '}');
    buf_done(&shown);
}

/* The channel that dispatch would choose must exist now; that it exists later nobody can promise. */
static int check_channel(const struct submitted_calls *calls, const struct request *request, struct err *err)
{
    if (channels_choose(calls->g->worker.channels, request->channel, request->to) != NULL)
        return 0;
    if (request->channel.n == 0)
        return err_set(err, ERR_INVALID,
                       "channel: none fits the number's country, and there is no default_channel");
    return err_set(err, ERR_INVALID, "channel: there is none called \"%.*s\"", SPAN_ARG(request->channel));
}

/* As it was received but compact, so that fields which only later versions know stay on the topic. */
static int add_text(struct submitted_calls *calls, size_t index, const json_t *json, struct err *err)
{
    struct piece *piece = &calls->pieces[index];
    struct span id = json_get_span(json, "call_id");
    piece->id_start = calls->ids.n;
    piece->id_n = id.n;
    buf_addspan(&calls->ids, id);
    piece->start = calls->texts.n;
    if (!json_value(&calls->texts, json, JSON_AS_READ) || !buf_ok(&calls->texts))
        return err_set(err, ERR_LIMIT, "the requests are too large, at most %d bytes in one body",
                       GATEWAY_MAX_CALLS);
    piece->n = calls->texts.n - piece->start;
    if (piece->n > REQUEST_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "the request has %zu bytes, at most %d are taken", piece->n,
                       REQUEST_MAX_BYTES);
    return 0;
}

static void check_one(struct submitted_calls *calls, size_t index, const json_t *json)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64] = "";
    int rc = request_from_json(&request, json, &err, field);
    if (rc == 0) {
        rc = check_channel(calls, &request, &err);
        if (rc != 0)
            (void)snprintf(field, sizeof(field), "channel");
    }
    if (rc == 0)
        rc = add_text(calls, index, json, &err);
    if (rc != 0)
        add_error(calls, index, field, err.text);
    request_done(&request);
}

/* json_parse() reads objects and arrays. Whatever else an array holds is JSON too, and no request. */
static json_t *parse_element(struct span text, struct err *err)
{
    if (text.p[0] == '{' || text.p[0] == '[')
        return json_parse(text, text.n, err);
    struct buf wrapped;
    buf_init(&wrapped, text.n + 2);
    buf_addc(&wrapped, '[');
    buf_addspan(&wrapped, text);
    buf_addc(&wrapped, ']');
    json_t *array = json_parse(buf_span(&wrapped), wrapped.n, err);
    buf_done(&wrapped);
    if (array == NULL)
        return NULL;
    json_t *json = json_incref(json_array_get(array, 0));
    json_decref(array);
    return json;
}

/* Reads, checks and forgets it; an error when it is no JSON. `whole`: it is the body, not an array's. */
static int take_one(struct submitted_calls *calls, const struct json_element *element, bool whole,
                    struct err *err)
{
    size_t index = calls->n++;
    if (element->values > SUBMIT_MAX_VALUES) {
        struct err why;
        err_set(&why, ERR_LIMIT, "the request has too many JSON values, at most %d are taken",
                SUBMIT_MAX_VALUES);
        add_error(calls, index, "", why.text);
        return 0;
    }
    json_t *json =
        whole ? json_parse(element->text, GATEWAY_MAX_CALLS, err) : parse_element(element->text, err);
    if (json == NULL)
        return (int)err->code;
    check_one(calls, index, json);
    json_decref(json);
    return 0;
}

static int take_array(struct submitted_calls *calls, struct json_array *array, struct err *err)
{
    struct json_element element;
    enum json_array_step step;
    int rc = 0;
    while (rc == 0 && (step = json_array_next(array, &element)) != JSON_ARRAY_END) {
        if (step == JSON_ARRAY_BAD)
            return err_set(err, ERR_INVALID, "the array is no JSON behind its first %zu elements", calls->n);
        if (calls->n == SUBMIT_MAX_CALLS) {
            struct err why;
            err_set(&why, ERR_LIMIT, "the array has more than %d requests, at most so many are taken at once",
                    SUBMIT_MAX_CALLS);
            add_error(calls, SUBMIT_MAX_CALLS, "", why.text);
            return 0;
        }
        rc = take_one(calls, &element, false, err);
        if (rc != 0)
            err_prefix(err, "element %zu of the array", calls->n - 1);
    }
    return rc;
}

static int take_all(struct submitted_calls *calls, struct span body, struct err *err)
{
    struct json_array array;
    struct json_element only = {.text = body};
    bool many = json_array_begin(&array, body);
    calls->pieces = mem_calloc(many ? SUBMIT_MAX_CALLS : 1, sizeof(*calls->pieces));
    if (many)
        return take_array(calls, &array, err);
    only.values = json_array_values(body);
    return take_one(calls, &only, true, err);
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

static void produce_one(const struct submitted_calls *calls, const struct piece *piece,
                        struct submission *submission)
{
    struct cloudevent event;
    const struct worker *w = &calls->g->worker;
    cloudevent_init(&event, SPAN_LIT("ivr/ivr-gateway"), SPAN_NONE, SPAN_LIT("ivr.call-request"),
                    httpd_received_wall_ms(calls->req));
    cloudevent_add_trace(&event, httpd_header(calls->req, "traceparent"),
                         httpd_header(calls->req, "tracestate"));
    cloudevent_add(&event, "content-type", SPAN_LIT("application/json"));
    kafka_produce(w->producer, w->settings->topics[TOPIC_CALL_REQUESTS],
                  span_of(calls->ids.p + piece->id_start, piece->id_n),
                  span_of(calls->texts.p + piece->start, piece->n), event.headers, event.n, GATEWAY_ACK_MS,
                  on_ack, submission);
}

static void produce_all(const struct submitted_calls *calls)
{
    struct submission *submission = mem_alloc(sizeof(*submission));
    *submission = (struct submission){.g = calls->g, .req = calls->req, .out = calls->n};
    buf_init(&submission->accepted, ERRORS_MAX);
    buf_adds(&submission->accepted, "{\"accepted\":[");
    for (size_t i = 0; i < calls->n; i++) {
        json_sep(&submission->accepted);
        json_str(&submission->accepted,
                 span_of(calls->ids.p + calls->pieces[i].id_start, calls->pieces[i].id_n));
    }
    buf_adds(&submission->accepted, "]}");
    for (size_t i = 0; i < calls->n; i++)
        produce_one(calls, &calls->pieces[i], submission);
    if (calls->n == 0)
        finish(submission);
}

static void answer_or_produce(struct submitted_calls *calls)
{
    if (calls->errors.n > 0) {
        buf_adds(&calls->errors, "]}");
        respond_json(calls->g, calls->req, 422, buf_span(&calls->errors));
    } else if (kafka_producer_full(calls->g->worker.producer)) {
        respond_unavailable(calls->g, calls->req, "Kafka does not keep up, send it again");
    } else {
        produce_all(calls);
    }
}

void submit_calls(struct gateway *g, struct httpd_request *req)
{
    struct err err = ERR_INIT;
    struct submitted_calls calls = {.g = g, .req = req};
    buf_init(&calls.texts, TEXTS_MAX);
    buf_init(&calls.ids, GATEWAY_MAX_CALLS);
    buf_init(&calls.errors, ERRORS_MAX);
    if (take_all(&calls, httpd_body(req), &err) != 0)
        respond_error(g, req, 400, err.text);
    else
        answer_or_produce(&calls);
    buf_done(&calls.errors);
    buf_done(&calls.ids);
    buf_done(&calls.texts);
    free(calls.pieces);
}
