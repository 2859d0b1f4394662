-- What a call is in Redis: the keys, and what stands where in its packed arrays. Declared here, once: the build writes
-- the same for C (build/gen/layout.h, positions counted from 0), and puts the numbers in the place of the names in what
-- Redis gets, so that a name costs nothing there. A row is a name, a number, and nothing else before its comment.
--
-- A position never changes its meaning, and what is new comes last: in a rolling update two versions read each other's.
--
-- KEYS[1] is the shard, e.g. "{ivr:07}". Every key begins with it, so a function touches one slot of a Redis Cluster:
--   :call:TENANT/CALL_ID    hash: s state, p policy, i identity (JSON fragment for events), q request, f fingerprint,
--                           a1, a2, ... attempts; s, p and attempts are MessagePack arrays (below); z when it became
--                           final first, ms; t the trace of what made it so, or corrected it since ("" is left out)
--   :due                    zset of waiting calls, by the time of their next attempt
--   :hold:KEY               zset of waiting calls that an operator's pause keeps out of :due, by their expiry; KEY is
--                           the pause: "campaign:TENANT/CAMPAIGN", "tenant:TENANT", "channel:NAME", or "call": that
--                           call alone
--   :holds                  set of those KEYs
--   :ctl                    hash of what operators said: "pause:KEY" or "cancel:KEY", and when, ms (controls.lua). Each
--                           shard has its own copy, so that a claim reads it where it is made: there is no moment
--                           between the two, and who cannot read it cannot dial
--   :sweep                  hash, how far the search for calls that were cancelled has come (sweep.lua)
--   :hangups                zset of cancelled calls that their provider has, by the time to ask it to hang up
--   :waiting                hash, how many of them wait by channel, held ones too (a gauge for people)
--   :open                   zset of placing, placed, talking and in-doubt calls, by the time somebody must look at
--                           them; claims stand before all others (lib/attempts.lua), so that a crowd of silent
--                           calls does not hold them up
--   :lined                  zset "CHANNEL|tenant/call_id/claim_no" of attempts that have a line of their channel
--                           (admit.lua), by its deadline: what the channel's own list is rebuilt from
--   :out                    stream, the outbox: field e holds a MessagePack array of what has to follow a change:
--                           events to be produced, and lines to be given back (release() of lib/attempts.lua)
--   :records                zset of calls whose record is to be sent, by when (lib/records.lua)
--   :audit                  zset of what ivr.audit is to say, by when whoever sends it must be done (lib/audit.lua)
--   :n:TENANT/CAMPAIGN      hash of counters, fields CHANNEL|what
--   :w:TENANT/CAMPAIGN|CHANNEL|MINUTE   hash of a one-minute window's counters, lives 48 h
--   :campaigns, :windows    zsets of those two, by their last change
--   :resumed                hash, when a channel was resumed last (controls.lua); lives for an hour
-- What is about an id or a number instead of a call stands where it is used: :ids: in link.lua, :park: in park.lua,
-- :lock: and :dnc: in contact.lua; what a channel has, in admit.lua; the rest is C's own (workers/store/keys.h).
--
-- Promises of all that changes a call: a status is the maximum of its evidence, and every other field merges
-- commutatively; counters, the event and the call move together; applying the same evidence again changes nothing and
-- emits nothing.
local layout = {}

-- A call's state, field s.
layout.S = {
  SEQ = 1,
  PHASE = 2,
  STATUS = 3,
  FINAL = 4,
  ATTEMPT = 5,
  CAMPAIGN = 6, -- "tenant/campaign"
  CHANNEL = 7,
  CREATED = 8,
  UPDATED = 9,
  NEXT_AT = 10,
  DROP = 11,
  SPENT = 12,
  UNREACHED_SINCE = 13,
  UNREACHED_N = 14,
  TOKEN = 15,
  REASON = 16,
  SOURCE = 17,
  WON = 18,
  UNREACHED_KEPT = 19,
  -- Only where an operator had a say in the call, or another call kept it waiting.
  HOLD = 20, -- the KEY that holds it ('' none)
  HELD_AT = 21, -- since when
  CANCELLED = 22, -- 1: no further attempt, whatever becomes of this one
  HUNG_UP = 23, -- how often its provider was asked to hang up
  BUSY = 24, -- 1: it waits for another call to the same number to end (contact.lua)
  BACKS = 25, -- how many of its claims were given back
}

layout.PHASE = {
  WAITING = 1,
  PLACING = 2,
  PLACED = 3,
  DONE = 4,
  DROPPED = 5,
}

-- common/model/status.h has the others.
layout.STATUS = {
  PENDING = 1,
  GATEWAY_UNAVAILABLE = 2,
  FAILED = 3,
  COMPLETED = 7,
}

-- A policy, field p.
layout.P = {
  MAX = 1,
  ON = 2, -- a mask of 2^status
  DELAYS = 3,
  REDIAL = 4,
  EXPIRES = 5,
  PRIORITY = 6, -- of the request
}

-- An attempt, fields a1, a2, ... Its end is three values a hop: HOPS + 3 * hop is the provider's time (0 unknown), then
-- ours (0 not seen), then the detail. One flat array: nested ones cost Redis twice as much to pack and to read.
layout.A = {
  STATUS = 1,
  TERMINAL = 2,
  KIND = 3,
  CODE = 4,
  DETAIL = 5,
  CHANNEL = 6,
  PROVIDER = 7,
  ID = 8,
  ID_SURE = 9,
  PLACED = 10,
  RING = 11,
  TALK = 12,
  COST = 13,
  CURRENCY = 14,
  ANSWERED = 15,
  REPORTED = 16,
  UNREACHED = 17,
  PERMANENT = 18,
  CLOSED = 19,
  RING_GIVEN = 20,
  HOPS = 21,
  -- Behind the hops: what the attempt holds, and release() gives back.
  CONTACT = 36, -- the number whose contact lock it has ('' none, contact.lua)
  LINE = 37, -- 1 where it has a line of its channel (admit.lua)
  CLAIM_NO = 38, -- of its claim (claim_no_of)
  REFINED = 39, -- how often it was refined (evidence.lua)
  COUNTED = 40, -- the name under which its window counts its reason where that is not its own (lib/reasons.lua)
}

-- What A.CLOSED holds besides 0.
layout.CLOSED = {
  NO_REPORT = 1, -- closed for want of a report
  SETTLED = 2, -- its claim was settled by others
}

-- In their order (common/model/hop.h).
layout.HOP = {
  MESSAGE_OUT = 0,
  DIALING = 1,
  CONNECTED = 2,
  TERMINATE = 3,
  SESSION_COMPLETED = 4,
}

layout.HOP_BIT = {
  MESSAGE_OUT = 1,
  CONNECTED = 4,
}

-- Evidence: workers/calls/evidence_pack.c writes it.
layout.E = {
  STATUS = 1,
  TERMINAL = 2,
  HOPS = 3,
  AT = 4,
  ANSWERED = 5,
  RING = 6,
  TALK = 7,
  COST = 8,
  CURRENCY = 9,
  KIND = 10,
  CODE = 11,
  DETAIL = 12,
  HOP_DETAIL = 13,
  ID = 14,
  PERMANENT = 15,
}

-- An event in the outbox: lib/events.lua writes it, workers/calls/event.c reads it.
layout.EVENT = {
  TYPE = 1,
  ID = 2,
  SEQ = 3,
  IDENTITY = 4,
  CAMPAIGN = 5,
  ATTEMPT = 6,
  CHANNEL = 7,
  PROVIDER = 8,
  PROVIDER_CALL_ID = 9,
  PLACED_AT = 10,
  STATUS = 11,
  PREVIOUS = 12,
  HOP = 13,
  CODE = 14,
  DETAIL = 15,
  FINAL = 16,
  NEXT_AT = 17,
  OCCURRED = 18,
  RECORDED = 19,
  RING = 20,
  TALK = 21,
  COST = 22,
  CURRENCY = 23,
  DROP = 24,
  TRACE = 25,
  IN_DOUBT = 26,
}

-- A record to be sent: lib/records.lua makes it, workers/calls/call_record.c reads it. Times are ms, 0 where there is
-- none; seconds, cost and priority are -1 where unknown; texts are then empty.
layout.RECORD = {
  ID = 1,
  SEQ = 2,
  IDENTITY = 3,
  STATUS = 4,
  DROP = 5,
  IN_DOUBT = 6,
  CODE = 7,
  DETAIL = 8,
  CHANNEL = 9,
  PROVIDER = 10,
  PROVIDER_CALL_ID = 11,
  ATTEMPTS = 12,
  PRIORITY = 13,
  CREATED = 14,
  FIRST_ATTEMPT = 15,
  LAST_ATTEMPT = 16,
  ANSWERED = 17,
  ENDED = 18,
  FINAL_AT = 19,
  UPDATED = 20,
  RING = 21,
  TALK = 22,
  COSTS = 23, -- {currency, millionths, ...}
  TRACE = 24,
}

return layout
