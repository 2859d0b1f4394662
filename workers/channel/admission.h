/*
 * Admission to a channel that has limits, or is closed: tickets, turns, lines, send times and the circuit, in
 * the channel's own slot of Redis, "{PREFIX:ch:NAME}" (admit.lua says which keys). What stands there are
 * hints, each with a deadline; the shards are the truth of calls.
 *
 * A ticket is named by the claim that it is for ("tenant/call_id/3"). Its life:
 *
 *   call waits and is due ──queue──► queued ──hand out──► in hand ──claimed──► done (its line stays until release)
 *            ▲                            ▲                    │ │
 *            └──── offered again ─────────┘◄───────back────────┘ └──dropped──► nothing (its line is given back)
 *
 * What each crash leaves behind:
 *
 *   killed before it is queued:      the shard offers the call again after its lease (30 s)
 *   killed with it in hand:          it is handed out again after TICKET_LEASE_MS, with its line
 *   killed after the claim:          the same, and the look at the shard says that the attempt is under way
 *   the queue forgotten (failover):  the shards offer their waiting calls again, every TICKET_DEFER_MS
 *
 * Lines are given back with the event that ends their attempt (workers/calls/release.h).
 */
#ifndef IVR_CHANNEL_ADMISSION_H
#define IVR_CHANNEL_ADMISSION_H

#include "workers/channel/ticket_list.h"
#include "workers/store/store.h"

enum {
    TICKET_LEASE_MS = 10000,        /* in hand for so long, it is another's */
    TICKET_DEFER_MS = 300000,       /* between two offers of a call that has a ticket */
    ADMISSION_MAX_TICKETS = 64,     /* handed out at once */
    ADMISSION_MAX_SEND_TIMES = 512, /* at once, for tickets in hand */
    CHANNEL_FINGERPRINT_LEN = 16,
    CHANNEL_TRIALS = 8, /* admit.lua has the number too */
};

/* Whether a channel takes calls. It is closed, for all replicas, while its circuit is open or while it is
 * suspended: then single calls go out as probes. */
enum channel_state {
    CHANNEL_UNKNOWN,  /* Redis has not said */
    CHANNEL_OPEN,     /* it takes calls */
    CHANNEL_CIRCUIT,  /* too many placements in a row failed */
    CHANNEL_SUSPENDED /* the provider refused its key, its credit or its caller id */
};
const char *channel_state_name(enum channel_state state); /* "open", "circuit", "suspended"; not of UNKNOWN */

struct admission_cap {
    struct span tenant;
    int lines; /* that it may have in use on this channel */
};

/* What the provider answered to placements since the last request. It speaks of the epoch `epoch` (struct
 * admission_answer): Redis leaves out what speaks of another. */
struct admission_results {
    int64_t epoch;
    unsigned ok;    /* the provider answered */
    unsigned fails; /* in a row since the last `ok`: 1 for a doubt, 2 where nobody could be contacted */
    bool suspend;   /* the key, the credit or the caller id was refused */
    struct span why;
    /* Redis' time: the channel is open again, unless it was closed after this; 0: nobody resumed it. */
    int64_t resumed_ms;
};

/*
 * Whether the provider has accepted a request with the channel's settings, as they stand at the asker. Until
 * it has, CHANNEL_TRIALS send times are given out over all replicas. Each is a trial. It ends when `ended`
 * says so (the provider answered, or the request is never sent), at the latest after `trial_ms`.
 *
 * A new proof is asked for by a suspension, a resume, other settings, the first replica's start, and an hour
 * without an accepted request.
 */
struct admission_proof {
    char fingerprint[CHANNEL_FINGERPRINT_LEN + 1]; /* of the settings */
    int64_t asker;                                 /* a number of the process' own */
    bool coming;                                   /* its first request */
    bool going;                                    /* it is about to end */
    bool accepted;  /* the provider took a request, or refused it for what it asks: it has read the key */
    unsigned ended; /* trials that are over ... */
    int64_t proofs; /* ... of those that began when there were so many proofs (struct admission_answer) */
    int64_t trial_ms;
};

struct admission_request {
    struct span channel;
    double calls_per_second; /* 0: no limit */
    int lines;               /* concurrent_calls; 0: no limit */
    const struct admission_cap *caps;
    size_t caps_n;
    unsigned tickets;    /* how many are wanted, at most ADMISSION_MAX_TICKETS */
    unsigned spare;      /* how many of them may come without a send time */
    unsigned send_times; /* how many are wanted for tickets in hand, at most ADMISSION_MAX_SEND_TIMES */
    unsigned late;       /* placements that left long after their send time: each costs one more */
    struct admission_results results;
    struct admission_proof proof;
    /* Tickets to be queued, with their priority; done, whose claim was taken, with the ms that their line may
     * be held; dropped, not claimed; back, not claimed and to wait again, with their priority. */
    const struct ticket_list *queue, *done, *dropped, *back;
};

struct admission_answer {
    int64_t queued; /* tickets that wait in the channel's queue */
    int64_t lines;  /* in use */
    enum channel_state state;
    struct span why;
    int64_t since_ms; /* Redis' time; 0 while it is open */
    int64_t epoch;    /* grows whenever it is closed */
    const struct ticket_name *tickets;
    size_t tickets_n;
    /* From Redis' now, rising: first for what is in hand, as many as there are, then for `tickets`. */
    const int64_t *send_times_us;
    size_t send_times_n;
    int64_t wait_us; /* until a send time may be had */
    bool proved;     /* the provider has accepted a request with the asker's settings */
    int64_t proofs;  /* unless proved: each of the send times above is a trial, which began with so many */
};

/* `answer` is NULL unless STORE_OK (and STORE_UNACKED: ask again with the same). Borrowed until it returns. */
typedef void (*admission_fn)(enum store_status status, const struct admission_answer *answer, void *arg);
/* Copies what it is given. */
void admission_ask(struct store *store, const struct admission_request *request, admission_fn fn, void *arg);
/* How the channel stands, for people; changes nothing. */
void admission_read(struct store *store, struct span channel, admission_fn fn, void *arg);

#endif
