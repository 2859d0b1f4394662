#include "workers/dispatch/telling.h"

#include <stdio.h>

#include "common/base/pii.h"

enum { UNREACHED_COUNTS = 2 /* a doubt may be the fault of one reply; who cannot be contacted is gone */ };

void telling_init(struct telling *telling)
{
    queue_list_init(&telling->queue);
    queue_list_init(&telling->done);
    queue_list_init(&telling->dropped);
    queue_list_init(&telling->back);
}

void telling_clear(struct telling *telling)
{
    queue_list_clear(&telling->queue);
    queue_list_clear(&telling->done);
    queue_list_clear(&telling->dropped);
    queue_list_clear(&telling->back);
    telling->queueing = (struct fifo){NULL, NULL, 0};
    telling->news = (struct queue_news){.epoch = 0};
    telling->late = telling->trials_ended = 0;
    telling->accepted = false;
}

void telling_done(struct telling *telling)
{
    queue_list_done(&telling->queue);
    queue_list_done(&telling->done);
    queue_list_done(&telling->dropped);
    queue_list_done(&telling->back);
}

bool telling_is_empty(const struct telling *t)
{
    return t->queue.n == 0 && t->done.n == 0 && t->dropped.n == 0 && t->back.n == 0;
}

void telling_may_be_known(struct telling *telling)
{
    queue_list_clear(&telling->dropped);
    queue_list_clear(&telling->back);
    telling->trials_ended = 0;
}

void telling_trial_ended(struct telling *telling, int64_t proofs)
{
    if (telling->trials_of != proofs)
        telling->trials_ended = 0;
    telling->trials_of = proofs;
    telling->trials_ended++;
}

/* The provider's words: its caller id may be in them, or whom it was to call. */
static void keep_why(struct telling *telling, const struct evidence *why)
{
    struct buf words;
    buf_init(&words, 8 * TELLING_WHY_MAX);
    pii_add_text(&words, span_str(why->reason_code));
    buf_addc(&words, ' ');
    pii_add_text(&words, span_str(why->reason_detail));
    snprintf(telling->why, sizeof(telling->why), "%s", words.p);
    buf_done(&words);
}

void telling_hear(struct telling *telling, int64_t epoch, enum lane_news news, const struct evidence *why)
{
    struct queue_news *told = &telling->news;
    told->epoch = epoch;
    if (news == LANE_ACCEPTED || news == LANE_ANSWERED) {
        telling->accepted = telling->accepted || news == LANE_ACCEPTED;
        told->ok++;
        told->fails = 0;
        return;
    }
    keep_why(telling, why);
    if (news == LANE_SUSPENDED)
        told->suspend = true;
    else
        told->fails += news == LANE_UNREACHED ? UNREACHED_COUNTS : 1;
}
