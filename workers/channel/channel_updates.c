#include "workers/channel/channel_updates.h"

#include <stdio.h>

#include "common/base/pii.h"

enum { UNREACHED_COUNTS = 2 /* a doubt may be the fault of one reply; who cannot be contacted is gone */ };

void channel_updates_init(struct channel_updates *updates)
{
    ticket_list_init(&updates->queue);
    ticket_list_init(&updates->done);
    ticket_list_init(&updates->dropped);
    ticket_list_init(&updates->back);
}

void channel_updates_clear(struct channel_updates *updates)
{
    ticket_list_clear(&updates->queue);
    ticket_list_clear(&updates->done);
    ticket_list_clear(&updates->dropped);
    ticket_list_clear(&updates->back);
    updates->queueing = (struct fifo){0};
    updates->results = (struct admission_results){.epoch = 0};
    updates->late = updates->trials_ended = 0;
    updates->accepted = false;
}

void channel_updates_done(struct channel_updates *updates)
{
    ticket_list_done(&updates->queue);
    ticket_list_done(&updates->done);
    ticket_list_done(&updates->dropped);
    ticket_list_done(&updates->back);
}

bool channel_updates_is_empty(const struct channel_updates *updates)
{
    return updates->queue.n == 0 && updates->done.n == 0 && updates->dropped.n == 0 && updates->back.n == 0;
}

void channel_updates_may_be_known(struct channel_updates *updates)
{
    ticket_list_clear(&updates->dropped);
    ticket_list_clear(&updates->back);
    updates->trials_ended = 0;
}

void channel_updates_trial_ended(struct channel_updates *updates, int64_t proofs)
{
    if (updates->trials_proofs != proofs)
        updates->trials_ended = 0;
    updates->trials_proofs = proofs;
    updates->trials_ended++;
}

/* The provider's words: its caller id may be in them, or the number that it was to call. */
static void keep_why(struct channel_updates *updates, const struct evidence *why)
{
    struct buf words;
    buf_init(&words, 8 * CHANNEL_WHY_MAX);
    pii_add_text(&words, span_str(why->reason_code));
    buf_addc(&words, ' ');
    pii_add_text(&words, span_str(why->reason_detail));
    snprintf(updates->why, sizeof(updates->why), "%s", words.p);
    buf_done(&words);
}

void channel_updates_add_result(struct channel_updates *updates, int64_t epoch, enum channel_result result,
                                const struct evidence *why)
{
    struct admission_results *results = &updates->results;
    results->epoch = epoch;
    if (result == CHANNEL_ACCEPTED_CALL || result == CHANNEL_NOT_NOW) {
        updates->accepted = updates->accepted || result == CHANNEL_ACCEPTED_CALL;
        results->ok++;
        results->fails = 0;
        return;
    }
    keep_why(updates, why);
    if (result == CHANNEL_REFUSED_US)
        results->suspend = true;
    else
        results->fails += result == CHANNEL_UNREACHED ? UNREACHED_COUNTS : 1;
}
