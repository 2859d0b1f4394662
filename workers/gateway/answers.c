#include "workers/gateway/answers.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "workers/gateway/callbacks.h"
#include "workers/gateway/lookup.h"
#include "workers/gateway/respond.h"
#include "workers/providers/channels.h"
#include "workers/store/record.h"
#include "workers/store/ref.h"

enum { ID_MAX = 64 * 1024 + 64, DOCUMENT_MAX = 256 * 1024 };

/* A call on the line that waits for its instructions. */
struct answer {
    struct lookup lookup;    /* first: lookup.h frees through it */
    struct channel *channel; /* a reference */
    struct buf id;           /* "tenant/call_id"; empty while only the provider's id is known */
    struct buf provider_id;  /* "provider:provider call id"; empty too when the request names nothing */
    int hang_up_status;      /* 404, or 200 where the request was a callback as well */
    bool not_linked;         /* what Redis said last: it knows no such id yet */
};

static struct answer *answer_of(struct lookup *lookup)
{
    return (struct answer *)(void *)lookup;
}

static void answer_free(struct lookup *lookup)
{
    struct answer *answer = answer_of(lookup);
    buf_done(&answer->id);
    buf_done(&answer->provider_id);
    channel_unref(&answer->channel);
    free(answer);
}

/* `request` NULL: hang up. */
static void give_document(struct answer *answer, const struct request *request)
{
    const struct lookup *lookup = &answer->lookup;
    struct buf document;
    const char *type = NULL;
    buf_init(&document, DOCUMENT_MAX);
    answer->channel->provider->answer(request, &document, &type);
    if (buf_ok(&document))
        respond(lookup->g, lookup->req, request != NULL ? 200 : answer->hang_up_status, type,
                buf_span(&document), NULL);
    else
        respond_error(lookup->g, lookup->req, 500, "the document is too large");
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

/* What a call is told goes to who placed it: an echoed reference can be anybody's. A call without attempts
 * lost its claim, which nobody but who placed it knows. */
static bool is_placed_here(const struct answer *answer, const struct record *record)
{
    for (size_t i = 0; i < record->attempts_n; i++) {
        if (span_is(record->attempts[i].channel, answer->channel->name))
            return true;
    }
    return record->attempts_n == 0;
}

static void on_record(enum store_status status, const struct record *record, void *arg)
{
    struct answer *answer = arg;
    if (!lookup_answered(&answer->lookup) || status != STORE_OK)
        return;
    if (record == NULL)
        hang_up(answer, "unknown call");
    else if (record->phase == PHASE_DROPPED)
        hang_up(answer, "dropped");
    else if (!is_placed_here(answer, record))
        hang_up(answer, "another channel's call");
    else
        give_message(answer, record->request);
    lookup_end(&answer->lookup);
}

static void on_ref(enum store_status status, struct span ref, void *arg)
{
    struct answer *answer = arg;
    struct span tenant, call_id;
    int attempt;
    if (!lookup_answered(&answer->lookup))
        return;
    answer->not_linked = status == STORE_OK;
    if (status != STORE_OK || !route_read_ref(ref, &tenant, &call_id, &attempt))
        return; /* asked again until the deadline */
    buf_addspan(&answer->id, tenant);
    buf_addc(&answer->id, '/');
    buf_addspan(&answer->id, call_id);
    answer->not_linked = false;
    lookup_ask(&answer->lookup);
}

static void ask(struct lookup *lookup)
{
    struct answer *answer = answer_of(lookup);
    struct store *store = lookup->g->worker.store;
    if (answer->id.n > 0)
        record_read(store, buf_span(&answer->id), on_record, answer);
    else
        ref_read(store, buf_span(&answer->provider_id), on_ref, answer);
}

static void give_up(struct lookup *lookup)
{
    struct answer *answer = answer_of(lookup);
    if (answer->not_linked)
        hang_up(answer, "not linked in time");
    else
        respond_unavailable(lookup->g, lookup->req, "Redis does not answer");
}

static struct answer *prepare(struct gateway *g, const struct received *r,
                              const struct callback_record *record, int hang_up_status)
{
    struct answer *answer = mem_calloc(1, sizeof(*answer));
    answer->channel = channel_ref(r->channel);
    answer->hang_up_status = hang_up_status;
    answer->lookup =
        (struct lookup){.g = g, .req = r->req, .ask = ask, .give_up = give_up, .free = answer_free};
    buf_init(&answer->id, 256);
    buf_init(&answer->provider_id, ID_MAX);
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
        lookup_start(&answer->lookup);
        return;
    }
    hang_up(answer, "it names no call");
    answers_drop(answer);
}

void answers_drop(struct answer *answer)
{
    answer_free(&answer->lookup);
}

/* That the provider asks proves an answer: it goes onto the topic too, and the caller on the line does not
 * wait for that. */
static void take(struct gateway *g, const struct received *r)
{
    struct callback_record record;
    if (r->provider->answer == NULL) {
        respond_error(g, r->req, 404, "this provider takes its instructions with the placement");
        return;
    }
    callback_record_init(&record, r);
    callbacks_keep(g, r, &record);
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
