/*
 * What a channel queue has to tell Redis with its next request for admission: tickets, and what the provider answered.
 * Collected between two requests; told again where a request is not answered. Pure.
 */
#ifndef IVR_CHANNEL_CHANNEL_UPDATES_H
#define IVR_CHANNEL_CHANNEL_UPDATES_H

#include "common/model/evidence.h"
#include "workers/channel/admission.h"
#include "workers/channel/ticket.h"

enum { CHANNEL_WHY_MAX = 320 };

struct channel_updates {
    struct ticket_list queue, done, dropped, back; /* struct admission_request */
    struct fifo queueing;                          /* the tickets that are in `queue` */
    struct admission_results results;
    char why[CHANNEL_WHY_MAX]; /* of `results` */
    unsigned late;             /* placements that left long after their send time */
    bool accepted;             /* by the provider, with the settings as they are */
    unsigned trials_ended;
    int64_t trials_proofs; /* how many proofs there were when those trials began */
};

void channel_updates_init(struct channel_updates *updates);
void channel_updates_clear(struct channel_updates *updates);
void channel_updates_done(struct channel_updates *updates);

/* Nothing that Redis waits for. Results alone count as nothing: they can wait for a request that is sent anyway. */
bool channel_updates_is_empty(const struct channel_updates *updates);

/* Redis may have executed the request that told them: leaves out what must not be told twice. Tickets that were given
 * back may be others' by now, and so may trials. */
void channel_updates_may_be_known(struct channel_updates *updates);

/* A trial is over that began when there were `proofs`. Trials of an earlier number are left out: Redis has forgotten
 * them. */
void channel_updates_trial_ended(struct channel_updates *updates, int64_t proofs);

/* What a placement says of its channel. */
enum channel_result {
    CHANNEL_RESULT_NONE,
    CHANNEL_ACCEPTED_CALL, /* it took the call, or refused it for what the call is: it has read the key */
    CHANNEL_NOT_NOW,       /* it answered, but something else */
    CHANNEL_DOUBTFUL,      /* nobody knows whether it took the call */
    CHANNEL_UNREACHED,     /* it could not be contacted */
    CHANNEL_REFUSED_US     /* it refused the channel's key, credit or caller id */
};
/* The result of a placement that began at `epoch`; `why` is its evidence. */
void channel_updates_add_result(struct channel_updates *updates, int64_t epoch, enum channel_result result,
                                const struct evidence *why);

#endif
