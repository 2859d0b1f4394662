/*
 * What a lane tells Redis with its next question, collected meanwhile, and told again where the question is
 * not answered. Pure.
 */
#ifndef IVR_DISPATCH_TELLING_H
#define IVR_DISPATCH_TELLING_H

#include "workers/channel/queue.h"
#include "workers/dispatch/fifo.h"

enum { TELLING_WHY_MAX = 320 };

struct telling {
    struct queue_list queue, done, dropped, back;
    struct fifo queueing; /* whose tickets are in `queue` */
    struct queue_news news;
    char why[TELLING_WHY_MAX];
    unsigned late;
    bool accepted; /* by the provider, with the settings as they are */
    unsigned trials_ended;
    int64_t trials_of; /* the proofs that there were when they began */
};

void telling_init(struct telling *telling);
void telling_clear(struct telling *telling);
void telling_done(struct telling *telling);
/* Nothing that Redis waits for: news alone can wait for a question that is asked anyway. */
bool telling_is_empty(const struct telling *telling);
/* It may have been heard: leaves out what must not be told twice. Tickets that were given back may be others'
 * by now, and so may trials. */
void telling_may_be_known(struct telling *telling);
/* A trial is over that began when there were `proofs`, of which Redis told last: of others nobody asks any
 * more. */
void telling_trial_ended(struct telling *telling, int64_t proofs);

enum lane_news {
    LANE_ACCEPTED, /* it took the call, or refused it for what the call is: it has read the key */
    LANE_ANSWERED, /* it answered something else: not now */
    LANE_DOUBTFUL,
    LANE_UNREACHED,
    LANE_SUSPENDED
};
/* What became of a placement that began at `epoch`. `why` as of evidence. */
void telling_hear(struct telling *telling, int64_t epoch, enum lane_news news, const struct evidence *why);

#endif
