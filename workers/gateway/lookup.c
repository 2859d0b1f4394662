#include "workers/gateway/lookup.h"

#include "workers/gateway/respond.h"

static void forget(struct lookup *l)
{
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        l->g->lookups = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    l->free(l);
}

void lookup_ask(struct lookup *l)
{
    l->asking = true;
    l->ask(l);
}

void lookup_start(struct lookup *l)
{
    l->prev = NULL;
    l->next = l->g->lookups;
    if (l->next != NULL)
        l->next->prev = l;
    l->g->lookups = l;
    l->until_mono_ms = loop_mono_ms(l->g->worker.loop) + LOOKUP_LIMIT_MS;
    l->ended = false;
    lookup_ask(l);
}

bool lookup_answered(struct lookup *l)
{
    l->asking = false;
    if (!l->ended && l->g->server != NULL)
        return true;
    forget(l);
    return false;
}

void lookup_end(struct lookup *l)
{
    l->ended = true;
    if (!l->asking)
        forget(l);
}

bool lookup_unreadable(struct lookup *l, enum store_status status)
{
    if (status != STORE_UNREADABLE)
        return false;
    respond_error(l->g, l->req, 500, store_why(l->g->worker.store));
    lookup_end(l);
    return true;
}

static void look_again(void *arg)
{
    struct gateway *g = arg;
    int64_t now_mono_ms = loop_mono_ms(g->worker.loop);
    for (struct lookup *l = g->lookups, *next; l != NULL; l = next) {
        next = l->next;
        if (l->ended)
            continue;
        if (now_mono_ms >= l->until_mono_ms) {
            l->give_up(l);
            lookup_end(l);
        } else if (!l->asking) {
            lookup_ask(l);
        }
    }
}

void lookups_open(struct gateway *g)
{
    g->look_again = loop_timer_start(g->worker.loop, LOOKUP_AGAIN_MS, LOOKUP_AGAIN_MS, look_again, g);
}

void lookups_close(struct gateway *g)
{
    if (g->look_again != NULL)
        loop_timer_stop(&g->look_again);
    for (struct lookup *l = g->lookups, *next; l != NULL; l = next) {
        next = l->next;
        lookup_end(l);
    }
}
