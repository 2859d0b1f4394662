/* Attempts, first in, first out. An attempt stands in one list at a time (its `next`). */
#ifndef IVR_DISPATCH_FIFO_H
#define IVR_DISPATCH_FIFO_H

#include <assert.h>

#include "workers/dispatch/attempt.h"

struct fifo {
    struct attempt *first, *last;
    size_t n;
};

static inline void fifo_add(struct fifo *fifo, struct attempt *a)
{
    a->next = NULL;
    if (fifo->last != NULL)
        fifo->last->next = a;
    else
        fifo->first = a;
    fifo->last = a;
    fifo->n++;
}

static inline void fifo_add_first(struct fifo *fifo, struct attempt *a)
{
    a->next = fifo->first;
    fifo->first = a;
    if (fifo->last == NULL)
        fifo->last = a;
    fifo->n++;
}

static inline struct attempt *fifo_take(struct fifo *fifo)
{
    struct attempt *a = fifo->first;
    assert(a != NULL);
    fifo->first = a->next;
    if (fifo->first == NULL)
        fifo->last = NULL;
    fifo->n--;
    return a;
}

#endif
