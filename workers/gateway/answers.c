#include "workers/gateway/answers.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "workers/calls/record.h"
#include "workers/calls/ref.h"
#include "workers/gateway/deferred.h"
#include "workers/gateway/delivery.h"
#include "workers/gateway/respond.h"
#include "workers/providers/channels.h"

enum { ID_MAX = 64 * 1024 + 64, DOCUMENT_MAX = 256 * 1024 };

/* A call in progress that waits for its instructions. */
struct answer {
    struct deferred deferred; /* first: deferred.h frees through it */
    struct channel *channel;  /* a reference */
    struct buf id;            /* "tenant/call_id"; empty while only the provider's id is known */
    int attempt;              /* with it */
    struct buf provider_id;   /* "provider:provider call id"; empty too when the request names nothing */
    struct buf says;          /* the provider's call id that the request names; empty without */
    bool proved;              /* `id` is: the signature or token covers it, or its link says so */
    int hang_up_status;       /* 404, or 200 where the request was a callback as well */
    const char *not_yet; /* why it was not answered yet, by what Redis said last; NULL: it said nothing */
};

static struct answer *answer_of(struct deferred *deferred)
{
    return (struct answer *)(void *)deferred;
}

static void answer_free(struct deferred *deferred)
{
    struct answer *answer = answer_of(deferred);
    buf_done(&answer->id);
    buf_done(&answer->provider_id);
    buf_done(&answer->says);
    channel_unref(&answer->channel);
    free(answer);
}

/* `request` NULL: hang up. */
static void give_document(struct answer *answer, const struct request *request)
{
    const struct deferred *deferred = &answer->deferred;
    struct buf document;
    const char *type = NULL;
    buf_init(&document, DOCUMENT_MAX);
    answer->channel->provider->answer(request, &document, &type);
    if (buf_ok(&document))
        respond(deferred->g, deferred->req, request != NULL ? 200 : answer->hang_up_status, type,
                buf_span(&document), NULL);
    else
        respond_error(deferred->g, deferred->req, 500, "the document is too large");
    buf_done(&document);
}

static void hang_up(struct answer *answer, const char *why)
{
    LOG_LIMITED(LOG_LEVEL_WARN, "a call asks what to do and is told to hang up", LOG_STR("reason", why),
                LOG_SPAN("call", buf_span(&answer->id)),
                LOG_SPAN("provider_call", buf_span(&answer->provider_id)));
    give_document(answer, NULL);
}

/* What Redis keeps was validated before it was stored, and its message is all that is needed; one that cannot
 * be read any more is a defect, or a later version's. */
static void give_message(struct answer *answer, struct span stored)
{
    struct request request;
    struct err err = ERR_INIT;
    if (request_read_stored(&request, REQUEST_MESSAGE, stored, &err) == 0) {
        give_document(answer, &request);
    } else {
        metric_count(M_STORED_UNREAD, "unreadable", NULL);
        LOG_ERROR("a stored request cannot be read", LOG_SPAN("call", buf_span(&answer->id)), LOG_ERR(&err));
        hang_up(answer, "unreadable");
    }
    request_done(&request);
}

/* ---- whose call it is ---- */

static const struct record_attempt *find_attempt(const struct record *record, int number)
{
    for (size_t i = 0; i < record->attempts_n; i++) {
        if (record->attempts[i].number == number)
            return &record->attempts[i];
    }
    return NULL;
}

/* A claim that Redis forgot comes back with what was just put on the topic (evidence.lua), unless it is
 * none. */
static bool may_come_back(const struct answer *answer, const struct record *record)
{
    return record->phase == PHASE_WAITING && record->attempt > 0 && answer->attempt == record->attempt + 1 &&
           span_is(record->channel, answer->channel->name);
}

/*
 * A call's message is given only to the channel that placed the call, and only for the attempt that was
 * placed: anybody can write a reference into a URL. NULL: the message may be given. Otherwise why not; with
 * *yet it may be given later, so Redis is to be asked again.
 */
static const char *find_objection(const struct answer *answer, const struct record *record, bool *yet)
{
    *yet = false;
    if (record == NULL)
        return "unknown call";
    if (record->phase == PHASE_DROPPED)
        return "dropped";
    const struct record_attempt *attempt = find_attempt(record, answer->attempt);
    if (attempt == NULL) {
        *yet = may_come_back(answer, record);
        return "no such attempt";
    }
    if (!span_is(attempt->channel, answer->channel->name))
        return "another channel's call";
    bool same = span_eq(attempt->provider_call_id, buf_span(&answer->says));
    if (attempt->id_sure && !same && (!answer->proved || answer->says.n > 0))
        return "another call of the provider's";
    *yet = !attempt->id_sure && !answer->proved;
    return *yet ? "not linked in time" : NULL;
}

static void on_record(enum store_status status, const struct record *record, void *arg)
{
    struct answer *answer = arg;
    bool yet;
    if (!deferred_answered(&answer->deferred) || (status != STORE_OK && status != STORE_UNREADABLE))
        return;
    const char *objection = "its call cannot be read";
    yet = false;
    if (status == STORE_OK)
        objection = find_objection(answer, record, &yet);
    answer->not_yet = yet ? objection : NULL;
    if (yet)
        return; /* asked again until the deadline */
    if (objection != NULL)
        hang_up(answer, objection);
    else
        give_message(answer, record->request);
    deferred_end(&answer->deferred);
}

/* ---- asking ---- */

static void on_ref(enum store_status status, struct span ref, void *arg)
{
    struct answer *answer = arg;
    struct span tenant, call_id;
    if (!deferred_answered(&answer->deferred))
        return;
    answer->not_yet = status == STORE_OK ? "not linked in time" : NULL;
    if (status != STORE_OK || !route_read_ref(ref, &tenant, &call_id, &answer->attempt))
        return; /* asked again until the deadline */
    buf_addspan(&answer->id, tenant);
    buf_addc(&answer->id, '/');
    buf_addspan(&answer->id, call_id);
    answer->not_yet = NULL;
    answer->proved = true;
    deferred_ask(&answer->deferred);
}

static void ask(struct deferred *deferred)
{
    struct answer *answer = answer_of(deferred);
    struct store *store = deferred->g->worker.store;
    const struct calls_call call = {buf_span(&answer->provider_id), span_str(answer->channel->name)};
    if (answer->id.n > 0)
        record_read(store, buf_span(&answer->id), on_record, answer);
    else
        ref_read(store, &call, on_ref, answer);
}

static void give_up(struct deferred *deferred)
{
    struct answer *answer = answer_of(deferred);
    if (answer->not_yet != NULL)
        hang_up(answer, answer->not_yet);
    else
        respond_unavailable(deferred->g, deferred->req, "Redis does not answer");
}

static struct answer *prepare(struct gateway *g, const struct received *r,
                              const struct callback_record *record, int hang_up_status)
{
    struct answer *answer = mem_calloc(1, sizeof(*answer));
    answer->channel = channel_ref(r->channel);
    answer->hang_up_status = hang_up_status;
    answer->attempt = record->attempt;
    answer->proved = received_proves_path(r);
    answer->deferred =
        (struct deferred){.g = g, .req = r->req, .ask = ask, .give_up = give_up, .free = answer_free};
    buf_init(&answer->id, 256);
    buf_init(&answer->provider_id, ID_MAX);
    buf_init(&answer->says, ID_MAX);
    if (!callback_record_add_id(&answer->says, r))
        buf_clear(&answer->says);
    if (record->names != NAMES_NOTHING)
        buf_addspan(record->names == NAMES_CALL ? &answer->id : &answer->provider_id, buf_span(&record->key));
    return answer;
}

struct answer *answers_prepare(struct gateway *g, const struct received *r,
                               const struct callback_record *record)
{
    return prepare(g, r, record, 200);
}

void answers_start(struct answer *answer)
{
    if (answer->id.n > 0 || answer->provider_id.n > 0) {
        deferred_start(&answer->deferred);
        return;
    }
    hang_up(answer, "it names no call");
    answers_drop(answer);
}

void answers_drop(struct answer *answer)
{
    answer_free(&answer->deferred);
}

/* The provider asks because somebody picked up: so its request goes onto the topic as evidence, too. The
 * contact on the phone does not wait for that. */
static void take(struct gateway *g, const struct received *r)
{
    struct callback_record record;
    if (r->provider->answer == NULL) {
        respond_error(g, r->req, 404, "this provider takes its instructions with the placement");
        return;
    }
    callback_record_init(&record, r);
    if (!delivery_full(g, r))
        delivery_start(g, r, &record, NULL, NULL);
    answers_start(prepare(g, r, &record, 404));
    callback_record_done(&record);
}

void answers_serve(struct gateway *g, struct httpd_request *req, const struct route *route)
{
    struct received r;
    if (received_check(g, req, route, &r))
        take(g, &r);
    received_done(&r);
}
