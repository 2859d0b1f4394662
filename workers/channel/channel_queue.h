/*
 * A channel's queue as this process sees it: its tickets, what is asked of the queue in Redis (admission.h), and whether
 * the channel takes calls. It knows tickets (ticket.h), and of what is behind them only what `struct
 * channel_queue_events` does.
 *
 * Where a channel has no limits, is open and proved, its calls need no ticket. Otherwise a ticket goes this way:
 *
 *   channel_queue_add() ──► queued() ··· waits in Redis, until any replica gets it, with its send time ··· take() ──►
 *   look() ──► channel_queue_seen() ──► channel_queue_ready() ──► go() at its send time ──► the end of a ticket in hand
 *
 * A send time is reserved a little ahead, and the call is looked at meanwhile. Where the hours, a pause or an expiry speak
 * against it, another ticket gets its send time. A send time that passed while this process was busy is not used.
 *
 * The channel is closed, for all replicas, while its circuit is open (twenty placements in a row are in doubt, or ten
 * reached nobody), or while it is suspended: the provider refused its key, its credit or its caller id. That speaks of the
 * channel and not of the call, and a typo in a secret must not burn a campaign. Then single calls go out as probes, and
 * the first one that the provider answers opens it.
 *
 * A channel is not proved until the provider has accepted a request with its settings. Until then its calls wait their
 * turn, limits or not, and few are on their way at a time (trials, admission.h). They do not go elsewhere for it.
 */
#ifndef IVR_CHANNEL_CHANNEL_QUEUE_H
#define IVR_CHANNEL_CHANNEL_QUEUE_H

#include "workers/channel/channel_plan.h"
#include "workers/channel/channel_standing.h"
#include "workers/channel/channel_updates.h"
#include "workers/channel/ticket.h"

struct channel_queue;

/* What channel queues need of whoever owns the tickets. All are called from the loop, and may call back. */
struct channel_queue_events {
    /* What the process has room for; `free` counts what is promised, too. */
    void (*room)(void *arg, struct channel_room *room);
    /* A place for a ticket that was handed out, named like this; NULL: there is none, it is handed out again after its
     * lease. */
    struct ticket *(*take)(void *arg, struct span channel, struct ticket_name name);
    /* The ticket is in hand, often with its send time: look at its call, then channel_queue_seen(). */
    void (*look)(struct ticket *ticket);
    /* The ticket that was added is in the queue. */
    void (*queued)(struct ticket *ticket);
    /* Its send time has come. */
    void (*go)(struct ticket *ticket);
    /* It has waited too long for one, or nothing goes out for now: end it, or give its claim back. */
    void (*no_send_time)(struct ticket *ticket);
};

/* What the queues of a process share; channel_queues.c fills it in. */
struct channel_queue_shared {
    struct loop *loop;
    struct store *store;
    const struct channel_queue_events *events;
    void *arg;
    uint32_t asker;  /* a number of this process' own */
    bool stopped;    /* no further tickets */
    size_t promised; /* tickets that requests on their way may bring */
    const struct admission_cap *caps;
    size_t caps_n;
};

struct channel_queue *channel_queue_new(struct channel_queue_shared *shared, const char *name);
void channel_queue_free(struct channel_queue **queue);

/* ---- the channel ---- */

/* Its settings as the channels file has them. Other settings are another chance: the channel is open until it shows
 * otherwise. */
void channel_queue_set_limits(struct channel_queue *queue, const struct channel_limits *limits);
/* It is gone from the file. */
void channel_queue_unset_limits(struct channel_queue *queue);
/* An operator resumed it, at that time (Redis'). */
void channel_queue_resumed(struct channel_queue *queue, int64_t when_ms);

const char *channel_queue_name(const struct channel_queue *queue);
const struct channel_standing *channel_queue_standing(const struct channel_queue *queue);
/* NULL: it is gone from the file. */
const struct channel_limits *channel_queue_limits(const struct channel_queue *queue);
/* How long after its send time a placement may leave; 0: the channel has no rate. */
int64_t channel_queue_late_ms(const struct channel_queue *queue);

/* What a placement on it said, which began at `epoch` with settings of that fingerprint. Whatever left before the channel
 * was closed, or with other settings, says nothing of it. */
void channel_queue_add_result(struct channel_queue *queue, int64_t epoch, const char *fingerprint,
                              enum channel_result result, const struct evidence *why);
/* A placement left long after its send time all the same: it costs one more. */
void channel_queue_add_late(struct channel_queue *queue);

/* ---- tickets ---- */

/* Brings the ticket of a stored call to the queue. */
void channel_queue_add(struct channel_queue *queue, struct ticket *ticket);

/* The call of a ticket in hand was looked at. Not `usable`: it may not be dialled, and another ticket may have its send
 * time. */
void channel_queue_seen(struct ticket *ticket, bool usable);
/* The call of a ticket in hand may be dialled: go() comes at its send time. */
void channel_queue_ready(struct ticket *ticket);
/* It came too late for its send time and wants another one; its claim may be taken already. */
void channel_queue_ready_again(struct channel_queue *queue, struct ticket *ticket);

/*
 * The end of a ticket in hand; nothing happens where it is not. A ticket that was in hand for longer than its lease is
 * another's by now: then Redis is told only of a claim that was taken.
 */
bool channel_queue_in_hand(const struct ticket *ticket); /* and not for longer than its lease */
/* The claim that it is for was taken, by us or by another: its line stays for `line_ms` (0: as it is). */
void channel_queue_end_claimed(struct ticket *ticket, int64_t line_ms);
/* It is good for nothing. */
void channel_queue_end_dropped(struct ticket *ticket);
/* Nobody has claimed its call since it was looked at: it waits again. */
void channel_queue_end_back(struct ticket *ticket);
/* Nobody knows: it is handed out again after its lease. */
void channel_queue_end_unknown(struct ticket *ticket);

/* The provider answered its request, or the request is never sent: where its send time was a trial, another ticket may
 * have one. Nothing happens where it was none. */
void channel_queue_end_trial(struct ticket *ticket);

/* ---- for channel_queues.c ---- */

/* Sends what is urgent, at the end of a turn. Whether it did. */
bool channel_queue_flush(struct channel_queue *queue);
/* No further tickets; those that wait for a send time go back. */
void channel_queue_stop(struct channel_queue *queue);
/* Something is still to be told to Redis. */
bool channel_queue_busy(const struct channel_queue *queue);

#endif
