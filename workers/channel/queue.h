/*
 * Admission to a channel that has limits, or is shut: tickets, turns, lines, send times and the circuit, in
 * the channel's own slot "{PREFIX:ch:NAME}" (admit.lua says which keys). What stands there are hints, each
 * with a deadline; the shards are the truth of calls.
 *
 * Life of a ticket, which is named by the claim that it is for ("tenant/call_id/3"), and what each crash
 * leaves behind:
 *
 *   call waits and is due ──queue──► queued ──hand out──► in hand ──claimed──► done (its line stays until
 * release) ▲                            ▲                    │ │ └──── offered again
 * ─────────┘◄───────back────────┘ └──dropped──► nothing (its line is given back)
 *
 *   killed before it is queued:      the shard offers the call again after its lease (30 s)
 *   killed with it in hand:          it is handed out again after QUEUE_LEASE_MS, with its line
 *   killed after the claim:          the same, and the look at the shard says that the attempt is under way
 *   the queue forgotten (failover):  the shards offer their waiting calls again, every QUEUE_DEFER_MS
 *
 * Lines are given back with the event that ends their attempt (workers/program/give_back.h).
 */
#ifndef IVR_STORE_QUEUE_H
#define IVR_STORE_QUEUE_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "workers/store/store.h"

enum {
    QUEUE_LEASE_MS = 10000,
    QUEUE_DEFER_MS = 300000, /* between two offers of a call that has a ticket */
    QUEUE_MAX_TICKETS = 64,  /* handed out at once */
    QUEUE_MAX_SLOTS = 512,   /* send times at once for what is in hand */
};

/* Elements for admit.lua, packed as they come. */
struct queue_list {
    struct buf packed;
    uint32_t n;
};
void queue_list_init(struct queue_list *list);
void queue_list_clear(struct queue_list *list);
void queue_list_done(struct queue_list *list);
/* A ticket alone (dropped), or with a number: its priority (queue, back), its line's ms (done). */
void queue_list_add(struct queue_list *list, struct span id, int claim_no);
void queue_list_add_with(struct queue_list *list, struct span id, int claim_no, int64_t number);

enum queue_shut { QUEUE_OPEN, QUEUE_CIRCUIT, QUEUE_SUSPENDED };
const char *queue_shut_name(enum queue_shut shut); /* "open", "circuit", "suspended" */

struct queue_cap {
    struct span tenant;
    int lines;
};

/* What placements on the channel said since the last answer; of epoch `epoch` (struct queue_told). */
struct queue_news {
    int64_t epoch;
    unsigned ok;    /* the provider answered */
    unsigned fails; /* in a row since the last `ok`: 1 for a doubt, 2 where nobody could be contacted */
    bool suspend;   /* the key, the credit or the caller id was refused */
    struct span why;
    int64_t
        resumed_ms; /* the channel is open again, unless it was shut after this (Redis' time); 0: no news */
};

enum { QUEUE_FINGERPRINT_LEN = 16, QUEUE_TRIALS = 8 };

/*
 * Whether the provider has accepted a request with the channel's settings, as they stand at the asker. Until
 * it has, QUEUE_TRIALS send times are given out over all replicas (admit.lua has the number too): each is a
 * trial, from then until `ended` tells that it is over (heard, or never sent), at the latest `trial_ms`. A
 * suspension, a resume, other settings, the first replica's start and an hour without an accepted request ask
 * for a new proof.
 */
struct queue_proof {
    char fingerprint[QUEUE_FINGERPRINT_LEN + 1]; /* of the settings */
    int64_t asker;                               /* a number of the process' own */
    bool coming, going;                          /* its first question; it is about to end */
    bool accepted;  /* the provider took a request, or refused it for what it asks: it has read the key */
    unsigned ended; /* trials ... */
    int64_t proofs; /* ... that began when there were so many proofs (struct queue_told) */
    int64_t trial_ms;
};

struct queue_ask {
    struct span channel;
    double calls_per_second; /* 0: no limit */
    int lines;               /* concurrent_calls; 0: no limit */
    const struct queue_cap *caps;
    size_t caps_n;
    unsigned tickets; /* how many are wanted, at most QUEUE_MAX_TICKETS */
    unsigned spare;   /* how many of them without a send time: more than there are send times */
    unsigned slots;   /* how many send times are wanted for tickets in hand, at most QUEUE_MAX_SLOTS */
    unsigned late;    /* placements that left long after their send time: they cost one more */
    struct queue_news news;
    struct queue_proof proof;
    const struct queue_list *queue, *done, *dropped, *back;
};

struct queue_ticket {
    struct span id;
    int claim_no; /* struct calls_claimed */
};

struct queue_told {
    int64_t queued;
    int64_t lines;
    enum queue_shut shut;
    struct span why;
    int64_t since_ms; /* Redis' time; 0 while it is open */
    int64_t epoch;    /* grows whenever it is shut */
    const struct queue_ticket *tickets;
    size_t tickets_n;
    /* From Redis' now, rising: first for what is in hand, as many as there are, then for `tickets`. */
    const int64_t *slots_us;
    size_t slots_n;
    int64_t wait_us; /* until a send time may be had */
    bool proved;     /* with the asker's settings */
    int64_t proofs;  /* unless proved: each of the send times above is a trial, which began with so many */
};

/* `told` is NULL unless STORE_OK (and STORE_UNACKED: ask again with the same). Borrowed until it returns. */
typedef void (*queue_fn)(enum store_status status, const struct queue_told *told, void *arg);
void queue_admit(struct store *store, const struct queue_ask *ask, queue_fn fn, void *arg);
/* Asks only. */
void queue_look_at(struct store *store, struct span channel, queue_fn fn, void *arg);

#endif
