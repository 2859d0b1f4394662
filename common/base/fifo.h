/*
 * A list of structs, first in, first out, that allocates nothing: each has a link as a member, and stands in
 * one list at a time by that link.
 *
 *     struct job { ...; struct fifo_link link; };
 *     struct fifo jobs = {0};
 *
 *     fifo_add(&jobs, &job->link);
 *     for (struct job *job; (job = FIFO_TAKE(&jobs, struct job, link)) != NULL;)
 *         ...
 */
#ifndef IVR_COMMON_FIFO_H
#define IVR_COMMON_FIFO_H

#include <stddef.h>

struct fifo_link {
    struct fifo_link *next;
};

/* All zero: empty. */
struct fifo {
    struct fifo_link *first, *last;
    size_t n;
};

/* As the last one. */
static inline void fifo_add(struct fifo *list, struct fifo_link *link)
{
    link->next = NULL;
    if (list->last != NULL)
        list->last->next = link;
    else
        list->first = link;
    list->last = link;
    list->n++;
}

/* Before all others. */
static inline void fifo_add_first(struct fifo *list, struct fifo_link *link)
{
    link->next = list->first;
    list->first = link;
    if (list->last == NULL)
        list->last = link;
    list->n++;
}

/* Moves all of `from` behind what is in `to`; `from` is empty afterwards. */
static inline void fifo_move(struct fifo *to, struct fifo *from)
{
    if (from->first == NULL)
        return;
    if (to->last != NULL)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->n += from->n;
    *from = (struct fifo){NULL, NULL, 0};
}

/* The first one, no longer in the list; NULL when it is empty. */
static inline struct fifo_link *fifo_take(struct fifo *list)
{
    struct fifo_link *link = list->first;

    if (link == NULL)
        return NULL;
    list->first = link->next;
    if (list->first == NULL)
        list->last = NULL;
    list->n--;
    link->next = NULL;
    return link;
}

static inline void *fifo_struct(struct fifo_link *link, size_t offset)
{
    return link != NULL ? (char *)link - offset : NULL;
}

/* The struct `type` whose `member` the link is; NULL for NULL. */
#define FIFO_STRUCT(link, type, member) ((type *)fifo_struct((link), offsetof(type, member)))
/* The same of the first one: FIFO_TAKE takes it out of the list, FIFO_FIRST leaves it there. */
#define FIFO_TAKE(list, type, member)  FIFO_STRUCT(fifo_take(list), type, member)
#define FIFO_FIRST(list, type, member) FIFO_STRUCT((list)->first, type, member)
/* The one behind `item`; NULL when it is the last. */
#define FIFO_NEXT(item, type, member) FIFO_STRUCT((item)->member.next, type, member)

#endif
