/*
 * A call's place in a channel's queue, as this process holds it. Whatever goes through the queue embeds one:
 * channel_queue.[ch] knows nothing else of it.
 */
#ifndef IVR_CHANNEL_TICKET_H
#define IVR_CHANNEL_TICKET_H

#include "common/base/buf.h"
#include "common/base/fifo.h"
#include "common/run/loop.h"
#include "workers/channel/ticket_list.h"

struct channel_queue;

/* A send time that was given out while the channel's settings were not proved (admission.h). */
struct ticket_trial {
    struct channel_queue *queue; /* whose trial it is; NULL: none */
    int64_t proofs;              /* how many there were when it began */
    int64_t until_mono_ms;       /* then Redis no longer counts it */
};

struct ticket {
    /* Its owner's: */
    struct buf id;           /* "tenant/call_id" */
    int claim_no;            /* of the claim that it is for, or that was taken */
    int priority;            /* of its call */
    int64_t claimed_mono_ms; /* when its claim was asked for, once it is taken; 0: it is not */
    /* The channel queue's, to be read by others: */
    int64_t send_mono_ms; /* its send time; 0: none */
    bool in_hand;         /* handed out to this process, which has not said yet what became of it */
    /* The channel queue's own: */
    struct fifo_link link; /* in one list at a time */
    struct channel_queue *queue;
    int64_t taken_mono_ms; /* when it was handed out */
    struct ticket_trial trial;
    struct loop_timer *timer; /* until its send time */
};

static inline struct ticket_name ticket_name(const struct ticket *ticket)
{
    return (struct ticket_name){buf_span(&ticket->id), ticket->claim_no};
}

#endif
