/*
 * What operators say: pause, resume and cancel of a campaign, a tenant, a channel or a call (controls.lua,
 * control.lua), and the steps by which a dispatch worker carries it out (sweep.lua, hangup.lua). ivrctl and
 * the gateway's /v1 both end here.
 *
 * A word about a campaign, tenant or channel is written into every shard (":ctl"), and the scripts that
 * store, offer and claim calls read it there, in the same step. So it holds for every replica from the answer
 * on; there is no copy in a worker that could be out of date, and a worker that cannot read it has no claim
 * either. Until all shards have answered it holds in some of them only: whoever asked repeats it. (One hash
 * that each worker polls would be one write, but leave the moment between its reading and the claim, and
 * every worker dead in the water while that one slot of a cluster is away.)
 *
 * Paused calls leave the index of due calls for a hold, so that a campaign of a million costs nothing while
 * it is paused; the sweep brings them back. expires_at still ends them, the time to give up (IVR_GIVE_UP)
 * does not run. Calls that were dialled already go on.
 *
 * Cancel ends what waits: dropped, reason "cancelled", or with its status where it had an attempt. What is on
 * its way at a provider has no further attempt, and the provider is asked to hang up; of a campaign, tenant
 * or channel only what was not answered yet: who hears the message hears its end. Later requests of a
 * cancelled campaign or tenant are dropped until resume; a channel's cancel concerns what was there.
 */
#ifndef IVR_CALLS_CONTROL_H
#define IVR_CALLS_CONTROL_H

#include "workers/store/store.h"

enum control_what { CONTROL_SAYS_NOTHING, CONTROL_PAUSE, CONTROL_RESUME, CONTROL_CANCEL };
enum control_kind { CONTROL_OF_NOTHING, CONTROL_CAMPAIGN, CONTROL_TENANT, CONTROL_CHANNEL, CONTROL_CALL };
enum control_state {
    CONTROL_UNKNOWN, /* no such call; no such campaign and nothing was said of it: nothing was done */
    CONTROL_RUNNING, /* also a cancelled channel: what comes later is placed */
    CONTROL_PAUSED,
    CONTROL_CANCELLED,
    CONTROL_NOT_WAITING, /* pause of a call that is on its way: nothing was done */
    CONTROL_FINAL,       /* the call was over before: nothing was done */
};

struct control {
    enum control_what what;
    enum control_kind kind;
    /* "tenant/campaign", "tenant", "channel", "tenant/call_id"; valid, borrowed until the answer. */
    struct span name;
    bool ahead; /* also of a campaign that nobody knows yet */
    /* What ivr.audit is to say of it, as audit_begin() made it; SPAN_NONE: nothing. Borrowed like the name. */
    struct span audit;
    /* Set here, begins as 0. How many calls it concerns: pause and resume those that wait, cancel also those at their
     * provider. As first counted, so that whoever says it again says the same. */
    bool counted;
    int64_t affected;
};

/* "pause" and the like; false where it is none. */
bool control_what_read(struct span word, enum control_what *what);
/* "campaign" and the like; false where it is none. */
bool control_kind_read(struct span word, enum control_kind *kind);
const char *control_kind_name(enum control_kind kind);
/* Whether the name has the form of that kind. */
bool control_name_valid(enum control_kind kind, struct span name);
/* "running", "paused", "cancelled"; "not_waiting", "final", "unknown". */
const char *control_state_name(enum control_state state);

struct control_result {
    enum control_state state;
    /* Calls of a campaign, tenant or channel that waited when it was said, and (not of a channel) that were at
     * their provider without an end; of a call 1 and 0 where it was done. */
    int64_t waiting, placed;
};
/* Unless the status is STORE_OK it may hold in some shards only: ask again with the same. */
typedef void (*control_fn)(enum store_status status, const struct control_result *result, void *arg);
/* `control` lives until the answer. */
void control_set(struct store *store, struct control *control, control_fn fn, void *arg);
/* What holds for a campaign, tenant or channel now. */
void control_read(struct store *store, enum control_kind kind, struct span name, control_fn fn, void *arg);

/* ---- for dispatch ---- */

struct control_resumed {
    struct span channel;
    struct span when; /* Redis' time in ms, as text: another one is another resume */
};
/* One step of carrying out what was said in a shard, a few calls at a time. `more`: ask again at once.
 * `resumed`: the channels that were resumed within the last hour. */
typedef void (*control_sweep_fn)(enum store_status status, bool more, const struct control_resumed *resumed,
                                 size_t n, void *arg);
void control_sweep(struct store *store, unsigned shard, control_sweep_fn fn, void *arg);

struct control_hangup {
    struct span id;
    int attempt;
    struct span channel;
    struct span provider_call_id;
};
/* Up to `limit` calls of the shard whose provider is to be asked to hang up; each is offered again, a bounded
 * number of times, until control_hung_up() or its end. */
typedef void (*control_hangup_fn)(enum store_status status, const struct control_hangup *items, size_t n,
                                  void *arg);
void control_hangups(struct store *store, unsigned shard, unsigned limit, control_hangup_fn fn, void *arg);
/* Its provider has answered. No answer: it would be asked once more. */
void control_hung_up(struct store *store, struct span id);

#endif
