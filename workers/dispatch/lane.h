/*
 * A channel as this replica sees it: what it asks of the channel's queue (workers/channel/queue.h), and
 * whether the channel takes calls. The first step of admit -> claim -> outcome -> release.
 *
 * A call goes straight from its record to its claim where the channel has no limits and is open. Otherwise
 * (lane_queues) it is stored, and an attempt brings its ticket here:
 *
 *   lane_queue ──► queued, attempt_queued() ··· any replica ··· ticket in hand, with its send time ──► looked
 *     at ──► lane_ready ──► attempt_go() at that time ──► claimed, or not (lane_end)
 *
 * A send time is reserved a little ahead, and the call is looked at meanwhile: where the hours, a pause or an
 * expiry speak against it, another call has its send time. One that passed while this process was busy is
 * not used. One question at a time is out for a channel, at most every few milliseconds, whatever waits: its
 * size grows with the load.
 *
 * The channel is shut, for all replicas, while its circuit is open (twenty placements in a row are in
 * doubt, or ten reached nobody) or it is suspended (the provider refused its key, its credit or its caller
 * id, which speaks of the channel and not of the call, so a typo in a secret must not burn a campaign). Then
 * single calls go out as probes, and the first one that the provider answers opens it.
 *
 * A channel whose settings the provider has not accepted a request with is not proved (store/queue.h): its
 * calls wait their turn, limits or not, and few are on their way at a time (trials), until one is accepted.
 * They do not go elsewhere for it.
 */
#ifndef IVR_DISPATCH_LANE_H
#define IVR_DISPATCH_LANE_H

#include "workers/dispatch/telling.h"

struct lanes;
struct lane;

struct lanes *lanes_new(struct dispatch *dispatch);
/* No further tickets; those in hand go back. What is still to be told is told. */
void lanes_stop(struct lanes *lanes);
/* Things that are still to be told to Redis. */
size_t lanes_busy(const struct lanes *lanes);
void lanes_free(struct lanes **lanes);
/* The channels file was read again: a channel that was changed is open until it shows otherwise. */
void lanes_channels_changed(struct lanes *lanes);
/* An operator resumed the channel, at that time (Redis'). */
void lanes_resumed(struct lanes *lanes, struct span channel, int64_t when_ms);
/* The names of the suspended channels, at most `max`; borrowed until the next call. Returns how many. */
size_t lanes_suspended(const struct lanes *lanes, struct span *channels, size_t max);

/* Never NULL for a channel of the file. Lives as long as the lanes. */
struct lane *lane_of(struct lanes *lanes, const struct channel *channel);
bool lane_is_shut(const struct lane *lane);
/* Counts what is placed from now on: grows whenever the channel is shut. */
int64_t lane_epoch(const struct lane *lane);
/* Whether a call of the tenant waits its turn there. */
bool lane_queues(const struct lane *lane, struct span tenant);

/* Whether a ticket of the tenant comes with a line. */
bool lane_has_lines(const struct lane *lane, struct span tenant);

/* Brings the ticket of a stored call that waits; attempt_queued() when it is in. */
void lane_queue(struct lane *lane, struct attempt *attempt);
/* May be dialled, at the send time that came with its ticket: attempt_go() when it has come. */
void lane_ready(struct lane *lane, struct attempt *attempt);
/* Came too late for it, and wants another one. */
void lane_ready_again(struct lane *lane, struct attempt *attempt);
/* How long after its send time a placement may leave; 0: the channel has no rate. */
int64_t lane_late_ms(const struct lane *lane);
/* It left long after its send time all the same: it costs one more. */
void lane_was_late(struct lane *lane);

/* The end of a ticket in hand. CLAIMED: its line stays until the attempt is over. UNDER_WAY: the same, of an
 * attempt that another claimed. BACK: nobody has claimed it since it was looked at. FORGOTTEN: nobody knows,
 * so it is handed out again after its lease. */
enum lane_end { LANE_CLAIMED, LANE_UNDER_WAY, LANE_DROPPED, LANE_BACK, LANE_FORGOTTEN };
void lane_end(struct attempt *attempt, enum lane_end end);
/* Whether it is in hand still: longer than its lease, it is another's. */
bool lane_in_hand(const struct attempt *attempt);

/* A ticket in hand was looked at; not `ready`: another call may have its send time. */
void lane_looked(struct attempt *attempt, bool ready);

/* What became of its placement; the verdict's evidence says why. */
void lane_heard(const struct attempt *attempt, enum lane_news news);
/* Its request was heard, or is never sent: where its send time was a trial, another call may have one. */
void lane_trial_over(struct attempt *attempt);

#endif
