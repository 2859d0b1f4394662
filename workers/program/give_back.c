#include "workers/program/give_back.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "workers/calls/due.h"
#include "workers/channel/lines.h"
#include "workers/contact/contact.h"

enum { CHANNEL_MAX = 64, NUMBER_MAX = 24 };

/* One attempt's, on its way: up to two questions at once. */
struct giving {
    struct store *store;
    char ref[CALLS_MAX_REF + 1]; /* "tenant/call_id/claim_no" */
    char channel[CHANNEL_MAX + 1];
    char number[NUMBER_MAX];
    unsigned out;
    enum store_status status; /* the worst */
    release_done_fn done;
    void *arg;
};

static void ended(enum store_status status, void *arg)
{
    struct giving *giving = arg;
    if (status != STORE_OK)
        giving->status = status;
    if (--giving->out > 0)
        return;
    giving->done(giving->status, giving->arg);
    free(giving);
}

/* ---- the contact lock ---- */

static void unlock(struct giving *giving);

/* A call that was cancelled or paused meanwhile, or cannot be read, is not woken: the next one is. */
static void on_woken(enum store_status status, bool woken, void *arg)
{
    if ((status == STORE_OK && !woken) || status == STORE_UNREADABLE)
        unlock(arg);
    else
        ended(status, arg);
}

static void on_unlocked(enum store_status status, struct span next, void *arg)
{
    struct giving *giving = arg;
    if (next.n > 0)
        calls_wake(giving->store, next, on_woken, giving);
    else
        ended(status, giving);
}

static void unlock(struct giving *giving)
{
    const struct contact_lock lock = {.tenant = span_of(giving->ref, strcspn(giving->ref, "/")),
                                      .channel = span_str(giving->channel),
                                      .number = span_str(giving->number),
                                      .ref = span_str(giving->ref)};
    contact_unlock(giving->store, &lock, on_unlocked, giving);
}

void give_back(struct store *store, const struct release *release, release_done_fn done, void *arg)
{
    struct giving *giving = mem_calloc(1, sizeof(*giving));
    *giving = (struct giving){.store = store, .status = STORE_OK, .done = done, .arg = arg};
    snprintf(giving->ref, sizeof(giving->ref), "%.*s/%d", SPAN_ARG(release->id), release->claim_no);
    snprintf(giving->channel, sizeof(giving->channel), "%.*s", SPAN_ARG(release->channel));
    snprintf(giving->number, sizeof(giving->number), "%.*s", SPAN_ARG(release->contact));
    giving->out = (unsigned)release->line + (release->contact.n > 0);
    if (release->line)
        lines_release(store, release->channel, span_str(giving->ref), ended, giving);
    if (release->contact.n > 0)
        unlock(giving);
}
