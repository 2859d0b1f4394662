#include "workers/gateway/deferred.h"

#include "workers/gateway/respond.h"

static void forget(struct deferred *l)
{
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        l->g->deferred = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    l->free(l);
}

void deferred_ask(struct deferred *l)
{
    l->asking = true;
    l->ask(l);
}

void deferred_start(struct deferred *l)
{
    l->prev = NULL;
    l->next = l->g->deferred;
    if (l->next != NULL)
        l->next->prev = l;
    l->g->deferred = l;
    l->until_mono_ms = loop_mono_ms(l->g->worker.loop) + DEFERRED_LIMIT_MS;
    l->ended = false;
    deferred_ask(l);
}

bool deferred_answered(struct deferred *l)
{
    l->asking = false;
    if (!l->ended && l->g->server != NULL)
        return true;
    forget(l);
    return false;
}

void deferred_end(struct deferred *l)
{
    l->ended = true;
    if (!l->asking)
        forget(l);
}

bool deferred_unreadable(struct deferred *l, enum store_status status)
{
    if (status != STORE_UNREADABLE)
        return false;
    respond_error(l->g, l->req, 500, store_why(l->g->worker.store));
    deferred_end(l);
    return true;
}

static void ask_again(void *arg)
{
    struct gateway *g = arg;
    int64_t now_mono_ms = loop_mono_ms(g->worker.loop);
    for (struct deferred *l = g->deferred, *next; l != NULL; l = next) {
        next = l->next;
        if (l->ended)
            continue;
        if (now_mono_ms >= l->until_mono_ms) {
            l->give_up(l);
            deferred_end(l);
        } else if (!l->asking) {
            deferred_ask(l);
        }
    }
}

void deferred_open(struct gateway *g)
{
    g->ask_again = loop_timer_start(g->worker.loop, DEFERRED_AGAIN_MS, DEFERRED_AGAIN_MS, ask_again, g);
}

void deferred_close(struct gateway *g)
{
    if (g->ask_again != NULL)
        loop_timer_stop(&g->ask_again);
    for (struct deferred *l = g->deferred, *next; l != NULL; l = next) {
        next = l->next;
        deferred_end(l);
    }
}
